//! What arrives: each message is decoded once and handed to one shard.
//!
//! What one instance sent in a namespace always goes to the same shard, so that its order is kept.

use std::future::{Future as _, poll_fn};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relay_hub::{
    AckValue, Audience, Broadcast, Bulk, BulkOp, Bytes, Publication, Question, Remote, Response,
    Room, SocketInfo,
};

use super::asker::{Form, Return};
use super::book::Wanted;
use super::outbound::Outbound;
use super::permissions::Permission;
use super::registry::{Presence, Subject};
use super::stats::count;
use super::{ClusterSettings, Shards, Shared};
use crate::classic::{
    Answer, AnswerKind, Change, Heard, PeerBroadcast, PeerCount, PeerRequest, PeerRequestBody,
    PeerRequestId, PeerResponseBody, RemoteSocket, answered_id, decode_broadcast_for, decode_count,
    decode_request, decode_response, write_answer,
};
use crate::link::{Arrived, Listener};

/// The name of emitters. In requests they give none.
const EMITTER: &str = "emitter";

/// Takes messages.
pub(super) struct Inbound<S> {
    shared: Arc<Shared>,
    shards: S,
    /// The shards that something was put for since they were woken.
    asleep: Vec<AtomicBool>,
}

impl<S: Shards> Listener for Inbound<S> {
    async fn hear(&mut self, arrived: Arrived) {
        let name = arrived.pattern.as_ref().unwrap_or(&arrived.channel);
        let known = std::str::from_utf8(name).ok().and_then(|it| self.shared.registry.subject(it));
        let Some((subject, presence)) = known else {
            return count(&self.shared.stats.nobody);
        };
        match subject {
            Subject::Broadcast => self.broadcast(&presence, &arrived.payload).await,
            Subject::Request => self.request(&presence, &arrived.payload).await,
            Subject::Response => self.response(&arrived.payload).await,
        }
    }

    fn rest(&mut self) {
        self.wake_all();
    }
}

impl<S: Shards> Inbound<S> {
    pub(super) fn new(shared: Arc<Shared>, shards: S) -> Self {
        let asleep = (0..shards.count()).map(|_| AtomicBool::new(false)).collect();
        Self { shared, shards, asleep }
    }

    /// Puts something for a shard, which is woken when nothing more comes with it.
    async fn put(&self, shard: usize, remote: Remote) {
        let mut putting = pin!(self.shards.put(shard, remote));
        poll_fn(|context| {
            let polled = putting.as_mut().poll(context);
            if polled.is_pending() {
                // Nobody waits for a shard that has no room but what comes behind.
                self.wake_all();
            }
            polled
        })
        .await;
        if let Some(is_asleep) = self.asleep.get(shard) {
            is_asleep.store(true, Ordering::Relaxed);
        }
    }

    fn wake_all(&self) {
        for (shard, is_asleep) in self.asleep.iter().enumerate() {
            if is_asleep.load(Ordering::Relaxed) {
                is_asleep.store(false, Ordering::Relaxed);
                self.shards.wake(shard);
            }
        }
    }

    /// The shard for what this sender says.
    fn shard_of(&self, sender: &[u8]) -> usize {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(sender);
        usize::try_from(hash % self.shards.count().max(1) as u64).unwrap_or(0)
    }

    async fn broadcast(&self, presence: &Presence, payload: &[u8]) {
        let ClusterSettings { parser, decode: limits, .. } = self.shared.settings;
        let stats = &self.shared.stats;
        let namespace = &presence.namespace;
        let is_wanted = |audience: &Audience| self.shards.have(namespace, audience);
        let uid = &presence.uid;
        match decode_broadcast_for(parser, payload, uid, namespace, limits, is_wanted) {
            Ok(Heard::Broadcast(PeerBroadcast { sender, packet, audience, flags })) => {
                count(&stats.broadcasts);
                let broadcast =
                    Broadcast { volatile: flags.volatile, ..Broadcast::new(packet, audience) };
                self.publish(presence, &sender, Publication::Broadcast(broadcast)).await;
            }
            Ok(Heard::Own) => count(&stats.own),
            Ok(Heard::OtherNamespace | Heard::Nobody) => count(&stats.nobody),
            Err(garbage) => stats.garbage(garbage),
        }
    }

    async fn publish(&self, presence: &Presence, sender: &[u8], publication: Publication) {
        let namespace = presence.namespace.clone();
        let remote = Remote::Publication { namespace, publication };
        self.put(self.shard_of(sender), remote).await;
    }

