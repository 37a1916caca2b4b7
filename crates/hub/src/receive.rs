//! From bytes to happenings: WebSocket, Engine.IO, Socket.IO, application, inline and in order.

use bytes::Bytes;
use relay_engineio::packet::{Packet as EnginePacket, decode_text};
use relay_socketio::decoder::{DecodeError, Decoder, DecoderLimits, Role};
use relay_socketio::packet::{Args, Attachments, Body, Packet};
use relay_socketio::{Parser, msgpack};
use relay_websocket::{Error as FrameError, Event as Frame, Opcode};

use crate::application::{AckValue, Answer, Application, Happening, Message, SocketKey};
use crate::connection::{NEVER, Stage, Transport};
use crate::core::{Core, millis};
use crate::hub::{Effect, Hub, Output};
use crate::memory::Held;
use crate::namespace::AckFor;
use crate::reason::EndReason;
use crate::slots::Key;

impl<A: Application> Hub<A> {
    /// Decodes and handles whole messages; what is left of one stays in the transport.
    pub(crate) fn read(&mut self, key: Key, input: &mut [u8]) {
        if self.core().is_deferred(key) {
            return self.core().stash(key, input);
        }
        let Some(connection) = self.core().connections.get_mut(key) else { return };
        if let Some(Transport::Polling(_)) = connection.transport {
            return self.read_probe(key, input);
        }
        // While its bytes are worked on, the decoder is out of the core: messages borrow it.
        let Some(mut transport) = connection.transport.take() else { return };
        match &mut transport {
            Transport::WebSocket(decoder) => self.read_frames(key, decoder, input),
            Transport::Polling(_) => {}
        }
        if let Some(connection) = self.core().connections.get_mut(key)
            // A closing connection is read for its close frame alone; half a message is freed.
            && (connection.stage == Stage::Open || transport.buffered_bytes() == 0)
        {
            connection.transport = Some(transport);
        }
    }

    fn read_frames(
        &mut self,
        key: Key,
        decoder: &mut relay_websocket::Decoder,
        mut input: &mut [u8],
    ) {
        loop {
            let step = match decoder.decode(input) {
                Ok(step) => step,
                Err(error) => return self.core().end_connection(key, reason_of(&error)),
            };
            let consumed = step.consumed;
            let Some(frame) = step.event else { return };
            // What a connection says after its end counts no more, but for its close frame.
            match self.core().connections.get(key).map(|connection| connection.stage) {
                Some(Stage::Open) => self.on_frame(key, frame),
                Some(Stage::Closing) if matches!(frame, Frame::Close(_)) => {
                    self.core().close_received(key);
                }
                Some(Stage::Closing) => {}
                None => return,
            }
            self.settle();
            input = &mut std::mem::take(&mut input)[consumed..];
            if self.core().is_deferred(key) {
                if !input.is_empty() {
                    self.core().stash(key, input);
                }
                return;
            }
        }
    }

    fn on_frame(&mut self, key: Key, frame: Frame<'_>) {
        match frame {
            Frame::Text(text) => match decode_text(text) {
                Ok(packet) => self.on_engine_packet(key, packet),
                Err(_) => self.core().end_connection(key, EndReason::ParseError),
            },
            Frame::Binary(data) => self.on_engine_packet(key, EnginePacket::Binary(data.into())),
            Frame::Ping(data) => self.core().send_ws(key, Opcode::Pong, data),
            Frame::Pong(_) => {}
            Frame::Close(close) => {
                self.core().close_received(key);
                self.core().end_connection_with(key, EndReason::TransportClose, close);
            }
        }
    }

