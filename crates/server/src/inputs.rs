//! What HTTP connections ask of a shard's sessions, what other instances send it, and what other
//! threads call, carried out in a pass.

use std::collections::{HashMap, VecDeque};

use relay_hub::{Application, Body, Hub, Reply, Request};
use tokio::sync::oneshot::Sender;

use crate::http::close_politely;
use crate::mailbox::Input;
use crate::shard::Shard;

/// Sockets, HTTP connections, other instances, calls.
const SOURCES: usize = 4;

/// Requests on their way through a shard.
#[derive(Default)]
pub(crate) struct Requests {
    pub(crate) waiting: VecDeque<Input>,
    /// Who waits for the answer to a request, by its number.
    answers: HashMap<u64, Sender<Reply>>,
}

impl Requests {
    /// Hands an answer over; nobody may wait for it any more.
    pub(crate) fn answer(&mut self, number: u64, reply: Reply) {
        if let Some(answer) = self.answers.remove(&number) {
            let _ = answer.send(reply);
        }
    }
}

impl<A: Application> Shard<A> {
    /// Carries out inputs while the order has room for what they may cause. Where they come from has
    /// the first turn in turn: when there is little room, nobody starves the others.
    pub(crate) fn take_inputs(&mut self, hub: &mut Hub<A>, now: u64) {
        if !self.wanted {
            return self.read_some(hub, now);
        }
        self.shared.mailboxes[self.index].take_inputs(&mut self.requests.waiting);
        self.first_source = (self.first_source + 1) % SOURCES;
        for source in 0..SOURCES {
            match (self.first_source + source) % SOURCES {
                0 => self.take_requests(hub, now),
                1 => self.take_remotes(hub, now),
                2 => self.take_calls(hub, now),
                _ => self.read_some(hub, now),
            }
        }
    }

    fn take_requests(&mut self, hub: &mut Hub<A>, now: u64) {
        for _ in 0..self.requests.waiting.len().min(self.shared.limits().reads_per_pass) {
            if !hub.may_read() {
                return;
            }
            let Some(input) = self.requests.waiting.pop_front() else { return };
            self.take_input(hub, now, input);
            self.carry_out(hub);
        }
    }

    fn take_remotes(&mut self, hub: &mut Hub<A>, now: u64) {
        for _ in 0..self.shared.limits().reads_per_pass {
            if !hub.may_read() {
                return;
            }
            let Some((remote, expected)) = self.shared.inboxes[self.index].take() else { return };
            hub.remote(now, remote);
            // It has its place in the order, which expects the same.
            drop(expected);
            self.carry_out(hub);
        }
    }

    fn take_calls(&mut self, hub: &mut Hub<A>, now: u64) {
        for _ in 0..self.shared.limits().reads_per_pass {
            if !hub.may_read() {
                return;
            }
            let Some(call) = self.calls[self.index].take() else { return };
            call(hub, now);
            self.carry_out(hub);
        }
    }

    fn take_input(&mut self, hub: &mut Hub<A>, now: u64, input: Input) {
        match input {
            Input::Open { handshake, answer } => {
                let (session, packet) = hub.open_polling(now, handshake);
                // Who asked may be gone: the session then ends for want of a pong.
                let _ = answer.send((session, packet));
            }
            Input::Request { session, eio_matches, number, request, answer } => {
                // Its time may be over though its timer has yet to fire. After a stall it is not:
                // the pong may be behind this very request.
                if request == Request::Get && !self.is_late(now) {
                    hub.judge(now, session);
                }
                self.requests.answers.insert(number, answer);
                hub.request(now, session, eio_matches, (number, request));
            }
            Input::Body { session, number, body } => {
                let body = body.as_ref().map_or(Body::TooLarge, |body| Body::Whole(body));
                hub.post(now, session, number, &body);
            }
            Input::Aborted { session, number } => {
                self.requests.answers.remove(&number);
                hub.request_aborted(now, session, number);
            }
            Input::MayProbe { session, eio_matches, answer } => {
                let _ = answer.send(hub.may_probe(session, eio_matches));
            }
            Input::Probe { session, upgraded } => match hub.probe(now, session) {
                Some(key) => self.attach(hub, now, key, upgraded),
                None => {
                    let patience = self.shared.limits().close_timeout;
                    self.tasks.spawn_local(close_politely(upgraded, patience));
                }
            },
        }
    }
}
