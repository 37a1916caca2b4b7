//! One turn of a shard: what it waits for, and in which order it then works.
//!
//! Does not own what a pass does (`shard`), nor which task waits for what (`reactor`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake};
use std::time::{Duration, Instant};

use relay_hub::Application;

use super::{ACCEPT_PAUSE, DRAIN_STEP_MS, EVENTS_MAX, LAST_ANSWERS, LONGEST_SLEEP_MS, Shard};
use crate::connection::serve;
use crate::http::OpenSlot;
use crate::{Shared, reactor};

/// Wakes a shard for its tasks.
pub(super) struct Nudge {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    /// A task is to be run.
    pub(super) due: AtomicBool,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::SeqCst);
        self.shared.mailboxes[self.index].rouse();
    }
}

impl<A: Application> Shard<A> {
    /// Works until the server has ended.
    pub(super) fn run(&mut self) -> io::Result<()> {
        loop {
            let started = if self.run_tasks() { Instant::now() } else { self.asked };
            self.wanted |= self.shared.mailboxes[self.index].awake();
            let more = self.pass(started);
            let mut ended = Instant::now();
            let micros = u64::try_from((ended - started).as_micros()).unwrap_or(u64::MAX);
            self.shared.pulses[self.index].passed(self.shared.millis_at(ended), micros);
            if self.drained() {
                // Another shard may have taken a request since.
                self.shared.mailboxes[self.index].close();
                return Ok(());
            }
            // What was answered goes out before anything else is read.
            if self.run_tasks() {
                ended = Instant::now();
            }
            if !self.rest.is_empty() {
                // Work for many clients is under way: whoever else wants the core goes first.
                std::thread::yield_now();
            }
            self.ask_the_kernel(more, ended)?;
        }
    }

    /// The last answers are written by tasks that the shard must not outrun.
    pub(super) fn answer_the_last(&mut self) -> io::Result<()> {
        let until = Instant::now() + LAST_ANSWERS;
        loop {
            self.run_tasks();
            if !self.door.is_serving() || Instant::now() >= until {
                return Ok(());
            }
            let is_due = self.nudge.due.load(Ordering::SeqCst);
            let step = if is_due { 0 } else { DRAIN_STEP_MS };
            self.poll(Duration::from_millis(step))?;
        }
    }

    /// Runs the tasks of HTTP connections that have something to do; whether there are any.
    fn run_tasks(&mut self) -> bool {
        let due = self.nudge.due.swap(false, Ordering::Acquire);
        if due {
            // Those that are left when it has run for long enough have it woken again.
            let _ = Pin::new(&mut self.tasks).poll(&mut Context::from_waker(&self.waker));
        }
        due
    }

    /// Notes what the kernel has; waits for it, or for somebody else, if there is nothing to do.
    fn ask_the_kernel(&mut self, more: bool, now: Instant) -> io::Result<()> {
        let busy = more || self.knocks || !self.shared.mailboxes[self.index].may_sleep();
        // In this order: whoever has a task run afterwards finds the shard asleep.
        if busy || self.nudge.due.load(Ordering::SeqCst) {
            self.planned = self.shared.millis_at(now);
            self.poll(Duration::ZERO)
        } else {
            let patience = self.patience(now);
            self.poll(patience)
        }
    }

    /// How long there is nothing to do, unless somebody says something.
    fn patience(&mut self, at: Instant) -> Duration {
        let now = self.shared.millis_at(at);
        let due = self.hub.borrow().deadline().map(|due| due.saturating_sub(now));
        let longest = match self.shared.draining.get() {
            Some(_) => DRAIN_STEP_MS,
            None => LONGEST_SLEEP_MS,
        };
        let due = due.unwrap_or(u64::MAX).min(longest);
        self.planned = now + due;
        let due = Duration::from_millis(due);
        match [reactor::next_due(), self.accept_at].into_iter().flatten().min() {
            Some(next) => due.min(next.saturating_duration_since(at)),
            None => due,
        }
    }

    /// Notes which sockets have something, all of them, and accepts who knocks.
    fn poll(&mut self, patience: Duration) -> io::Result<()> {
        let mut patience = patience;
        loop {
            let polled = self.poll.poll(&mut self.events, Some(patience));
            // At once: whoever is woken by what follows need not wake the shard.
            self.wanted |= self.shared.mailboxes[self.index].awake();
            match polled {
                Ok(()) => self.asked = Instant::now(),
                // Stopped and gone on, perhaps: what the kernel has it did not say.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    patience = Duration::ZERO;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let hub = &mut *self.hub.borrow_mut();
            let mut seen = 0;
            for event in &self.events {
                seen += 1;
                if let Some(Some(peer)) = self.peers.get_mut(event.token().0) {
                    if event.is_writable() || event.is_error() {
                        hub.writable(peer.key);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        peer.unread = true;
                        peer.ending |= event.is_read_closed() || event.is_error();
                        if !peer.queued && !peer.held {
                            peer.queued = true;
                            self.to_read.push_back(peer.key);
                        }
                    }
                } else if event.token() == reactor::LISTENER {
                    self.knocks = true;
                } else {
                    reactor::announce(event);
                }
            }
            if seen < EVENTS_MAX {
                break;
            }
            patience = Duration::ZERO;
        }
        reactor::wake_due();
        self.accept();
        Ok(())
    }

    /// Accepts a bounded number of connections at a time, and waits when descriptors run out.
    fn accept(&mut self) {
        if self.accept_at.is_some_and(|at| Instant::now() >= at) {
            self.accept_at = None;
            self.knocks = true;
        }
        if !self.knocks {
            return;
        }
        let Some(listener) = &self.listener else { return self.knocks = false };
        for _ in 0..self.shared.limits().accepts_per_pass {
            match listener.accept() {
                Ok((stream, address)) => {
                    let slot = OpenSlot::take(&self.shared.stats);
                    let address = address.ip().to_canonical();
                    self.tasks.spawn_local(serve(self.door.clone(), stream, address, slot));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.knocks = false;
                    return;
                }
                Err(_) => {
                    self.shared.stats.accept_errors.fetch_add(1, Ordering::Relaxed);
                    self.knocks = false;
                    self.accept_at = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }
}
