//! Events that the application wants to think about: what their connection says next waits for
//! them, and nobody else does.
//!
//! A connection with such an event is not read, and its time-outs stand still. What it had sent
//! already waits here, bounded by one read; the rest holds its sender back.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::application::{Application, Happening, SocketKey, Ticket};
use crate::connection::{Stage, Transport};
use crate::context::Context;
use crate::core::{Core, Timer, millis};
use crate::hub::Hub;
use crate::memory::Held;
use crate::reason::EndReason;
use crate::slots::Key;

/// An event that the application has yet to go on with.
#[derive(Debug)]
pub(crate) struct Deferral {
    number: u64,
    socket: SocketKey,
    token: u64,
    /// What the application keeps of it, in bytes.
    kept: usize,
    /// What was read behind it, if anything was.
    stash: Option<Vec<u8>>,
}

impl<A: Application> Hub<A> {
    /// Goes on with an event that was [deferred](Context::defer): `act` does what it leads to, then
    /// the connection is read again. Without effect if that is out of time, or the connection gone.
    pub fn resume(
        &mut self,
        now: u64,
        ticket: Ticket,
        act: impl FnOnce(&mut Context<'_, A::Data>),
    ) {
        let core = self.core();
        core.now = now;
        let Some(&key) = core.deferrals.get(&ticket.number) else { return };
        let Some(deferral) = core.take_deferral(ticket.number) else { return };
        self.core().cause = Some(key);
        let core = self.core();
        if catch_unwind(AssertUnwindSafe(|| act(&mut Context { core }))).is_err() {
            self.core().stats.panics.add(1);
            self.core().end_connection(key, EndReason::HandlerPanic);
        }
        self.core().cause = None;
        self.settle();
        self.go_on(key, deferral.stash);
    }

    /// The application did not go on in time.
    pub(crate) fn deferral_timeout(&mut self, number: u64) {
        let Some(&key) = self.core().deferrals.get(&number) else { return };
        let Some(Deferral { socket, token, stash, .. }) = self.core().take_deferral(number) else {
            return;
        };
        self.core().stats.deferrals_overdue.add(1);
        self.tell(Some(key), Happening::Overdue { socket, token });
        self.settle();
        self.go_on(key, stash);
    }

    /// Works off what was read behind the event, up to the next one that is deferred.
    fn go_on(&mut self, key: Key, stash: Option<Vec<u8>>) {
        self.core().memory.sub(Held::Deferred, stash.as_ref().map_or(0, Vec::len));
        let Some(connection) = self.core().connections.get(key) else { return };
        let is_polling = matches!(connection.transport, Some(Transport::Polling(_)));
        self.core().cause = Some(key);
        if is_polling {
            let read = match stash {
                // It was part of a text.
                Some(rest) => self.read_payload(key, &String::from_utf8_lossy(&rest)),
                None => Ok(()),
            };
            self.core().cause = None;
            if let Some(number) = self.core().take_held_post(key) {
                self.posted(key, number, read);
            }
        } else if let Some(mut rest) = stash {
            self.read(key, &mut rest);
        }
        self.core().cause = None;
        self.settle();
        self.core().account_partial(key);
        self.core().hold_if_heavy(key);
        self.core().read_if_free(key);
        self.core().schedule(key);
    }
}

impl<D> Core<D> {
    /// Defers what the connection of a socket says next. `None` if that is so already, or if too
    /// many events of the shard are deferred.
    pub(crate) fn defer(&mut self, socket: SocketKey, token: u64, kept: usize) -> Option<Ticket> {
        let key = self.socket(socket)?.connection;
        let (max, timeout) = (self.limits().decisions_max, self.limits().decision_timeout);
        let now = self.now;
        let connection = self.connections.get_mut(key)?;
        if connection.deferral.is_some() || connection.stage != Stage::Open {
            return None;
        }
        if self.deferrals.len() >= max {
            self.stats.deferrals_refused.add(1);
            return None;
        }
        let number = self.tickets_made;
        self.tickets_made += 1;
        let deferral = Deferral { number, socket, token, kept, stash: None };
        connection.deferral = Some(Box::new(deferral));
        self.memory.add(Held::Deferred, kept);
        if !connection.held {
            connection.hold(now);
            self.outputs.push_back(crate::hub::Output::Hold(key));
        }
        self.deferrals.insert(number, key);
        self.stats.deferrals.set(self.deferrals.len() as u64);
        self.timers.push(Reverse((now + millis(timeout), Timer::Deferral(number))));
        Some(Ticket { shard: self.shard, number })
    }

    pub(crate) fn is_deferred(&self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|connection| connection.deferral.is_some())
    }

    /// Keeps what was read behind a deferred event.
    pub(crate) fn stash(&mut self, key: Key, rest: &[u8]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Some(deferral) = &mut connection.deferral {
            deferral.stash.get_or_insert_default().extend_from_slice(rest);
            self.memory.add(Held::Deferred, rest.len());
        }
    }

    fn take_deferral(&mut self, number: u64) -> Option<Deferral> {
        let key = self.deferrals.remove(&number)?;
        self.stats.deferrals.set(self.deferrals.len() as u64);
        let deferral = *self.connections.get_mut(key)?.deferral.take()?;
        self.memory.sub(Held::Deferred, deferral.kept);
        Some(deferral)
    }

    /// Nobody waits for the event of a connection that ends.
    pub(crate) fn forget_deferral(&mut self, key: Key) {
        let deferral = self.connections.get_mut(key).and_then(|it| it.deferral.take());
        if let Some(deferral) = deferral {
            self.deferrals.remove(&deferral.number);
            self.stats.deferrals.set(self.deferrals.len() as u64);
            self.memory
                .sub(Held::Deferred, deferral.kept + deferral.stash.map_or(0, |stash| stash.len()));
        }
    }

    /// Reads a connection again if nothing speaks against it any more.
    pub(crate) fn read_if_free(&mut self, key: Key) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.held || connection.heavy || connection.deferral.is_some() {
            return;
        }
        connection.release(now);
        self.outputs.push_back(crate::hub::Output::Read(key));
        self.release_post(key);
        self.schedule(key);
    }
}
