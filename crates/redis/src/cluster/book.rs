//! Questions of this instance that are under way: whose answer an id is about.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::classic::ShortId;

/// Who waits for answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub(super) shard: usize,
    /// The shard's number for its question.
    pub(super) request: u64,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<ShortId, (Waiting, Instant)>,
    /// Ids in the order in which they were asked, for forgetting them.
    asked: VecDeque<ShortId>,
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

    /// Remembers a question for as long as its answers count. False if there are too many.
    pub(super) fn enter(
        &self,
        id: ShortId,
        waiting: Waiting,
        now: Instant,
        timeout: Duration,
    ) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { waiting: entries, asked } = &mut *inner;
        if entries.len() >= self.questions_max {
            entries.retain(|_, (_, due)| *due > now);
            asked.retain(|id| entries.contains_key(id));
        }
        while let Some(oldest) = asked.front()
            && entries.get(oldest).is_none_or(|(_, due)| *due <= now)
        {
            entries.remove(oldest);
            asked.pop_front();
        }
        if entries.len() >= self.questions_max || entries.contains_key(&id) {
            return false;
        }
        entries.insert(id, (waiting, now + timeout));
        asked.push_back(id);
        true
    }

    /// Who waits for an answer with this id.
    pub(super) fn find(&self, id: &[u8], now: Instant) -> Option<Waiting> {
        let id = ShortId::parse(id)?;
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (waiting, due) = inner.waiting.get(&id)?;
        (*due > now).then_some(*waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_known_until_their_time_is_over_and_bounded() {
        let (book, begun) = (Book::new(3), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let id = |byte| ShortId::new([byte; 6]);
        let enter = |byte: u8, now, seconds| {
            let waiting = Waiting { shard: usize::from(byte), request: 7 };
            book.enter(id(byte), waiting, at(now), Duration::from_secs(seconds))
        };
        assert!(enter(1, 0, 10) && enter(2, 0, 2) && enter(3, 1, 10));
        assert!(!enter(4, 1, 10), "too many");
        assert_eq!(book.find(id(2).as_bytes(), at(1)).map(|it| it.shard), Some(2));
        assert_eq!(book.find(id(2).as_bytes(), at(2)), None);
        assert!(enter(4, 2, 10), "one is over");
        assert!(!enter(5, 2, 10) && enter(5, 20, 10));
        assert_eq!(book.find(id(1).as_bytes(), at(20)), None);
        assert_eq!(book.find(b"nobody knows", at(20)), None);
        assert!(!enter(5, 20, 10), "the same id");
    }
}
