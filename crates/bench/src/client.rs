//! One client: a session over a WebSocket, over long-polling, or moving from one to the other.
//!
//! It owns the protocol of one client. It does not know what is measured: events of the namespace
//! are handed to the caller as they lie in the shared read buffer.

use crate::clock::Nanos;
use crate::link::{Lane, Shared, describe};
use crate::masks::Masks;
use crate::os;
use crate::polling::{Polling, SEPARATOR};
use crate::session::{Opened, Phase, Session};
use crate::socket::{Inbound, Socket};
use crate::transport::{Farewell, Transport};
use relay_websocket::{Opcode, write_masked_frame};
use std::io;

/// A session and its connections to the server.
#[derive(Debug)]
pub(crate) struct Client {
    session: Session,
    socket: Option<Socket>,
    polling: Option<Box<Polling>>,
    /// What is sent goes over polling, and what comes is expected there.
    is_polling: bool,
    transport: Transport,
}

impl Client {
    /// Begins a session at `now`.
    ///
    /// # Errors
    /// When there is no descriptor or port left.
    pub(crate) fn dial(
        transport: Transport,
        now: Nanos,
        shared: &mut Shared<'_>,
    ) -> io::Result<Self> {
        let is_polling = transport != Transport::Websocket;
        let socket = if is_polling { None } else { Some(Socket::dial("", shared)?) };
        let polling = if is_polling { Some(Box::new(Polling::dial(shared)?)) } else { None };
        Ok(Self { session: Session::new(now), socket, polling, is_polling, transport })
    }

    /// How far it has come.
    pub(crate) fn phase(&self) -> Phase {
        self.session.phase()
    }

