//! Answers that are collected: from the receivers of a broadcast, from the shards that have sockets
//! of an audience, from other instances.
//!
//! A collector lives on the shard where its question was asked or arrived, until the answer is whole
//! or its time is over. The application's questions end as a happening, those of other instances as
//! an answer through the port. Does not own who asks, nor how a shard finds its part.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use crate::acks::Outcome;
use crate::application::{AckValue, Answers};
use crate::cluster::{Asker, Others, Question, Response, SocketInfo};
use crate::core::{Core, Timer, millis};
use crate::memory::Held;
use crate::room::Room;

/// Who gets the answer.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// The application of this shard, which calls the question by a token.
    Application(u64),
    /// Another instance.
    Asker(Asker),
}

/// What has come in so far.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// Acknowledgements of sockets, or answers of applications.
    Acks { asked: u32, answered: u32, answers: Vec<AckValue> },
    /// Sockets.
    Sockets { sockets: Vec<SocketInfo>, is_cut: bool },
    /// How many sockets there are.
    Count { sockets: u64, is_partial: bool },
    /// Sockets, of whom only the rooms are asked.
    Rooms { sockets: Vec<SocketInfo> },
}

impl Gathered {
    pub(crate) fn no_acks() -> Self {
        Self::Acks { asked: 0, answered: 0, answers: Vec::new() }
    }

    pub(crate) fn no_sockets() -> Self {
        Self::Sockets { sockets: Vec::new(), is_cut: false }
    }

    pub(crate) fn no_count() -> Self {
        Self::Count { sockets: 0, is_partial: false }
    }

    /// Adds a part of a count.
    fn count(&mut self, more: u64, is_whole: bool) {
        if let Self::Count { sockets, is_partial } = self {
            *sockets = sockets.saturating_add(more);
            *is_partial |= !is_whole;
        }
    }
}

/// One question and what was answered to it.
#[derive(Debug)]
pub(crate) struct Collector {
    whose: Whose,
    /// Shards that have not said their part.
    shards_left: usize,
    /// Other instances that will say theirs, once that is known, and how many did.
    others: Option<u32>,
    others_heard: u32,
    /// What the port said of them, if they were asked.
    asked_others: Option<Others>,
    gathered: Gathered,
    bytes: usize,
}

impl Collector {
    /// Bytes of answers, as charged to the memory budget.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_complete(&self) -> bool {
        let is_answered = match &self.gathered {
            Gathered::Acks { asked, answered, .. } => answered >= asked,
            Gathered::Sockets { .. } | Gathered::Count { .. } | Gathered::Rooms { .. } => true,
        };
        let others = self.others.is_some_and(|others| self.others_heard >= others);
        is_answered && others && self.shards_left == 0
    }
}

impl<D> Core<D> {
    /// A collector for a question, whose number is returned; `None` if there are too many. Every
    /// shard has a part in the answer if the namespace exists here.
    pub(crate) fn collect(
        &mut self,
        whose: Whose,
        gathered: Gathered,
        exists: bool,
    ) -> Option<u64> {
        let limits = self.instance.limits();
        let (others, under_way, max) = match whose {
            Whose::Application(_) => {
                let own = self.collectors.len() - self.questions;
                (None, own, limits.broadcast_acks_max)
            }
            Whose::Asker(_) => (Some(0), self.questions, limits.remote_questions_max),
        };
        if under_way >= max {
            return None;
        }
        let request = self.collectors_made;
        self.collectors_made += 1;
        self.questions += usize::from(matches!(whose, Whose::Asker(_)));
        let shards_left = if exists { self.instance.shards() } else { 0 };
        let collector = Collector {
            whose,
            shards_left,
            others,
            others_heard: 0,
            asked_others: None,
            gathered,
            bytes: 0,
        };
        self.collectors.insert(request, collector);
        Some(request)
    }

    fn take_collector(&mut self, request: u64) -> Option<Collector> {
        let collector = self.collectors.remove(&request)?;
        self.memory.sub(Held::Answers, collector.bytes);
        self.questions -= usize::from(matches!(collector.whose, Whose::Asker(_)));
        if collector.asked_others == Some(Others::Awaited) {
            self.cluster.0.done(request);
        }
        Some(collector)
    }

