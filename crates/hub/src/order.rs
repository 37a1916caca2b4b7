//! The one order of an instance: every broadcast takes a place in it, every shard walks it.
//!
//! A linked log. Its end is guarded by a lock that covers two pointer writes: no I/O, no encoding,
//! no waking, no waiting. Each shard owns a [`Cursor`]; a place is freed by the last cursor that
//! leaves it, and with it the credit of the shard that took it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::memory::MemoryBudget;

/// What one shard may still place before the others have caught up.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    outstanding_bytes: AtomicUsize,
    /// The shard does not read, and wants to be woken when a place of its own is freed.
    waiting: AtomicBool,
}

impl Credit {
    pub(crate) fn outstanding_bytes(&self) -> usize {
        self.outstanding_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn wait(&self) {
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Whether somebody waited; nobody does afterwards.
    pub(crate) fn wake(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) && self.waiting.swap(false, Ordering::SeqCst)
    }
}

/// The bytes of one place, charged to the shard that took it and to the process.
#[derive(Debug)]
struct Charge {
    bytes: usize,
    credit: Arc<Credit>,
    memory: Arc<MemoryBudget>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.credit.outstanding_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.memory.sub(self.bytes);
    }
}

#[derive(Debug)]
struct Place<T> {
    entry: T,
    _charge: Charge,
    next: Arc<Node<T>>,
}

/// A place that is taken, or the free one at the end.
#[derive(Debug)]
pub(crate) struct Node<T>(OnceLock<Place<T>>);

impl<T> Node<T> {
    fn free() -> Arc<Self> {
        Arc::new(Self(OnceLock::new()))
    }

    /// The entry at this place, once somebody took it.
    pub(crate) fn entry(&self) -> Option<&T> {
        self.0.get().map(|place| &place.entry)
    }
}

impl<T> Drop for Node<T> {
    /// Frees a run of places in a loop: a shard that ends far behind must not recurse.
    fn drop(&mut self) {
        let mut place = self.0.take();
        while let Some(taken) = place {
            place = match Arc::into_inner(taken.next) {
                Some(mut next) => next.0.take(),
                None => None,
            };
        }
    }
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Order<T> {
    end: Mutex<Arc<Node<T>>>,
    memory: Arc<MemoryBudget>,
}

impl<T> Order<T> {
    pub(crate) fn new(memory: Arc<MemoryBudget>) -> Self {
        Self { end: Mutex::new(Node::free()), memory }
    }

    /// Takes the next place for `entry`, which costs `bytes` of `credit` until every cursor has
    /// left it, and returns it.
    pub(crate) fn place(&self, entry: T, bytes: usize, credit: &Arc<Credit>) -> Arc<Node<T>> {
        credit.outstanding_bytes.fetch_add(bytes, Ordering::SeqCst);
        self.memory.add(bytes);
        let charge = Charge { bytes, credit: credit.clone(), memory: self.memory.clone() };
        let next = Node::free();
        let place = Place { entry, _charge: charge, next: next.clone() };
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::replace(&mut *end, next);
        // The end is free by construction; the lock makes this the only writer.
        let _ = taken.0.set(place);
        taken
    }

    /// A cursor at the end: it will see what is placed from now on.
    pub(crate) fn cursor(&self) -> Cursor<T> {
        Cursor(self.end.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// One shard's position in the log.
#[derive(Debug)]
pub(crate) struct Cursor<T>(Arc<Node<T>>);

impl<T> Cursor<T> {
    /// Steps over the next taken place and returns it; dropping the result leaves the place.
    pub(crate) fn advance(&mut self) -> Option<Arc<Node<T>>> {
        let next = self.0.0.get()?.next.clone();
        Some(std::mem::replace(&mut self.0, next))
    }
}

#[cfg(test)]
mod tests {
    use super::{Credit, Order};
    use crate::memory::MemoryBudget;
    use std::sync::Arc;

    fn order() -> (Order<u32>, Arc<Credit>) {
        (Order::new(Arc::new(MemoryBudget::new(1 << 20))), Arc::default())
    }

    #[test]
    fn every_cursor_sees_every_entry_in_one_order() {
        let (order, credit) = order();
        let mut cursors = [order.cursor(), order.cursor()];
        for n in 0..100 {
            order.place(n, 10, &credit);
        }
        for cursor in &mut cursors {
            let seen: Vec<_> =
                std::iter::from_fn(|| cursor.advance().and_then(|node| node.entry().copied()))
                    .collect();
            assert_eq!(seen, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_last_cursor_frees_the_credit() {
        let (order, credit) = order();
        let (mut first, mut second) = (order.cursor(), order.cursor());
        order.place(1, 1_000, &credit);
        assert_eq!(credit.outstanding_bytes(), 1_000);
        drop(first.advance());
        assert_eq!(credit.outstanding_bytes(), 1_000, "the second cursor has not been there");
        credit.wait();
        drop(second.advance());
        assert_eq!(credit.outstanding_bytes(), 0);
        assert!(credit.wake() && !credit.wake());
    }

    #[test]
    fn a_cursor_far_behind_is_dropped_without_recursion() {
        let (order, credit) = order();
        let cursor = order.cursor();
        for n in 0..1_000_000 {
            order.place(n, 0, &credit);
        }
        drop(cursor);
    }
}
