//! What leaves: publications, questions and answers, written when their turn comes.

use std::sync::Arc;
use std::time::Duration;

use relay_hub::{
    Asker, Audience, Broadcast, Bulk, BulkOp, Bytes, Publication, Question, Response, Room,
    SocketInfo,
};

use super::asker::{Form, Return};
use super::{ClusterSettings, Shared};
use crate::classic::{
    Answer, OwnRequest, Refused, ShortId, SocketFacts, write_ack, write_answer, write_broadcast,
    write_broadcast_with_ack, write_request,
};
use crate::link::{Encoder, Message};

/// Something that waits to be published.
pub(crate) enum Outbound {
    Publication {
        namespace: Box<str>,
        publication: Publication,
    },
    Question {
        namespace: Box<str>,
        id: ShortId,
        question: Question,
        timeout: Duration,
    },
    Answer {
        asker: Asker,
        response: Response,
    },
    /// An answer that needs no shard.
    Written {
        channel: Box<str>,
        payload: Vec<u8>,
    },
}

/// What a room costs in a queue beside its name, roughly.
const ROOM_BYTES: usize = 32;

fn rooms_bytes(rooms: &[Room]) -> usize {
    let name = |room: &Room| match room {
        Room::Text(name) => name.len(),
        Room::Number(_) | Room::Socket(_) => 0,
    };
    rooms.iter().map(|room| ROOM_BYTES + name(room)).sum()
}

fn audience_bytes(audience: &Audience) -> usize {
    rooms_bytes(&audience.rooms) + rooms_bytes(&audience.except)
}

fn broadcast_bytes(broadcast: &Broadcast) -> usize {
    let attachments: usize = broadcast.packet.attachments.iter().map(Bytes::len).sum();
    broadcast.packet.args.len() + attachments + audience_bytes(&broadcast.audience)
}

fn bulk_bytes(bulk: &Bulk) -> usize {
    let named = match &bulk.op {
        BulkOp::Join(rooms) | BulkOp::Leave(rooms) => rooms_bytes(rooms),
        BulkOp::Disconnect { .. } => 0,
    };
    audience_bytes(&bulk.audience) + named
}

fn response_bytes(response: &Response) -> usize {
    let socket =
        |it: &SocketInfo| it.id.len() + it.handshake.len() + it.data.len() + rooms_bytes(&it.rooms);
    match response {
        Response::Sockets(sockets) => sockets.iter().map(socket).sum(),
        Response::Rooms(rooms) => rooms_bytes(rooms),
        Response::Ack(it) => it.json.len() + it.attachments.iter().map(Bytes::len).sum::<usize>(),
        Response::ServerSide(Some(json)) => json.len(),
        Response::Instances(_)
        | Response::Receivers(_)
        | Response::Count { .. }
        | Response::ServerSide(None) => 0,
    }
}

fn publication_bytes(publication: &Publication) -> usize {
    match publication {
        Publication::Broadcast(it) => broadcast_bytes(it),
        Publication::Bulk(bulk) => bulk_bytes(bulk),
        Publication::ServerSideEvent(args) => args.len(),
    }
}

fn question_bytes(question: &Question) -> usize {
    match question {
        Question::Broadcast(it) => broadcast_bytes(it),
        Question::ServerSideEvent(args) => args.len(),
        Question::Sockets(audience) | Question::Count(audience) => audience_bytes(audience),
        Question::Rooms => 0,
    }
}

impl Message for Outbound {
    fn bytes(&self) -> usize {
        let contents = match self {
            Self::Publication { namespace, publication } => {
                namespace.len() + publication_bytes(publication)
            }
            Self::Question { namespace, question, .. } => {
                namespace.len() + question_bytes(question)
            }
            Self::Answer { asker, response } => asker.0.len() + response_bytes(response),
            Self::Written { channel, payload } => channel.len() + payload.len(),
        };
        size_of::<Self>() + contents
    }
}

/// Writes what leaves.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Kept between messages.
    out: Vec<u8>,
}

/// A buffer that grew beyond this for one message is not kept.
const KEPT_BYTES_MAX: usize = 256 * 1024;