    /// Asks the other instances too, and gives the question its time.
    pub(crate) fn ask_others(
        &mut self,
        namespace: &str,
        request: u64,
        question: Option<&Question>,
        timeout: Duration,
    ) {
        let others = question.map(|it| self.cluster.0.ask(namespace, request, it, timeout));
        if let Some(collector) = self.collectors.get_mut(&request) {
            collector.asked_others = others;
            match others {
                None | Some(Others::Nobody | Others::Unreached) => collector.others = Some(0),
                Some(Others::Awaited) => {}
            }
        }
        let due = self.now.saturating_add(millis(timeout));
        self.timers.push(Reverse((due, Timer::Collector(request))));
        self.finish_if_complete(request);
    }

    /// A shard says how many of its sockets were asked.
    pub(crate) fn ack_asked(&mut self, request: u64, sockets: u32) {
        let Some(collector) = self.collectors.get_mut(&request) else { return };
        collector.shards_left = collector.shards_left.saturating_sub(1);
        let Gathered::Acks { asked, .. } = &mut collector.gathered else { return };
        *asked = asked.saturating_add(sockets);
        if let (Whose::Asker(asker), 0) = (&collector.whose, collector.shards_left) {
            self.cluster.0.answer(asker, Response::Receivers(*asked));
        }
        self.finish_if_complete(request);
    }

    /// One socket answered, or an application did. Late answers find no collector.
    pub(crate) fn ack_answered(&mut self, request: u64, answer: AckValue) {
        let max = self.limits().broadcast_ack_bytes_max;
        let Some(collector) = self.collectors.get_mut(&request) else { return };
        let Gathered::Acks { answered, answers, .. } = &mut collector.gathered else { return };
        *answered = answered.saturating_add(1);
        if let Whose::Asker(asker) = &collector.whose {
            self.cluster.0.answer(asker, Response::Ack(answer));
        } else if collector.bytes + answer.bytes() > max {
            self.stats.ack_answers_dropped.add(1);
        } else {
            collector.bytes += answer.bytes();
            self.memory.add(Held::Answers, answer.bytes());
            answers.push(answer);
        }
        self.finish_if_complete(request);
    }

    /// A shard, or another instance, says which of its sockets are in the audience.
    fn sockets_found(&mut self, request: u64, found: Vec<SocketInfo>, cut: bool) {
        let max = self.limits().fetch_bytes_max;
        let Some(collector) = self.collectors.get_mut(&request) else { return };
        let mut left_out = cut;
        if let Gathered::Sockets { sockets, .. } | Gathered::Rooms { sockets } =
            &mut collector.gathered
        {
            for socket in found {
                let bytes = socket.bytes();
                if collector.bytes + bytes > max {
                    left_out = true;
                    break;
                }
                collector.bytes += bytes;
                self.memory.add(Held::Answers, bytes);
                sockets.push(socket);
            }
        }
        if left_out && let Gathered::Sockets { is_cut, .. } = &mut collector.gathered {
            *is_cut = true;
        }
        self.stats.fetches_cut.add(u64::from(left_out));
    }

    /// The same of a shard of this instance.
    pub(crate) fn shard_found(&mut self, request: u64, found: Vec<SocketInfo>, is_cut: bool) {
        self.sockets_found(request, found, is_cut);
        if let Some(collector) = self.collectors.get_mut(&request) {
            collector.shards_left = collector.shards_left.saturating_sub(1);
        }
        self.finish_if_complete(request);
    }

    /// A shard of this instance says how many of its sockets are in the audience.
    pub(crate) fn shard_counted(&mut self, request: u64, sockets: u32) {
        if let Some(collector) = self.collectors.get_mut(&request) {
            collector.gathered.count(u64::from(sockets), true);
            collector.shards_left = collector.shards_left.saturating_sub(1);
        }
        self.finish_if_complete(request);
    }

