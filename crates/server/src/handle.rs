//! Reaching a running server's shards from any thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use relay_hub::{Application, Context, Hub, Refusal, Ticket};

use crate::Shared;

/// Something to be done on a shard.
type Call<A> = Box<dyn FnOnce(&mut Hub<A>, u64) + Send>;

/// What others want a shard to do.
pub(crate) struct Calls<A: Application>(Mutex<VecDeque<Call<A>>>);

impl<A: Application> Default for Calls<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Application> Calls<A> {
    pub(crate) fn take(&self) -> Option<Call<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// A shard has as much to do for others as it may; try again later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the shard has too much to do")
    }
}

impl std::error::Error for Busy {}

/// A way to a server's shards, for any thread. Cheap to clone.
pub struct Handle<A: Application> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) calls: Arc<[Calls<A>]>,
}

impl<A: Application> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), calls: self.calls.clone() }
    }
}

impl<A: Application> std::fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("shards", &self.calls.len()).finish_non_exhaustive()
    }
}

impl<A: Application> Handle<A> {
    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.calls.len()
    }

    /// Does something on a shard, soon: everything that the application itself could do there. A
    /// shard that does not exist does nothing.
    ///
    /// # Errors
    /// [`Busy`]: too many calls wait there already.
    pub fn call(
        &self,
        shard: usize,
        act: impl FnOnce(&mut Context<'_, A::Data>) + Send + 'static,
    ) -> Result<(), Busy> {
        let calls_max = self.shared.limits().calls_max;
        self.push(shard, calls_max, Box::new(|hub, now| hub.run(now, act)))
    }

    /// Tells a shard what was decided on a CONNECT. Never refused: the CONNECTs that wait for a
    /// decision are bounded.
    pub fn decide(&self, ticket: Ticket, decided: Result<A::Data, Refusal>)
    where
        A::Data: Send + 'static,
    {
        let decide: Call<A> = Box::new(move |hub, now| hub.decide(now, ticket, decided));
        let _ = self.push(ticket.shard, usize::MAX, decide);
    }

    /// Tells a shard that the application panicked while it thought about a CONNECT: that
    /// connection ends. Never refused.
    pub fn abandon(&self, ticket: Ticket) {
        let abandon: Call<A> = Box::new(move |hub, now| hub.abandon(now, ticket));
        let _ = self.push(ticket.shard, usize::MAX, abandon);
    }

    /// Goes on with an event that a shard's application deferred: `act` does what it leads to.
    /// Never refused: the events that are deferred are bounded.
    pub fn resume(
        &self,
        ticket: Ticket,
        act: impl FnOnce(&mut Context<'_, A::Data>) + Send + 'static,
    ) {
        let resume: Call<A> = Box::new(move |hub, now| hub.resume(now, ticket, act));
        let _ = self.push(ticket.shard, usize::MAX, resume);
    }

    fn push(&self, shard: usize, calls_max: usize, call: Call<A>) -> Result<(), Busy> {
        let Some(calls) = self.calls.get(shard) else { return Ok(()) };
        {
            let mut waiting = calls.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= calls_max {
                return Err(Busy);
            }
            waiting.push_back(call);
        }
        self.shared.mailboxes[shard].wake();
        Ok(())
    }
}