impl Encoder<Outbound> for Writer {
    fn encode(&mut self, message: Outbound, publish: &mut dyn FnMut(&[u8], &[u8])) {
        self.out.clear();
        let written = match message {
            Outbound::Publication { namespace, publication } => {
                self.publication(&namespace, &publication).map(Some)
            }
            Outbound::Question { namespace, id, question, timeout } => {
                self.question(&namespace, id, &question, timeout)
            }
            Outbound::Answer { asker, response } => Ok(self.answer(&asker, &response)),
            Outbound::Written { channel, payload } => {
                publish(channel.as_bytes(), &payload);
                Ok(None)
            }
        };
        match written {
            Ok(Some(channel)) => publish(&channel, &self.out),
            Ok(None) => {}
            Err(refused) => self.shared.stats.refused(refused),
        }
        if self.out.capacity() > KEPT_BYTES_MAX {
            self.out = Vec::new();
        }
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, out: Vec::new() }
    }

    /// Writes a publication; the channel where it goes.
    fn publication(
        &mut self,
        namespace: &str,
        publication: &Publication,
    ) -> Result<Vec<u8>, Refused> {
        let presence = self.shared.registry.presence(namespace);
        let request = match publication {
            Publication::Broadcast(broadcast) => {
                let ClusterSettings { parser, encoded_bytes_max: bytes_max, .. } =
                    self.shared.settings;
                let out = &mut self.out;
                write_broadcast(out, parser, &presence.uid, namespace, broadcast, bytes_max)?;
                return Ok(presence.channels.of(&broadcast.audience));
            }
            Publication::Bulk(Bulk { audience, op: BulkOp::Join(rooms), .. }) => {
                OwnRequest::Join { audience, rooms }
            }
            Publication::Bulk(Bulk { audience, op: BulkOp::Leave(rooms), .. }) => {
                OwnRequest::Leave { audience, rooms }
            }
            Publication::Bulk(Bulk { audience, op: BulkOp::Disconnect { close }, .. }) => {
                OwnRequest::Disconnect { audience, close: *close }
            }
            Publication::ServerSideEvent(args) => {
                OwnRequest::ServerSideEmit { id: None, args_json: args }
            }
        };
        write_request(&mut self.out, &presence.uid, &request)?;
        Ok(presence.channels.requests.as_bytes().to_vec())
    }

    /// Writes a question; the channel where it goes, if other instances know it.
    fn question(
        &mut self,
        namespace: &str,
        id: ShortId,
        question: &Question,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let presence = self.shared.registry.presence(namespace);
        let request = match question {
            Question::Broadcast(broadcast) => {
                let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
                let ClusterSettings { parser, encoded_bytes_max: bytes_max, .. } =
                    self.shared.settings;
                let ids = (&presence.uid, &id);
                let out = &mut self.out;
                write_broadcast_with_ack(
                    out, parser, ids, namespace, broadcast, timeout_ms, bytes_max,
                )?;
                return Ok(Some(presence.channels.requests.as_bytes().to_vec()));
            }
            Question::Sockets(audience) => OwnRequest::Fetch { id, audience },
            Question::Count(audience) => OwnRequest::Count { id, audience },
            Question::ServerSideEvent(args) => {
                OwnRequest::ServerSideEmit { id: Some(id), args_json: args }
            }
            Question::Rooms => return Ok(None),
        };
        write_request(&mut self.out, &presence.uid, &request)?;
        Ok(Some(presence.channels.requests.as_bytes().to_vec()))
    }

    /// Writes an answer; the channel where it goes, if there is something to say.
    fn answer(&mut self, asker: &Asker, response: &Response) -> Option<Vec<u8>> {
        let Return { namespace, id, form } = Return::of(asker)?;
        let presence = self.shared.registry.presence(&namespace);
        let out = &mut self.out;
        match (form, response) {
            (Form::Plain, Response::Sockets(sockets)) => {
                let facts: Vec<SocketFacts<'_>> = sockets.iter().map(facts).collect();
                write_answer(out, &id, &Answer::Sockets(&facts));
            }
            (Form::Ids, Response::Sockets(sockets)) => {
                let ids: Vec<&str> = sockets.iter().map(|it| &*it.id).collect();
                write_answer(out, &id, &Answer::Ids(&ids));
            }
            // Only who has the socket answers.
            (Form::RoomsOf, Response::Sockets(sockets)) => {
                write_answer(out, &id, &Answer::Rooms(&sockets.first()?.rooms));
            }
            (Form::Confirm, Response::Sockets(sockets)) => {
                sockets.first()?;
                write_answer(out, &id, &Answer::Done);
            }
            (_, Response::Rooms(rooms)) => write_answer(out, &id, &Answer::Rooms(rooms)),
            (_, Response::Receivers(count)) => write_answer(out, &id, &Answer::ClientCount(*count)),
            (_, Response::ServerSide(data)) => {
                let data = data.as_ref().and_then(|it| std::str::from_utf8(it).ok());
                write_answer(out, &id, &Answer::ServerSide(data));
            }
            (_, Response::Ack(value)) => {
                let first = std::str::from_utf8(&value.json).ok();
                let ClusterSettings { parser, encoded_bytes_max: bytes_max, .. } =
                    self.shared.settings;
                let written = write_ack(out, parser, &id, first, &value.attachments, bytes_max);
                if let Err(refused) = written {
                    // Its sender counts acknowledgements: one without a value is one.
                    self.shared.stats.refused(refused);
                    write_ack(out, parser, &id, None, &[], bytes_max).ok()?;
                }
            }
            (Form::Count(asker), &Response::Count { sockets, complete }) => {
                write_answer(out, &id, &Answer::Count { sockets, complete });
                return Some(presence.channels.counts_for(&asker).into_bytes());
            }
            (Form::Count(_), Response::Sockets(_))
            | (_, Response::Count { .. } | Response::Instances(_)) => return None,
        }
        Some(presence.channels.responses.as_bytes().to_vec())
    }
}

fn facts(info: &SocketInfo) -> SocketFacts<'_> {
    let SocketInfo { id, handshake, rooms, data } = info;
    let rooms: &[Room] = rooms;
    SocketFacts { id, handshake_json: handshake, rooms, data_json: data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_answered_and_what_rooms_are_called_has_its_weight() {
        let answer = |asker: &'static [u8]| {
            let asker = Asker(Bytes::from_static(asker));
            Outbound::Answer { asker, response: Response::Receivers(1) }.bytes()
        };
        assert_eq!(answer(&[0; 1_000]), answer(b"") + 1_000);
        let question = |namespace: &str, room: &[u8]| {
            let question = Question::Sockets(Audience::rooms(vec![Room::text(room)]));
            let (id, timeout) = (ShortId::new([0; 6]), Duration::ZERO);
            Outbound::Question { namespace: namespace.into(), id, question, timeout }.bytes()
        };
        assert_eq!(question("/abc", &[b'r'; 1_000]), question("/", b"r") + 3 + 999);
    }
}