    /// Whether the session is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.session.phase() == Phase::Closed
    }

    /// Bytes that wait for the server to take them.
    pub(crate) fn pending_bytes(&self) -> usize {
        let socket = self.socket.as_ref().map_or(0, |socket| socket.link.pending.len());
        let polling = self.polling.as_ref().filter(|_| self.is_polling);
        socket + polling.map_or(0, |polling| polling.pending_bytes())
    }

    /// Whether the last event that asked for an acknowledgement has got it.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.session.is_acknowledged()
    }

    /// Its opening times, once: after it has joined.
    pub(crate) fn take_opened(&mut self) -> Option<Opened> {
        self.session.take_opened()
    }

    /// Whether the session ends with the connection on this lane.
    pub(crate) fn depends_on(&self, lane: Lane) -> bool {
        lane == Lane::Socket
    }

    /// Ends the session.
    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.polling = None;
        self.session.close();
    }

    /// Ends the session in a certain way. Nothing can fail that mattered: the client goes anyway.
    pub(crate) fn leave(&mut self, farewell: Farewell, shared: &mut Shared<'_>) {
        match farewell {
            Farewell::Abort => {
                let polling = self.polling.iter().flat_map(|polling| polling.links());
                for link in self.socket.iter().map(|socket| &socket.link).chain(polling) {
                    let _ = os::abort_on_close(&link.stream);
                }
            }
            Farewell::Close if self.is_polling => {
                let _ = self.polling.as_mut().map(|polling| polling.leave(shared));
            }
            Farewell::Close => {
                let open = self.socket.as_mut().filter(|socket| socket.is_open());
                let _ = open.map(|socket| socket.send(Opcode::Close, &[], shared));
            }
            Farewell::Vanish => {
                let polling =
                    self.polling.take().into_iter().flat_map(|polling| polling.into_links());
                for link in self.socket.take().map(|socket| socket.link).into_iter().chain(polling)
                {
                    shared.haunt(link);
                }
            }
        }
        self.close();
    }

    /// Appends an Engine.IO packet to `out` as [`Client::send`] wants it.
    pub(crate) fn encode(&self, packet: &[u8], masks: &mut Masks, out: &mut Vec<u8>) {
        if self.is_polling {
            out.extend_from_slice(packet);
            out.push(SEPARATOR);
        } else {
            write_masked_frame(out, Opcode::Text, packet, masks.next_key());
        }
    }

    /// Sends packets that are already encoded; what the server does not take yet waits.
    ///
    /// # Errors
    /// A description when the connection is gone.
    pub(crate) fn send(&mut self, encoded: &[u8], shared: &mut Shared<'_>) -> Result<(), String> {
        match (&mut self.polling, &mut self.socket) {
            (Some(polling), _) if self.is_polling => polling.send(encoded, shared),
            (_, Some(socket)) => socket.link.send(encoded).map_err(|e| describe(&e)),
            (_, None) => Err("not connected".to_owned()),
        }
    }

    /// An event is being sent that asks for an acknowledgement.
    pub(crate) fn want_acknowledgement(&mut self) {
        self.session.want_acknowledgement();
    }

    /// To be called when a connection became writable.
    ///
    /// # Errors
    /// A description when the session cannot go on.
    pub(crate) fn writable(&mut self, lane: Lane, shared: &mut Shared<'_>) -> Result<(), String> {
        match lane {
            Lane::Socket => {
                let flushed = self.socket.as_mut().map_or(Ok(()), |socket| socket.link.flush());
                flushed.map_err(|e| describe(&e))
            }
            Lane::Poll | Lane::Post => {
                self.polling.as_mut().map_or(Ok(()), |polling| polling.writable(lane, shared))
            }
        }
    }

    /// Reads until the kernel has no more. Each event of the namespace goes to `on_event`, with
    /// the time of the read that completed it.
    ///
    /// # Errors
    /// A description when the session has ended or the server broke a protocol.
    pub(crate) fn readable(
        &mut self,
        lane: Lane,
        shared: &mut Shared<'_>,
        read_closed: bool,
        on_event: impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        match lane {
            Lane::Socket => self.read_socket(shared, read_closed, on_event)?,
            Lane::Poll | Lane::Post => self.read_polling(lane, shared, read_closed, on_event)?,
        }
        if self.is_polling && self.polling.as_ref().is_some_and(|polling| polling.is_paused()) {
            self.switch(shared)?;
        }
        Ok(())
    }

    fn read_socket(
        &mut self,
        shared: &mut Shared<'_>,
        read_closed: bool,
        mut on_event: impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        let Self { session, socket, polling, is_polling, .. } = self;
        let Some(socket) = socket else { return Ok(()) };
        let join = shared.target.join.as_str();
        if !*is_polling {
            return socket.readable(shared, read_closed, |inbound, now, answer| match inbound {
                Inbound::Text(packet) => {
                    session.on_packet(packet, now, join, answer, &mut on_event)
                }
                Inbound::Open => {
                    session.on_connected();
                    session.on_settled(now);
                    Ok(())
                }
            });
        }
        let Some(polling) = polling else { return Ok(()) };
        socket.readable(shared, read_closed, |inbound, _, answer| match inbound {
            Inbound::Open => {
                answer.extend_from_slice(b"2probe");
                Ok(())
            }
            Inbound::Text(b"3probe") => {
                polling.pause();
                Ok(())
            }
            Inbound::Text(other) => {
                let other = String::from_utf8_lossy(other);
                Err(format!("the probe was answered by {other:?}"))
            }
        })
    }

    fn read_polling(
        &mut self,
        lane: Lane,
        shared: &mut Shared<'_>,
        read_closed: bool,
        mut on_event: impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        let Self { session, socket, polling, transport, .. } = self;
        let Some(polling) = polling else { return Ok(()) };
        let stays = *transport == Transport::Polling;
        let join = shared.target.join.as_str();
        polling.readable(lane, shared, read_closed, |packet, now, answer| {
            if session.phase() == Phase::Dialing {
                session.on_connected();
                if stays {
                    session.on_settled(now);
                }
            }
            session.on_packet(packet, now, join, answer, &mut on_event)
        })?;
        let Some((sid, may_upgrade)) = polling.session() else { return Ok(()) };
        // A socket that was lost has ended the session: none is here before the probe begins.
        if !stays && socket.is_none() {
            if !may_upgrade {
                return Err("the server offers no upgrade".to_owned());
            }
            let dialed = Socket::dial(sid, shared);
            *socket = Some(dialed.map_err(|e| format!("cannot open a socket: {e}"))?);
        }
        Ok(())
    }

    /// Goes over to the probed WebSocket. The polling connections stay as they are: a browser
    /// keeps them too, until somebody needs or ends them.
    fn switch(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        let (Some(socket), Some(polling)) = (&mut self.socket, &mut self.polling) else {
            return Ok(());
        };
        socket.send(Opcode::Text, b"5", shared).map_err(|e| describe(&e))?;
        let waiting = polling.take_outgoing();
        for packet in waiting.split(|&byte| byte == SEPARATOR).filter(|packet| !packet.is_empty()) {
            socket.send(Opcode::Text, packet, shared).map_err(|e| describe(&e))?;
        }
        self.is_polling = false;
        self.session.on_settled(shared.clock.now());
        Ok(())
    }
}