    async fn request(&self, presence: &Presence, payload: &[u8]) {
        let ClusterSettings { parser, decode: limits, .. } = self.shared.settings;
        let PeerRequest { uid, body } = match decode_request(parser, payload, limits) {
            Ok(request) => request,
            Err(garbage) => return self.shared.stats.garbage(garbage),
        };
        if uid.as_deref() == Some(presence.uid.as_str()) {
            return count(&self.shared.stats.own);
        }
        count(&self.shared.stats.requests);
        let sender = uid.as_deref().unwrap_or(EMITTER).as_bytes();
        if let Some(needed) = permission(&body)
            && !self.shared.settings.permissions.has(needed)
        {
            count(&self.shared.stats.forbidden);
            return self.answer_empty(presence, body);
        }
        match body {
            PeerRequestBody::Change { audience, change, confirm } => {
                self.change(presence, sender, audience, change, confirm).await;
            }
            PeerRequestBody::ServerSideEmit { id: None, args } => {
                let publication = Publication::ServerSideEvent(args.into());
                self.publish(presence, sender, publication).await;
            }
            other => self.question(presence, sender, other).await,
        }
    }

    async fn question(&self, presence: &Presence, sender: &[u8], body: PeerRequestBody) {
        let usual = self.shared.settings.answer_timeout;
        let (id, form, question, timeout) = match body {
            PeerRequestBody::Sockets { id, audience: Some(audience) } => {
                (id, Form::Ids, Question::Sockets(audience), usual)
            }
            PeerRequestBody::Fetch { id, audience: Some(audience) } => {
                (id, Form::Plain, Question::Sockets(audience), usual)
            }
            PeerRequestBody::Count { asker, id, audience } => {
                let somebody = audience.filter(|it| self.shards.have(&presence.namespace, it));
                let Some(audience) = somebody else {
                    let nobody = Answer::Count { sockets: 0, complete: true };
                    let channel = presence.channels.counts_for(&asker).into();
                    return self.publish_answer(channel, &id, &nobody);
                };
                (id, Form::Count(asker), Question::Count(audience), usual)
            }
            PeerRequestBody::AllRooms { id } => (id, Form::Plain, Question::Rooms, usual),
            PeerRequestBody::RoomsOf { id, socket } => {
                (id, Form::RoomsOf, Question::Sockets(one(&socket)), usual)
            }
            PeerRequestBody::ServerSideEmit { id: Some(id), args } => {
                (id, Form::Plain, Question::ServerSideEvent(args.into()), usual)
            }
            PeerRequestBody::Broadcast { id, packet, audience: Some(audience), flags } => {
                let broadcast =
                    Broadcast { volatile: flags.volatile, ..Broadcast::new(packet, audience) };
                let own = flags.timeout_ms.map(|it| Duration::from_millis(u64::from(it)));
                (id, Form::Plain, Question::Broadcast(broadcast), own.unwrap_or(usual))
            }
            nothing => return self.answer_empty(presence, nothing),
        };
        self.ask(presence, sender, (id, form), question, timeout).await;
    }

    async fn ask(
        &self,
        presence: &Presence,
        sender: &[u8],
        (id, form): (PeerRequestId, Form),
        question: Question,
        timeout: Duration,
    ) {
        let namespace = presence.namespace.clone();
        let asker = Return { namespace: namespace.clone(), id, form }.asker();
        let remote = Remote::Question { namespace, asker, question, timeout };
        self.put(self.shard_of(sender), remote).await;
    }

    async fn change(
        &self,
        presence: &Presence,
        sender: &[u8],
        audience: Audience,
        change: Change,
        confirm: Option<PeerRequestId>,
    ) {
        if let Some(id) = confirm {
            // Before the change: it may be the end of that socket.
            let question = Question::Sockets(audience.clone());
            let timeout = self.shared.settings.answer_timeout;
            self.ask(presence, sender, (id, Form::Confirm), question, timeout).await;
        }
        let op = match change {
            Change::Join(rooms) => BulkOp::Join(rooms),
            Change::Leave(rooms) => BulkOp::Leave(rooms),
            Change::Disconnect { close } => BulkOp::Disconnect { close },
        };
        let bulk = Bulk { audience, op, local: false };
        self.publish(presence, sender, Publication::Bulk(bulk)).await;
    }

