//! What instances ask each other: the application's questions to all of them, and theirs to this
//! one.
//!
//! Owns the way of a question to all shards and to the port. What is answered comes together in the
//! collectors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::application::{Application, Happening, SocketKey};
use crate::broadcast::{Broadcast, Collect, EmitError, Work};
use crate::cluster::{Asker, Publication, Question, Remote, Response, SocketInfo};
use crate::collect::{Gathered, Whose};
use crate::context::Context;
use crate::core::{Core, millis};
use crate::hub::{Effect, Hub};
use crate::room::{Audience, Room};

/// The sockets that a question is about, found on this shard, and what was put together of them.
#[derive(Debug)]
pub(crate) struct Found {
    /// Who collects, and its number for the question.
    shard: usize,
    request: u64,
    sockets: std::vec::IntoIter<SocketKey>,
    infos: Vec<SocketInfo>,
    bytes: usize,
}

impl Found {
    pub(crate) fn new(shard: usize, request: u64, sockets: Vec<SocketKey>) -> Self {
        Self { shard, request, sockets: sockets.into_iter(), infos: Vec::new(), bytes: 0 }
    }
}

impl<D> Context<'_, D> {
    /// Like [`Self::broadcast_with_ack`], for a namespace by name: one that does not exist here may
    /// exist on other instances.
    ///
    /// # Errors
    /// Our limits on a message and on questions under way.
    pub fn broadcast_with_ack_to(
        &mut self,
        namespace: &str,
        broadcast: Broadcast,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        let index = self.core.look_up(namespace);
        self.core.ask_receivers((namespace, index), broadcast, timeout, token)
    }

    /// Asks all instances which sockets are in an audience, as it is at this place in the order; the
    /// outcome comes as [`Happening::Fetched`] with `token`, within `timeout`
    /// (`io.in(…).fetchSockets()`).
    ///
    /// # Errors
    /// [`EmitError::TooManyAcks`]: our limit on questions under way.
    pub fn fetch_sockets(
        &mut self,
        namespace: &str,
        audience: Audience,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        let index = self.core.look_up(namespace);
        let request = self.core.own_question(token, Gathered::no_sockets(), index.is_some())?;
        let question = Question::Sockets(audience);
        self.core.ask_others(namespace, request, Some(&question), timeout);
        if let (Some(index), Question::Sockets(audience)) = (index, question) {
            let work = Work::Find { shard: self.core.shard, request };
            self.core.place_search(index, audience, work);
        }
        Ok(())
    }

    /// Asks all instances how many sockets are in an audience, as it is at this place in the order;
    /// the outcome comes as [`Happening::Counted`] with `token`, within `timeout`. Nothing else is
    /// told of the sockets, so no bound of a fetch applies.
    ///
    /// # Errors
    /// [`EmitError::TooManyAcks`]: our limit on questions under way.
    pub fn count_sockets(
        &mut self,
        namespace: &str,
        audience: Audience,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        let index = self.core.look_up(namespace);
        let request = self.core.own_question(token, Gathered::no_count(), index.is_some())?;
        let question = Question::Count(audience);
        self.core.ask_others(namespace, request, Some(&question), timeout);
        if let (Some(index), Question::Count(audience)) = (index, question) {
            let work = Work::Count { shard: self.core.shard, request };
            self.core.place_search(index, audience, work);
        }
        Ok(())
    }

    /// Sends an event to the applications of the other instances (`io.serverSideEmit(…)`). `args` is
    /// a JSON array whose first element is its name.
    ///
    /// # Errors
    /// [`EmitError::TooLarge`].
    pub fn server_side_emit(&mut self, namespace: &str, args: &str) -> Result<(), EmitError> {
        self.core.check(args.len(), &[])?;
        self.core.cluster.publish(namespace, &Publication::ServerSideEvent(Arc::from(args)));
        Ok(())
    }

    /// The same, and collects what the other applications answer: the outcome comes as
    /// [`Happening::Acknowledged`] with `token`, within `timeout`.
    ///
    /// # Errors
    /// [`EmitError::TooLarge`], or our limit on questions under way.
    pub fn server_side_emit_with_ack(
        &mut self,
        namespace: &str,
        args: &str,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        self.core.check(args.len(), &[])?;
        let request = self.core.own_question(token, Gathered::no_acks(), false)?;
        let question = Question::ServerSideEvent(Arc::from(args));
        self.core.ask_others(namespace, request, Some(&question), timeout);
        Ok(())
    }

    /// Answers the [`Happening::ServerSideEvent`] that is being handled, with a JSON value. Without
    /// this its sender hears that there is no answer; only the first one counts.
    pub fn answer_server_side(&mut self, json: &[u8]) {
        self.core.event_answer.get_or_insert_with(|| Bytes::copy_from_slice(json));
    }
}

