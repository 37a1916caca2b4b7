//! The open-loop schedule of one stream: when each of its messages is due, however slow the
//! server is.
//!
//! The schedule is a formula, not a timer that is restarted after each send: a generator that
//! was held up sends what it owes at once, and the latency of those messages counts from the
//! moment at which they should have left. Otherwise a stalled server would pause its own
//! measurement.

use crate::clock::{Nanos, SECOND};

/// How the messages of a stream are spread over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many messages a second in all, evenly spread, the senders taking turns.
    PerSecond(f64),
    /// So many messages a second in all, but all senders send at the same instants.
    Together(f64),
    /// As fast as the sender's socket takes them.
    FullSpeed,
}

/// One message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Index into the stream's senders.
    pub sender: usize,
    /// When it is to be sent.
    pub at: Nanos,
}

/// The schedule of those senders of a stream that one thread owns.
#[derive(Clone, Debug)]
pub struct Pacer {
    start: Nanos,
    end: Nanos,
    /// Time between two messages of one sender.
    period_ns: f64,
    /// Time between two senders of one round; 0 when they send together.
    stagger_ns: f64,
    /// The stream's senders which this thread owns, ascending.
    owned: Vec<usize>,
    /// Index into `owned`.
    turn: usize,
    round: u64,
}

impl Pacer {
    /// A schedule of `pace` from `start` until before `end`, for the `owned` ones of a stream's
    /// `senders`. A stream at full speed has no schedule: nothing is ever due.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a client count is below 2^53")]
    pub fn new(pace: Pace, senders: usize, owned: Vec<usize>, start: Nanos, end: Nanos) -> Self {
        let (rate, staggered) = match pace {
            Pace::PerSecond(rate) => (rate, true),
            Pace::Together(rate) => (rate, false),
            Pace::FullSpeed => (0.0, false),
        };
        let owned = if rate > 0.0 { owned } else { Vec::new() };
        let period_ns = senders as f64 * SECOND as f64 / rate;
        let stagger_ns = if staggered { SECOND as f64 / rate } else { 0.0 };
        Self { start, end, period_ns, stagger_ns, owned, turn: 0, round: 0 }
    }

    /// The next message, due or not yet; `None` when the schedule is over.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "nanoseconds of a run of hours fit a double's 53 bits; all terms are positive"
    )]
    pub fn next(&self) -> Option<Due> {
        let &sender = self.owned.get(self.turn)?;
        let offset = self.round as f64 * self.period_ns + sender as f64 * self.stagger_ns;
        let at = self.start.saturating_add(offset as u64);
        (at < self.end).then_some(Due { sender, at })
    }

    /// Takes the next message if it is due at `now`.
    pub fn take(&mut self, now: Nanos) -> Option<Due> {
        let due = self.next().filter(|due| due.at <= now)?;
        self.turn += 1;
        if self.turn == self.owned.len() {
            self.turn = 0;
            self.round += 1;
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn check(pace: Pace, senders: usize, owned: &[usize], seconds: u64, expected: &[(usize, u64)]) {
        let mut pacer = Pacer::new(pace, senders, owned.to_vec(), SECOND, SECOND * (1 + seconds));
        let mut taken = Vec::new();
        while let Some(due) = pacer.take(u64::MAX) {
            taken.push((due.sender, (due.at - SECOND) / MILLISECOND));
        }
        assert_eq!(taken, expected);
    }

    #[test]
    fn schedules() {
        check(Pace::PerSecond(4.0), 1, &[0], 1, &[(0, 0), (0, 250), (0, 500), (0, 750)]);
        check(Pace::PerSecond(4.0), 2, &[0, 1], 1, &[(0, 0), (1, 250), (0, 500), (1, 750)]);
        check(Pace::PerSecond(4.0), 2, &[1], 1, &[(1, 250), (1, 750)]);
        check(Pace::Together(4.0), 2, &[0, 1], 1, &[(0, 0), (1, 0), (0, 500), (1, 500)]);
        check(Pace::PerSecond(4.0), 2, &[], 1, &[]);
        check(Pace::FullSpeed, 1, &[0], 1, &[]);
        check(Pace::PerSecond(0.0), 1, &[0], 1, &[]);
    }

    #[test]
    fn what_was_missed_is_owed() {
        let mut pacer = Pacer::new(Pace::PerSecond(1000.0), 1, vec![0], 0, SECOND);
        assert_eq!(pacer.take(0), Some(Due { sender: 0, at: 0 }));
        assert_eq!(pacer.take(999_999), None);
        let owed = std::iter::from_fn(|| pacer.take(10 * MILLISECOND)).count();
        assert_eq!(owed, 10);
    }

    #[test]
    fn a_long_schedule_does_not_drift() {
        let mut pacer = Pacer::new(Pace::PerSecond(3.0), 1, vec![0], 0, 100_000 * SECOND);
        let count = std::iter::from_fn(|| pacer.take(u64::MAX)).count();
        assert_eq!(count, 300_000);
    }
}