    pub(crate) fn on_engine_packet(&mut self, key: Key, packet: EnginePacket<'_>) {
        let is_pong = matches!(packet, EnginePacket::Pong(_));
        self.core().heard(key, is_pong);
        match packet {
            EnginePacket::Text(text) => {
                self.on_message(key, Message::Text(text));
            }
            EnginePacket::Binary(data) => {
                self.on_message(key, Message::Binary(&data));
            }
            EnginePacket::Close => {
                self.core().end_connection(key, EndReason::TransportClose);
            }
            // Heartbeats go the other way since Engine.IO v4.
            EnginePacket::Ping(_) => {
                self.core().end_connection(key, EndReason::TransportError);
            }
            EnginePacket::Pong(_)
            | EnginePacket::Open(_)
            | EnginePacket::Upgrade
            | EnginePacket::Noop => {}
        }
    }

    fn on_message(&mut self, key: Key, message: Message<'_>) {
        if self.core().raw {
            self.core().stats.packets_received.add(1);
            return self.tell(Some(key), Happening::Message { connection: key, message });
        }
        if self.core().parser_of(key, message) == Some(Parser::Msgpack) {
            return self.on_msgpack(key, message);
        }
        let Some(connection) = self.core().connections.get_mut(key) else { return };
        let Some(mut decoder) = connection.decoder.take() else { return };
        let decoded = match message {
            Message::Text(text) => decoder.text(text),
            Message::Binary(data) => decoder.binary(data),
        };
        match decoded {
            Ok(Some(packet)) => {
                self.core().stats.packets_received.add(1);
                self.core().attachments_done(key);
                self.on_packet(key, packet);
                decoder.clear();
            }
            Ok(None) => self.core().attachments_awaited(key),
            Err(_) => self.core().end_connection(key, EndReason::ProtocolError),
        }
        if let Some(connection) = self.core().connections.get_mut(key)
            && connection.stage == Stage::Open
        {
            connection.decoder = Some(decoder);
        }
    }

    /// A packet of the msgpack parser is one binary message.
    fn on_msgpack(&mut self, key: Key, message: Message<'_>) {
        let limits = self.core().limits();
        let decoder_limits = DecoderLimits {
            attachments_max: limits.attachments_max,
            message_bytes_max: limits.message_bytes_max,
        };
        let depth_max = limits.msgpack_depth_max;
        let decoded = match message {
            Message::Binary(data) => msgpack::decode(data, Role::Server, decoder_limits, depth_max),
            Message::Text(_) => Err(DecodeError::Empty),
        };
        match decoded {
            Ok(message) => {
                self.core().stats.packets_received.add(1);
                self.on_packet(key, message.packet());
            }
            Err(_) => self.core().end_connection(key, EndReason::ProtocolError),
        }
    }

    fn on_packet(&mut self, key: Key, packet: Packet<'_>) {
        let Packet { namespace, body } = packet;
        if let Body::Connect { auth } = body {
            return self.on_connect(key, namespace, auth);
        }
        let Some(socket) = self.core().socket_of(key, namespace) else {
            // Late packets for a namespace that the server made it leave are forgiven.
            if !self.core().left_lately(key, namespace) {
                self.core().end_connection(key, EndReason::ProtocolError);
            }
            return;
        };
        match body {
            Body::Disconnect => {
                let reason = EndReason::ClientNamespaceDisconnect;
                self.core().stats.ends[reason.index()].add(1);
                self.core().end_socket(socket, reason);
            }
            Body::Event { id, args } => {
                self.core().stats.events.add(1);
                self.tell(Some(key), Happening::Event { socket, args, ack: id });
            }
            Body::Ack { id, args } => self.on_ack(key, socket, id, args),
            Body::Connect { .. } | Body::ConnectError { .. } => {
                self.core().end_connection(key, EndReason::ProtocolError);
            }
        }
    }

    fn on_ack(&mut self, key: Key, socket: SocketKey, id: u64, args: Args<'_>) {
        match self.core().take_ack(socket, id) {
            Some(AckFor::Application { token }) => {
                let answer = Answer::Args(args);
                self.tell(Some(key), Happening::Acknowledged { token, answer });
            }
            Some(AckFor::Collect { shard, request, .. }) => {
                let answer = ack_value(args);
                self.core().tell(shard, Effect::AckAnswered { request, answer });
            }
            // Unknown, late and repeated acknowledgements mean nothing.
            None => {}
        }
    }
}

