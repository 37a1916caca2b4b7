//! Questions of this instance that are under way: whose answer an id is about.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::classic::ShortId;

/// Who waits for answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Waiting {
    pub(super) shard: usize,
    /// The shard's number for its question.
    pub(super) request: u64,
}

/// What is made of the answers to a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// What they tell.
    Contents,
    /// A number: of the sockets that they tell of, where they do not give one.
    Count,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<ShortId, (Waiting, Wanted, Instant)>,
    ids: HashMap<Waiting, ShortId>,
    /// By the time when they are over.
    due: BTreeSet<(Instant, ShortId)>,
}

impl Inner {
    fn remove(&mut self, id: ShortId) {
        let Some((waiting, _, due)) = self.waiting.remove(&id) else { return };
        self.ids.remove(&waiting);
        self.due.remove(&(due, id));
    }
}

#[derive(Debug)]
pub(super) struct Book {
    questions_max: usize,
    inner: Mutex<Inner>,
}

impl Book {
    pub(super) fn new(questions_max: usize) -> Self {
        Self { questions_max, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a question until it is struck out, or its time is over. False if there are too
    /// many.
    pub(super) fn enter(
        &self,
        id: ShortId,
        (waiting, wanted): (Waiting, Wanted),
        now: Instant,
        timeout: Duration,
    ) -> bool {
        let mut inner = self.lock();
        while let Some(&(due, oldest)) = inner.due.first()
            && due <= now
        {
            inner.remove(oldest);
        }
        if inner.waiting.len() >= self.questions_max
            || inner.waiting.contains_key(&id)
            || inner.ids.contains_key(&waiting)
        {
            return false;
        }
        // A time that no clock reaches is as long as a program runs.
        let due = now.checked_add(timeout).unwrap_or_else(|| now + LONGEST);
        inner.waiting.insert(id, (waiting, wanted, due));
        inner.ids.insert(waiting, id);
        inner.due.insert((due, id));
        true
    }

    /// Nobody waits for more answers.
    pub(super) fn strike(&self, waiting: Waiting) {
        let mut inner = self.lock();
        if let Some(id) = inner.ids.get(&waiting).copied() {
            inner.remove(id);
        }
    }

    /// Who waits for an answer with this id, and for what.
    pub(super) fn find(&self, id: &[u8], now: Instant) -> Option<(Waiting, Wanted)> {
        let id = ShortId::parse(id)?;
        let inner = self.lock();
        let (waiting, wanted, due) = inner.waiting.get(&id)?;
        (*due > now).then_some((*waiting, *wanted))
    }
}

/// The longest time that a question is remembered.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ShortId {
        ShortId::new([byte; 6])
    }

    fn waiting(byte: u8) -> Waiting {
        Waiting { shard: usize::from(byte), request: 7 }
    }

    /// Every other one counts.
    fn awaited(byte: u8) -> (Waiting, Wanted) {
        let wanted = if byte.is_multiple_of(2) { Wanted::Count } else { Wanted::Contents };
        (waiting(byte), wanted)
    }

    #[test]
    fn questions_are_known_until_their_time_is_over_and_bounded() {
        let (book, begun) = (Book::new(3), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let enter = |byte: u8, now, seconds| {
            book.enter(id(byte), awaited(byte), at(now), Duration::from_secs(seconds))
        };
        assert!(enter(1, 0, 10) && enter(2, 0, 2) && enter(3, 1, 10));
        assert!(!enter(4, 1, 10), "too many");
        assert_eq!(book.find(id(2).as_bytes(), at(1)), Some(awaited(2)));
        assert_eq!(book.find(id(2).as_bytes(), at(2)), None);
        assert!(enter(4, 2, 10), "one is over");
        assert!(!enter(5, 2, 10) && enter(5, 20, u64::MAX));
        assert_eq!(book.find(id(1).as_bytes(), at(20)), None);
        assert_eq!(book.find(b"nobody knows", at(20)), None);
        assert!(!enter(5, 20, 10), "the same id");
    }

    #[test]
    fn a_question_that_has_ended_leaves_its_place() {
        let (book, now) = (Book::new(2), Instant::now());
        let hour = Duration::from_secs(3_600);
        let enter = |byte: u8| book.enter(id(byte), awaited(byte), now, hour);
        for byte in 1..60 {
            assert!(enter(0) && enter(byte) && !enter(61));
            book.strike(waiting(0));
            assert_eq!(book.find(id(0).as_bytes(), now), None);
            assert_eq!(book.find(id(byte).as_bytes(), now), Some(awaited(byte)));
            book.strike(waiting(byte));
            book.strike(waiting(byte));
        }
        let inner = book.lock();
        assert_eq!((inner.waiting.len(), inner.ids.len(), inner.due.len()), (0, 0, 0));
    }
}
