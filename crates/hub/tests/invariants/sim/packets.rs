//! What a client makes of packets, whichever transport they came by.

use std::borrow::Cow;

use relay_engineio::Packet as EnginePacket;
use relay_socketio::json;
use relay_socketio::{Attachments, Body, Decoder, DecoderLimits, Packet, Role};

use super::client::{Answering, Client, Event};

impl Client {
    /// One packet of Engine.IO.
    pub(super) fn on_engine_packet(&mut self, packet: EnginePacket<'_>) {
        assert!(!self.told_the_end, "nothing follows the end: {packet:?}");
        match packet {
            EnginePacket::Open(open) => self.open = open.to_owned(),
            EnginePacket::Ping("") => {
                self.pings += 1;
                if self.answers_pings {
                    self.text("3");
                }
            }
            EnginePacket::Text(text) => self.on_message(Ok(text)),
            EnginePacket::Binary(data) => self.on_message(Err(&data)),
            EnginePacket::Close => {
                assert!(self.poller.is_some(), "a WebSocket session ends with a close frame");
                self.told_the_end = true;
            }
            EnginePacket::Noop => {
                assert!(self.is_polling(), "only a GET is ended with nothing");
            }
            EnginePacket::Ping(_) | EnginePacket::Pong(_) | EnginePacket::Upgrade => {
                panic!("a client would refuse {packet:?}")
            }
        }
    }

    fn on_message(&mut self, message: Result<&str, &[u8]>) {
        let limits = DecoderLimits::default();
        let mut decoder = std::mem::replace(&mut self.packets, Decoder::new(Role::Client, limits));
        let packet = match message {
            Ok(text) => decoder.text(text),
            Err(data) => decoder.binary(data),
        };
        if let Some(packet) = packet.expect("the server's packets are legal") {
            self.on_packet(packet);
        }
        self.packets = decoder;
    }

    fn on_packet(&mut self, packet: Packet<'_>) {
        let Packet { namespace, body } = packet;
        let namespace = namespace.to_owned();
        match body {
            Body::Connect { auth } => {
                let payload = auth.expect("a CONNECT of the server has a payload");
                let sid = json::members(payload).find(|(key, _)| json::string_is(key, "sid"));
                let (_, sid) = sid.expect("a CONNECT of the server has a sid");
                let sid = String::from_utf8_lossy(&json::unescape(sid)).into_owned();
                self.joined.push((namespace, sid));
            }
            Body::Disconnect => self.put_out.push(namespace),
            Body::ConnectError { payload } => self.refusals.push((namespace, payload.to_owned())),
            Body::Ack { id, args } => self.acks.push((id, args.raw().to_owned())),
            Body::Event { id, args } => {
                let Attachments::List(attachments) = args.attachments() else {
                    panic!("more than any client takes");
                };
                self.answer(&namespace, id);
                self.events.push(Event {
                    namespace,
                    ack: id,
                    args: args.raw().to_owned(),
                    attachments: attachments.iter().map(|data| data.to_vec()).collect(),
                });
            }
        }
    }

    fn answer(&mut self, namespace: &str, ack: Option<u64>) {
        let Some(ack) = ack else { return };
        let name = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let packet = format!("43{name}{ack}[{},\"more\"]", self.id);
        for _ in 0..match self.answering {
            Answering::Once => 1,
            Answering::Twice => 2,
            Answering::Never => 0,
        } {
            self.text(&packet);
        }
    }
}

/// A binary message in text form.
pub(super) fn base64(data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let binary = EnginePacket::Binary(Cow::Borrowed(data));
    relay_engineio::packet::encode_text(&binary, &mut packet);
    packet
}
