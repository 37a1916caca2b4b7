//! Decisions that are made elsewhere: how they leave a shard, and how they come back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Poll, ready};
use std::thread;

use relay_hub::{Context, Refusal, Ticket};

use crate::client::Client;
use crate::hooks::Thought;

/// Something to be worked on elsewhere.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a shard is told of a decision that it waits for.
pub enum Outcome {
    /// A CONNECT was decided on.
    Decided(Result<Client, Refusal>),
    /// The program panicked while it decided on a CONNECT.
    Panicked,
    /// An event goes on, with what it leads to.
    Resumed(Resume),
}

/// What a deferred event leads to.
pub type Resume = Box<dyn FnOnce(&mut Context<'_, Client>) + Send>;

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Decided(_) => "Decided",
            Self::Panicked => "Panicked",
            Self::Resumed(_) => "Resumed",
        })
    }
}

/// Where the program's futures run, and the way back to the shards. Both return at once.
pub trait Background: Send + Sync {
    /// Works on something. What is never finished is out of time in the end.
    fn spawn(&self, work: Work);

    /// Tells a ticket's shard.
    fn tell(&self, ticket: Ticket, outcome: Outcome);
}

/// A thought whose panic is a value.
struct Caught<T, E>(Thought<T, E>);

impl<T, E> Future for Caught<T, E> {
    type Output = thread::Result<Result<T, E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        Poll::Ready(match polled {
            Ok(polled) => Ok(ready!(polled)),
            Err(panic) => Err(panic),
        })
    }
}

/// The outcome of a thought, or its panic.
pub(crate) async fn caught<T, E>(thought: Thought<T, E>) -> thread::Result<Result<T, E>> {
    Caught(thought).await
}

/// The shard panics in the place of the program: whoever caused it bears it there.
pub(crate) fn or_panic<T>(caught: thread::Result<T>) -> T {
    caught.unwrap_or_else(|panic| resume_unwind(panic))
}
