//! The queue between whoever says something and the thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::record::Record;

/// Bounded in bytes. No lock is held while anything is formatted or written.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something is there, or nothing more comes.
    filled: Condvar,
    /// The writer has ended.
    ended: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    /// Of what is in the queue, and of what the writer has taken and not written.
    bytes: usize,
    closing: bool,
    has_ended: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), ended: Condvar::new(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a record in; `false` if there is no room for it.
    pub(super) fn push(&self, record: Record) -> bool {
        let bytes = record.bytes();
        let mut state = self.lock();
        if state.closing || state.bytes + bytes > self.bytes_max {
            return false;
        }
        state.bytes += bytes;
        state.records.push_back(record);
        let is_first = state.records.len() == 1;
        drop(state);
        if is_first {
            self.filled.notify_one();
        }
        true
    }

    /// Waits until something is there, for `patience` at most, and swaps it for the empty `taken`.
    /// `false` if nothing more comes.
    pub(super) fn take(&self, taken: &mut VecDeque<Record>, patience: Duration) -> bool {
        let is_idle = |state: &mut State| state.records.is_empty() && !state.closing;
        let waited = self.filled.wait_timeout_while(self.lock(), patience, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut state.records, taken);
        !(state.closing && taken.is_empty())
    }

    /// What was taken is written, or lost.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// The writer ends.
    pub(super) fn end(&self) {
        self.lock().has_ended = true;
        self.ended.notify_all();
    }

    /// Takes nothing more; waits until the writer has ended, for `patience` at most.
    pub(super) fn close(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        state.closing = true;
        self.filled.notify_one();
        while !state.has_ended {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
