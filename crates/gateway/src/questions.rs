//! Questions of the program to clients and instances that wait for their answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use relay_hub::{Answers, EmitError, SocketInfo};

/// What became of a question.
#[derive(Debug)]
pub enum Told {
    /// What clients answered to an event.
    Answers(Answers),
    /// Which sockets there are.
    Sockets {
        /// What is known of each.
        sockets: Vec<SocketInfo>,
        /// Whether every instance said all that it knows in time.
        complete: bool,
    },
    /// How many sockets there are.
    Count {
        /// How many.
        sockets: u64,
        /// Whether every instance told of all of its own in time.
        complete: bool,
    },
    /// It could not be asked.
    Failed(EmitError),
}

type Then = Box<dyn FnOnce(Told) + Send>;

/// Whoever waits for an answer, by the number of the question. They are as many as the hubs let
/// questions be under way, and calls wait for shards.
#[derive(Default)]
pub struct Questions {
    waiting: Mutex<HashMap<u64, Then>>,
    made: AtomicU64,
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Questions")
    }
}

impl Questions {
    /// The number of a question; `then` is told what becomes of it, on the thread of a shard.
    pub fn expect(&self, then: impl FnOnce(Told) + Send + 'static) -> u64 {
        let token = self.made.fetch_add(1, Ordering::Relaxed);
        self.waiting().insert(token, Box::new(then));
        token
    }

    /// Tells whoever waits, if somebody still does.
    pub fn settle(&self, token: u64, told: Told) {
        let then = self.waiting().remove(&token);
        if let Some(then) = then {
            then(told);
        }
    }

    /// Nobody is told.
    pub fn forget(&self, token: u64) {
        let then = self.waiting().remove(&token);
        drop(then);
    }

    /// Nobody is told of any: there is nobody left who could answer.
    pub fn forget_all(&self) {
        let all = std::mem::take(&mut *self.waiting());
        drop(all);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Then>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
