//! The other instances, as an input has them: whatever they publish, ask and answer.
//!
//! Owns that every question of theirs is answered once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{
    AckValue, Asker, Audience, Broadcast, Bulk, BulkOp, Cluster, Others, Packet, Publication,
    Question, Remote, Response, Room, Serving,
};

/// How often each question of the others was answered, acknowledgements not counted.
#[derive(Clone, Default)]
pub(super) struct Answers(Rc<RefCell<BTreeMap<u64, u32>>>);

impl Answers {
    fn asks(&self) -> Asker {
        let mut questions = self.0.borrow_mut();
        let number = questions.len() as u64;
        questions.insert(number, 0);
        Asker(Bytes::copy_from_slice(&number.to_le_bytes()))
    }

    /// Panics unless every question has its answer.
    pub(super) fn assert_complete(&self) {
        for (number, answers) in &*self.0.borrow() {
            assert_eq!(*answers, 1, "answers to question {number}");
        }
    }
}

/// A shard's port.
pub(super) struct Peers(pub(super) Answers);

impl Cluster for Peers {
    fn publish(&mut self, _namespace: &str, _publication: &Publication) {}

    fn ask(&mut self, _: &str, _request: u64, _question: &Question, _timeout: Duration) -> Others {
        Others::Awaited
    }

    fn done(&mut self, _request: u64) {}

    fn answer(&mut self, asker: &Asker, response: Response) {
        let number = u64::from_le_bytes(asker.0[..].try_into().expect("as it was made"));
        let mut questions = self.0.0.borrow_mut();
        let answers = questions.get_mut(&number).expect("somebody asked");
        *answers += u32::from(!matches!(response, Response::Ack(_)));
        assert!(*answers <= 1, "question {number} is answered again: {response:?}");
    }

    fn serve(&mut self, _namespace: &str, _serving: Serving) {}
}

/// Something that comes from the others, as a byte of the input says.
pub(super) fn remote(kind: u8, name: &[u8], answers: &Answers) -> Remote {
    let namespace: Box<str> = if kind & 128 == 0 { "/".into() } else { "/unknown".into() };
    let room = Room::text(name);
    let audience = match kind & 64 {
        0 => Audience::all(),
        _ => Audience::rooms(vec![room.clone()]),
    };
    let broadcast = Broadcast::new(Packet::new(b"[\"remote\"]", &[]), audience.clone());
    let args: Arc<str> = "[\"news\"]".into();
    let publication =
        |publication| Remote::Publication { namespace: namespace.clone(), publication };
    let bulk =
        |op| publication(Publication::Bulk(Bulk { audience: audience.clone(), op, local: false }));
    let question = |question| Remote::Question {
        namespace: namespace.clone(),
        asker: answers.asks(),
        question,
        timeout: Duration::from_millis(700),
    };
    let response = |response| Remote::Response { request: name.len() as u64, response };
    match kind & 15 {
        0..=2 => publication(Publication::Broadcast(broadcast)),
        3 => bulk(BulkOp::Join(vec![room])),
        4 => bulk(BulkOp::Leave(vec![room])),
        5 => bulk(BulkOp::Disconnect { close: kind & 16 != 0 }),
        6 => publication(Publication::ServerSideEvent(args)),
        7 if kind & 16 == 0 => question(Question::Count(audience)),
        7 => question(Question::Sockets(audience)),
        8 => question(Question::Rooms),
        9 => question(Question::ServerSideEvent(args)),
        10 | 11 => question(Question::Broadcast(broadcast)),
        12 => response(Response::Instances(u32::from(kind >> 4 & 3))),
        13 => response(Response::Receivers(u32::from(kind >> 4 & 3))),
        14 => response(Response::Ack(AckValue::null())),
        _ if kind & 16 == 0 => {
            response(Response::Count { sockets: u64::MAX, complete: kind & 32 == 0 })
        }
        _ => response(Response::Sockets(Vec::new())),
    }
}