    /// A part of the answer to a question of this shard came from elsewhere. What does not belong to
    /// the question counts as nothing.
    pub(crate) fn response(&mut self, request: u64, response: Response) {
        let Some(collector) = self.collectors.get_mut(&request) else { return };
        if matches!(collector.whose, Whose::Asker(_)) {
            return;
        }
        // Each of the others has one part, beside acknowledgements.
        let is_part = !matches!(response, Response::Instances(_) | Response::Ack(_));
        if is_part && collector.others.is_some_and(|others| collector.others_heard >= others) {
            return;
        }
        match (response, &mut collector.gathered) {
            (Response::Instances(others), _) => collector.others = Some(others),
            (Response::Receivers(sockets), Gathered::Acks { asked, .. }) => {
                *asked = asked.saturating_add(sockets);
                collector.others_heard += 1;
            }
            (Response::Ack(answer), Gathered::Acks { .. }) => {
                return self.ack_answered(request, answer);
            }
            (Response::ServerSide(answer), Gathered::Acks { asked, .. }) => {
                *asked = asked.saturating_add(1);
                collector.others_heard += 1;
                let answer = answer.map_or_else(AckValue::null, AckValue::json);
                return self.ack_answered(request, answer);
            }
            (Response::Sockets(found), Gathered::Sockets { .. }) => {
                collector.others_heard += 1;
                self.sockets_found(request, found, false);
            }
            (Response::Count { sockets, complete }, gathered @ Gathered::Count { .. }) => {
                gathered.count(sockets, complete);
                collector.others_heard += 1;
            }
            (
                Response::Receivers(_)
                | Response::Ack(_)
                | Response::ServerSide(_)
                | Response::Sockets(_)
                | Response::Count { .. }
                | Response::Rooms(_),
                Gathered::Acks { .. }
                | Gathered::Sockets { .. }
                | Gathered::Count { .. }
                | Gathered::Rooms { .. },
            ) => return,
        }
        self.finish_if_complete(request);
    }

    fn finish_if_complete(&mut self, request: u64) {
        if self.collectors.get(&request).is_some_and(Collector::is_complete) {
            self.finish(request);
        }
    }

    /// The collector is done, complete or out of time.
    pub(crate) fn finish(&mut self, request: u64) {
        let Some(collector) = self.take_collector(request) else { return };
        let mut complete =
            collector.is_complete() && collector.asked_others != Some(Others::Unreached);
        match (collector.whose, collector.gathered) {
            (Whose::Application(token), Gathered::Acks { asked, answers, .. }) => {
                complete &= answers.len() == asked as usize;
                let answers = Answers { answers, asked, complete };
                self.outcomes.push_back(Outcome::Broadcast { token, answers });
            }
            (Whose::Application(token), Gathered::Sockets { sockets, is_cut }) => {
                complete &= !is_cut;
                self.outcomes.push_back(Outcome::Fetched { token, sockets, complete });
            }
            (Whose::Application(token), Gathered::Count { sockets, is_partial }) => {
                complete &= !is_partial;
                self.outcomes.push_back(Outcome::Counted { token, sockets, complete });
            }
            // No application asks for rooms.
            (Whose::Application(_), Gathered::Rooms { .. }) => {}
            (Whose::Asker(asker), Gathered::Acks { asked, .. }) => {
                // The count was told when the last shard said its part.
                if collector.shards_left > 0 {
                    self.cluster.0.answer(&asker, Response::Receivers(asked));
                }
            }
            (Whose::Asker(asker), Gathered::Sockets { sockets, .. }) => {
                self.cluster.0.answer(&asker, Response::Sockets(sockets));
            }
            (Whose::Asker(asker), Gathered::Count { sockets, .. }) => {
                self.cluster.0.answer(&asker, Response::Count { sockets, complete });
            }
            (Whose::Asker(asker), Gathered::Rooms { sockets }) => {
                self.cluster.0.answer(&asker, Response::Rooms(rooms_of(sockets)));
            }
        }
    }
}

/// The rooms that sockets are in, each once.
fn rooms_of(sockets: Vec<SocketInfo>) -> Vec<Room> {
    let mut seen = HashSet::new();
    let mut rooms: Vec<_> = sockets.into_iter().flat_map(|socket| socket.rooms).collect();
    rooms.retain(|room| seen.insert(room.clone()));
    rooms
}
