//! Reaching a running server's shards from any thread.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use relay_hub::{Application, Context, Hub, Limits, Refusal, Ticket};

use crate::Shared;

/// Something to be done on a shard.
type Call<A> = Box<dyn FnOnce(&mut Hub<A>, u64) + Send>;

/// What others want a shard to do.
pub(crate) struct Calls<A: Application>(Mutex<Waiting<A>>);

/// Calls, each with the bytes that it holds.
struct Waiting<A: Application> {
    calls: VecDeque<(Call<A>, usize)>,
    bytes: usize,
}

impl<A: Application> Default for Calls<A> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { calls: VecDeque::new(), bytes: 0 }))
    }
}

impl<A: Application> Calls<A> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, call: Call<A>, bytes: usize) {
        let mut waiting = self.waiting();
        waiting.bytes += bytes;
        waiting.calls.push_back((call, bytes));
    }

    /// The same within the bounds. The largest call fits alone.
    fn try_push(&self, call: Call<A>, bytes: usize, limits: &Limits) -> Result<(), Busy> {
        let mut waiting = self.waiting();
        let sum = waiting.bytes.saturating_add(bytes);
        let is_full = sum > limits.calls.bytes_max && waiting.bytes > 0;
        if is_full || waiting.calls.len() >= limits.calls.max {
            return Err(Busy);
        }
        waiting.bytes = sum;
        waiting.calls.push_back((call, bytes));
        Ok(())
    }

    pub(crate) fn take(&self) -> Option<Call<A>> {
        let mut waiting = self.waiting();
        let (call, bytes) = waiting.calls.pop_front()?;
        waiting.bytes -= bytes;
        Some(call)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().calls.is_empty()
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

    /// Bytes that calls hold while they wait for their shards.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.calls.iter().map(|calls| calls.waiting().bytes).sum()
    }

    /// Does something on a shard, soon: everything that the application itself could do there. A
    /// shard that does not exist does nothing.
    ///
    /// # Errors
    /// [`Busy`]: too many calls wait there already. It is counted.
    pub fn call(
        &self,
        shard: usize,
        act: impl FnOnce(&mut Context<'_, A::Data>) + Send + 'static,
    ) -> Result<(), Busy> {
        self.call_holding(shard, 0, act)
    }

    /// The same for what holds memory while it waits: `bytes`, beyond its own size. They count
    /// towards [`bytes_max`](relay_hub::CallLimits).
    ///
    /// # Errors
    /// [`Busy`]: too many calls wait there already, or they hold too much. It is counted.
    pub fn call_holding(
        &self,
        shard: usize,
        bytes: usize,
        act: impl FnOnce(&mut Context<'_, A::Data>) + Send + 'static,
    ) -> Result<(), Busy> {
        let Some(calls) = self.calls.get(shard) else { return Ok(()) };
        let bytes = bytes.saturating_add(size_of_val(&act));
        let call: Call<A> = Box::new(|hub, now| hub.run(now, act));
        let pushed = calls.try_push(call, bytes, self.shared.limits());
        match pushed {
            Ok(()) => self.shared.mailboxes[shard].wake(),
            Err(Busy) => drop(self.shared.stats.calls_refused.fetch_add(1, Ordering::Relaxed)),
        }
        pushed
    }

    /// Tells a shard what was decided on a CONNECT. Never refused: the CONNECTs that wait for a
    /// decision are bounded.
    pub fn decide(&self, ticket: Ticket, decided: Result<A::Data, Refusal>)
    where
        A::Data: Send + 'static,
    {
        let decide: Call<A> = Box::new(move |hub, now| hub.decide(now, ticket, decided));
        self.push(ticket.shard, decide);
    }

    /// Tells a shard that the application panicked while it thought about a CONNECT: that
    /// connection ends. Never refused.
    pub fn abandon(&self, ticket: Ticket) {
        let abandon: Call<A> = Box::new(move |hub, now| hub.abandon(now, ticket));
        self.push(ticket.shard, abandon);
    }

    /// Goes on with an event that a shard's application deferred: `act` does what it leads to.
    /// Never refused: the events that are deferred are bounded.
    pub fn resume(
        &self,
        ticket: Ticket,
        act: impl FnOnce(&mut Context<'_, A::Data>) + Send + 'static,
    ) {
        let resume: Call<A> = Box::new(move |hub, now| hub.resume(now, ticket, act));
        self.push(ticket.shard, resume);
    }

    /// Whatever waits there already.
    fn push(&self, shard: usize, call: Call<A>) {
        if let Some(calls) = self.calls.get(shard) {
            calls.push(call, 0);
            self.shared.mailboxes[shard].wake();
        }
    }
}