/// The first argument: no other one is collected, as in Node. Where its binaries were too large it
/// means nothing without them.
fn ack_value(args: Args<'_>) -> AckValue {
    match (args.elements().next(), args.attachments()) {
        (Some(first), Attachments::List(attachments)) => AckValue {
            json: Bytes::copy_from_slice(first.as_bytes()),
            attachments: attachments.to_vec(),
        },
        (None, Attachments::List(_)) | (_, Attachments::TooLarge { .. }) => AckValue::null(),
    }
}

fn reason_of(error: &FrameError) -> EndReason {
    match error.close_code() {
        1009 => EndReason::PayloadTooLarge,
        1007 => EndReason::InvalidUtf8,
        _ => EndReason::WebSocketProtocol,
    }
}

impl<D> Core<D> {
    /// A packet came: the peer is there.
    fn heard(&mut self, key: Key, is_pong: bool) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.heartbeat.on_packet(self.now, &self.heartbeat, is_pong);
        }
    }

    /// The parser of a connection, which its first message tells.
    fn parser_of(&mut self, key: Key, message: Message<'_>) -> Option<Parser> {
        let connection = self.connections.get_mut(key)?;
        let is_binary = matches!(message, Message::Binary(_));
        let first = Parser::of_first_message(is_binary);
        let parser = *connection.parser.get_or_insert(first);
        connection.format.msgpack = parser == Parser::Msgpack;
        Some(parser)
    }

    fn attachments_awaited(&mut self, key: Key) {
        let until = self.now + millis(self.limits().attachments_timeout);
        if let Some(connection) = self.connections.get_mut(key)
            && connection.joined
            && connection.deadline == NEVER
        {
            connection.deadline = until;
        }
    }

    fn attachments_done(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && connection.joined
        {
            connection.deadline = NEVER;
        }
    }

    /// Charges what a connection holds of an incomplete message to the memory budget.
    pub(crate) fn account_partial(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let transport = connection.transport.as_ref().map_or(0, Transport::buffered_bytes);
        let decoder = connection.decoder.as_ref().map_or(0, Decoder::pending_bytes);
        let bytes = transport + decoder;
        let before = std::mem::replace(&mut connection.partial_bytes, bytes);
        if bytes == 0 {
            connection.partial_since = NEVER;
        } else if before == 0 {
            connection.partial_since = self.now;
        }
        self.memory.sub(Held::Partial, before);
        self.memory.add(Held::Partial, bytes);
    }

    /// Stops reading a connection while too much of what it caused still waits.
    pub(crate) fn hold_if_heavy(&mut self, key: Key) {
        let most =
            if self.instance.memory().is_high() { 0 } else { self.limits().sender_window_bytes };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(window) = &connection.window else { return };
        if connection.heavy || connection.stage == Stage::Closing {
            return;
        }
        // An ordinary sender's last message may still be in this pass's queues; only what is
        // heavy, or waits while memory is short, holds it back.
        if window.outstanding_bytes() <= most {
            return;
        }
        window.hold();
        let window = window.clone();
        connection.heavy = true;
        if !connection.held {
            connection.hold(self.now);
            self.outputs.push_back(Output::Hold(key));
        }
        self.stats.senders_held.add(1);
        self.stats.senders_held_now.add(1);
        // Another shard may have lifted the last weight before it could see the hold.
        if window.release_if(self.window_low()) {
            self.read_again(key);
        }
    }

    /// The connection's window has shrunk: its peer is read again.
    pub(crate) fn read_again(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if std::mem::take(&mut connection.heavy) {
            self.stats.senders_held_now.sub(1);
            self.read_if_free(key);
        }
    }
}