impl<A: Application> Hub<A> {
    /// Takes what comes from another instance. It is never published again. What is published, and
    /// broadcasts that are to be acknowledged, take their places in the order like everything else;
    /// namespaces that do not exist here have nobody, and their questions are answered all the same.
    /// What is beyond our bounds is counted and left out.
    pub fn remote(&mut self, now: u64, remote: Remote) {
        self.core().now = now;
        match remote {
            Remote::Publication { namespace, publication } => {
                self.remote_publication(&namespace, publication);
            }
            Remote::Question { namespace, asker, question, timeout } => {
                self.remote_question(&namespace, &asker, question, timeout);
            }
            Remote::Response { request, response } => self.core().response(request, response),
        }
        self.settle();
    }

    fn remote_publication(&mut self, namespace: &str, publication: Publication) {
        match publication {
            Publication::Broadcast(broadcast) => {
                if let Some(index) = self.core().look_up(namespace) {
                    _ = self.core().broadcast(index, broadcast, true);
                }
            }
            Publication::Bulk(bulk) => _ = self.core().bulk(namespace, bulk, true),
            Publication::ServerSideEvent(args) => self.server_side_event(namespace, &args, false),
        }
    }

    /// The application hears of an event of another one; its answer.
    fn server_side_event(&mut self, namespace: &str, args: &str, wants_answer: bool) {
        self.core().stats.server_side_events.add(1);
        self.core().event_answer = None;
        self.tell(None, Happening::ServerSideEvent { namespace, args, wants_answer });
    }

    fn remote_question(
        &mut self,
        namespace: &str,
        asker: &Asker,
        question: Question,
        timeout: Duration,
    ) {
        self.core().stats.remote_questions.add(1);
        let timeout = timeout.min(self.core().limits().remote_question_timeout);
        match question {
            Question::ServerSideEvent(args) => {
                self.server_side_event(namespace, &args, true);
                let answer = self.core().event_answer.take();
                self.core().cluster.0.answer(asker, Response::ServerSide(answer));
            }
            Question::Broadcast(broadcast) => {
                self.core().remote_broadcast(namespace, asker, broadcast, timeout);
            }
            Question::Sockets(audience) => {
                let gathered = Gathered::no_sockets();
                self.core().remote_fetch(namespace, asker, (audience, gathered), timeout);
            }
            Question::Count(audience) => {
                let gathered = Gathered::no_count();
                self.core().remote_fetch(namespace, asker, (audience, gathered), timeout);
            }
            Question::Rooms => {
                let gathered = Gathered::Rooms { sockets: Vec::new() };
                self.core().remote_fetch(namespace, asker, (Audience::all(), gathered), timeout);
            }
        }
    }

    /// Tells the collecting shards what is known of the sockets that were found here: of some, the
    /// rest waits for its slice.
    pub(crate) fn describe_some(&mut self) {
        let max = self.core().limits().fetch_bytes_max;
        let mut left = self.core().limits().fan_out_slice;
        while left > 0
            && let Some(mut found) = self.core().found.pop_front()
        {
            let mut is_cut = false;
            while left > 0
                && !is_cut
                && let Some(socket) = found.sockets.next()
            {
                left -= 1;
                let Some(info) = self.info(socket) else { continue };
                is_cut = found.bytes + info.bytes() > max;
                if !is_cut {
                    found.bytes += info.bytes();
                    found.infos.push(info);
                }
            }
            if is_cut || found.sockets.len() == 0 {
                let Found { shard, request, infos: sockets, .. } = found;
                self.core().tell(shard, Effect::Found { request, sockets, is_cut });
            } else {
                self.core().found.push_front(found);
            }
        }
    }

    /// What is known of a socket; `None` if it is gone.
    fn info(&mut self, key: SocketKey) -> Option<SocketInfo> {
        let (core, application) = self.parts();
        let socket = core.socket(key)?;
        let connection = core.connections.get(socket.connection)?;
        let handshake = format!("{{\"address\":\"{}\"}}", connection.handshake.address);
        let own = Room::Socket(socket.id);
        let others = core.namespaces[key.namespace].rooms_of(key.key).cloned();
        let rooms = std::iter::once(own).chain(others).collect();
        let told = catch_unwind(AssertUnwindSafe(|| application.socket_data(&socket.data)));
        let id = socket.id.to_string().into();
        if told.is_err() {
            core.stats.panics.add(1);
        }
        let data = told.ok().flatten().unwrap_or_else(|| "{}".to_owned());
        Some(SocketInfo { id, handshake: handshake.into(), rooms, data: data.into() })
    }
}

