//! A message between its arguments and its place in the order.

use std::borrow::Cow;

use bytes::Bytes;
use relay_hub::{Audience, Broadcast, Context, EmitError, Packet, Room, SocketKey};
use relay_socketio::json::{self, Kind};
use relay_socketio::packet::{Args, Attachments};

use crate::client::Client;
use crate::command::{Destination, Routing};
use crate::denial::Code;

/// A message that may be sent; one that waits for a decision owns what it is made of.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// What is sent on: what came, byte for byte, unless there is something to leave out.
    passed: Cow<'a, [u8]>,
    pub(crate) attachments: Cow<'a, [Bytes]>,
    pub(crate) destination: Destination,
    /// Its `tipo` if that is a string.
    pub(crate) kind: Option<Cow<'a, [u8]>>,
}

impl<'a> Delivery<'a> {
    /// Reads the arguments of an event with this `data`.
    pub(crate) fn read(
        cx: &Context<'_, Client>,
        args: &'a Args<'a>,
        event: &str,
        data: &'a str,
    ) -> Result<Self, Code> {
        let routing = Routing::read(data);
        let destination = routing.destination(cx.limits())?;
        let Attachments::List(attachments) = args.attachments() else {
            return Err(Code::TooLarge);
        };
        if let Destination::Rooms(rooms) = &destination
            && rooms.iter().any(|room| matches!(room, Room::Text(_)) && room.is_reserved())
        {
            return Err(Code::BadRoom);
        }
        let passed = if args.elements().nth(2).is_some() {
            Cow::Owned(format!("[\"{event}\",{data}]").into_bytes())
        } else {
            Cow::Borrowed(args.raw().as_bytes())
        };
        let kind = routing.tipo.filter(|raw| json::kind(raw) == Kind::String).map(json::unescape);
        Ok(Self { passed, attachments: attachments.into(), destination, kind })
    }

    /// Sends it where its data says.
    pub(crate) fn send(&self, cx: &mut Context<'_, Client>, socket: SocketKey) -> Result<(), Code> {
        send(cx, socket, &self.destination, &self.passed, &self.attachments)
    }

    /// Bytes of what is sent on: its weight in the memory budget while it waits.
    pub(crate) fn bytes(&self) -> usize {
        self.passed.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// The same, to be kept.
    pub(crate) fn keep(self) -> Delivery<'static> {
        Delivery {
            passed: self.passed.into_owned().into(),
            attachments: self.attachments.into_owned().into(),
            destination: self.destination,
            kind: self.kind.map(|kind| kind.into_owned().into()),
        }
    }
}

fn send(
    cx: &mut Context<'_, Client>,
    socket: SocketKey,
    destination: &Destination,
    passed: &[u8],
    attachments: &[Bytes],
) -> Result<(), Code> {
    let audience = match destination {
        Destination::Sender => None,
        Destination::Everyone => Some(Audience::all()),
        Destination::Others => {
            let own = cx.id(socket).ok_or(Code::BadData)?;
            Some(Audience::all().except(Room::Socket(own)))
        }
        Destination::Rooms(rooms) => Some(Audience::rooms(rooms.clone())),
    };
    let sent = match audience {
        None => cx.emit(socket, passed, attachments, false),
        Some(audience) => {
            let packet = Packet::new(passed, attachments);
            cx.broadcast(socket, Broadcast::new(packet, audience))
        }
    };
    match sent {
        // Nobody waits for whoever is gone.
        Ok(()) | Err(EmitError::Gone) => Ok(()),
        Err(EmitError::TooLarge) => Err(Code::TooLarge),
        Err(EmitError::TooManyAttachments | EmitError::TooManyAcks) => Err(Code::TooMany),
    }
}