    /// Answers, if its sender waits, as somebody who has nothing to say.
    fn answer_empty(&self, presence: &Presence, body: PeerRequestBody) {
        let channel = match &body {
            PeerRequestBody::Count { asker, .. }
            | PeerRequestBody::Unusable { answer: AnswerKind::Count(asker), .. } => {
                presence.channels.counts_for(asker).into()
            }
            _ => presence.channels.responses.clone(),
        };
        let (id, answer) = match body {
            PeerRequestBody::Sockets { id, .. } => (id, AnswerKind::Ids.empty()),
            PeerRequestBody::Fetch { id, .. } => (id, AnswerKind::Sockets.empty()),
            PeerRequestBody::Broadcast { id, .. } => (id, AnswerKind::ClientCount.empty()),
            PeerRequestBody::ServerSideEmit { id: Some(id), .. } => {
                (id, AnswerKind::ServerSide.empty())
            }
            PeerRequestBody::Count { asker, id, .. } => (id, AnswerKind::Count(asker).empty()),
            PeerRequestBody::Unusable { id, answer, why } => {
                self.shared.stats.garbage(why);
                (id, answer.empty())
            }
            PeerRequestBody::AllRooms { id } => (id, Answer::Rooms(&[])),
            PeerRequestBody::Custom { id } => (id, Answer::Custom),
            PeerRequestBody::ServerSideEmit { id: None, .. }
            | PeerRequestBody::RoomsOf { .. }
            | PeerRequestBody::Change { .. }
            | PeerRequestBody::ChangeNobody => return,
        };
        self.publish_answer(channel, &id, &answer);
    }

    fn publish_answer(&self, channel: Box<str>, id: &PeerRequestId, answer: &Answer<'_>) {
        let mut payload = Vec::new();
        write_answer(&mut payload, id, answer);
        // Dropped: it is counted there.
        let _ = self.shared.link.publish(Outbound::Written { channel, payload });
    }

    async fn response(&self, payload: &[u8]) {
        let ClusterSettings { parser, decode: limits, .. } = self.shared.settings;
        let id = match answered_id(parser, payload, limits) {
            Ok(id) => id,
            Err(garbage) => return self.shared.stats.garbage(garbage),
        };
        // Most answers are for others.
        let waiting = self.shared.book.find(&id, Instant::now());
        let Some((waiting, wanted)) = waiting else { return count(&self.shared.stats.nobody) };
        let response = match wanted {
            Wanted::Contents => {
                decode_response(parser, payload, limits).map(|it| contents(it.body))
            }
            Wanted::Count => decode_count(parser, payload, limits).map(|it| {
                let PeerCount { sockets, complete } = it;
                Some(Response::Count { sockets, complete })
            }),
        };
        let response = match response {
            Ok(response) => response,
            Err(garbage) => return self.shared.stats.garbage(garbage),
        };
        count(&self.shared.stats.responses);
        let Some(response) = response else { return };
        let remote = Remote::Response { request: waiting.request, response };
        self.put(waiting.shard, remote).await;
    }
}

/// What an answer says, if it has contents that may be asked for.
fn contents(body: PeerResponseBody) -> Option<Response> {
    Some(match body {
        PeerResponseBody::Sockets(sockets) => {
            Response::Sockets(sockets.into_iter().map(info).collect())
        }
        PeerResponseBody::ServerSide(data) => Response::ServerSide(data.map(Bytes::from)),
        PeerResponseBody::ClientCount(clients) => Response::Receivers(clients),
        PeerResponseBody::Ack(value) => Response::Ack(value.unwrap_or_else(AckValue::null)),
        PeerResponseBody::Other => return None,
    })
}

/// The audience that is one socket.
fn one(socket: &[u8]) -> Audience {
    Audience::rooms(vec![Room::text(socket)])
}

/// What the operator must allow for a request.
fn permission(body: &PeerRequestBody) -> Option<Permission> {
    match body {
        PeerRequestBody::Sockets { .. }
        | PeerRequestBody::AllRooms { .. }
        | PeerRequestBody::RoomsOf { .. }
        | PeerRequestBody::Fetch { .. }
        | PeerRequestBody::Count { .. } => Some(Permission::Fetch),
        PeerRequestBody::Change { change: Change::Join(_), .. } => Some(Permission::Join),
        PeerRequestBody::Change { change: Change::Leave(_), .. } => Some(Permission::Leave),
        PeerRequestBody::Change { change: Change::Disconnect { .. }, .. } => {
            Some(Permission::Disconnect)
        }
        PeerRequestBody::ServerSideEmit { .. } => Some(Permission::ServerSideEmit),
        PeerRequestBody::Broadcast { .. }
        | PeerRequestBody::Custom { .. }
        | PeerRequestBody::ChangeNobody
        | PeerRequestBody::Unusable { .. } => None,
    }
}

fn info(socket: RemoteSocket) -> SocketInfo {
    SocketInfo {
        id: socket.id.into(),
        handshake: socket.handshake_json.into(),
        rooms: socket.rooms,
        data: socket.data_json.into(),
    }
}