impl<D> Core<D> {
    /// A collector for a question of the application.
    pub(crate) fn own_question(
        &mut self,
        token: u64,
        gathered: Gathered,
        exists: bool,
    ) -> Result<u64, EmitError> {
        let made = self.collect(Whose::Application(token), gathered, exists);
        if made.is_none() {
            self.stats.acks_refused.add(1);
        }
        made.ok_or(EmitError::TooManyAcks)
    }

    /// A broadcast of the application, in a namespace by its name and its index here, whose
    /// receivers acknowledge.
    pub(crate) fn ask_receivers(
        &mut self,
        (name, index): (&str, Option<usize>),
        broadcast: Broadcast,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        self.check(broadcast.packet.args.len(), &broadcast.packet.attachments)?;
        let request = self.own_question(token, Gathered::no_acks(), index.is_some())?;
        let question = Question::Broadcast(broadcast);
        let crosses = matches!(&question, Question::Broadcast(it) if !it.local);
        self.ask_others(name, request, crosses.then_some(&question), timeout);
        if let (Some(index), Question::Broadcast(broadcast)) = (index, question) {
            let collect = self.collect_acks(index, request, timeout);
            self.stats.broadcasts.add(1);
            self.place_broadcast(index, broadcast, Some(collect));
        }
        Ok(())
    }

    fn collect_acks(&self, namespace: usize, request: u64, timeout: Duration) -> Collect {
        let id = self.namespaces[namespace].next_ack();
        let due = self.now.saturating_add(millis(timeout));
        Collect { id, shard: self.shard, request, due }
    }

    /// A broadcast of another instance, whose receivers acknowledge under an id of this instance's.
    fn remote_broadcast(
        &mut self,
        namespace: &str,
        asker: &Asker,
        broadcast: Broadcast,
        timeout: Duration,
    ) {
        let index = self.look_up(namespace);
        let whose = Whose::Asker(asker.clone());
        let is_sound =
            self.check(broadcast.packet.args.len(), &broadcast.packet.attachments).is_ok();
        let request = match index.filter(|_| is_sound) {
            Some(index) => {
                self.collect(whose, Gathered::no_acks(), true).map(|request| (index, request))
            }
            None => return self.cluster.0.answer(asker, Response::Receivers(0)),
        };
        let Some((index, request)) = request else {
            self.stats.remote_questions_refused.add(1);
            return self.cluster.0.answer(asker, Response::Receivers(0));
        };
        self.ask_others(namespace, request, None, timeout);
        let collect = self.collect_acks(index, request, timeout);
        self.stats.remote_broadcasts.add(1);
        self.place_broadcast(index, broadcast, Some(collect));
    }

    /// A question of another instance about the sockets of an audience.
    fn remote_fetch(
        &mut self,
        namespace: &str,
        asker: &Asker,
        (audience, gathered): (Audience, Gathered),
        timeout: Duration,
    ) {
        let counts = matches!(gathered, Gathered::Count { .. });
        // Of answers without anything only a count says that it is not the truth.
        let empty = |complete| match gathered {
            Gathered::Rooms { .. } => Response::Rooms(Vec::new()),
            Gathered::Count { .. } => Response::Count { sockets: 0, complete },
            Gathered::Sockets { .. } | Gathered::Acks { .. } => Response::Sockets(Vec::new()),
        };
        let (nobody, refused) = (empty(true), empty(false));
        let Some(index) = self.look_up(namespace) else {
            return self.cluster.0.answer(asker, nobody);
        };
        let Some(request) = self.collect(Whose::Asker(asker.clone()), gathered, true) else {
            self.stats.remote_questions_refused.add(1);
            return self.cluster.0.answer(asker, refused);
        };
        self.ask_others(namespace, request, None, timeout);
        let shard = self.shard;
        let work =
            if counts { Work::Count { shard, request } } else { Work::Find { shard, request } };
        self.place_search(index, audience, work);
    }

    /// Every shard looks for the sockets of an audience when it comes to this place in the order.
    fn place_search(&mut self, namespace: usize, audience: Audience, work: Work) {
        let bytes = audience.bytes();
        self.place(namespace, audience, work, bytes);
    }
}
