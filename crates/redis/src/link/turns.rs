//! That Redis goes and comes, told to whoever keeps records.
//!
//! Turns are told with a pause behind each: a link that flaps is told of no more often, and how it
//! stands in the end is always told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::State;
use super::stats::LinkStats;

/// Redis went, or came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is away.
    Down {
        /// What was seen last, in words. No secret is in it.
        error: Arc<str>,
    },
    /// It is there.
    Up {
        /// How often it was away since this was told last.
        outages: u64,
        /// How long, all of them together.
        away: Duration,
        /// Messages that were dropped meanwhile, or were on their way as it went.
        dropped: u64,
    },
}

/// What was told last, and what was counted when it was there.
#[derive(Default)]
struct Told {
    is_up: Option<bool>,
    outages: u64,
    away_us: u64,
    dropped: u64,
}

impl Told {
    /// What is to be told, if anything is.
    fn news(&mut self, state: &State, stats: &LinkStats) -> Option<Turn> {
        let read = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        match state {
            State::Connecting => None,
            State::Down { .. } if self.is_up == Some(false) => None,
            State::Down { error, .. } => {
                self.is_up = Some(false);
                Some(Turn::Down { error: error.clone() })
            }
            State::Up => {
                let now = Self {
                    is_up: Some(true),
                    outages: read(&stats.outages),
                    away_us: read(&stats.away_us),
                    dropped: read(&stats.dropped_away) + read(&stats.dropped_lost),
                };
                let before = std::mem::replace(self, now);
                let outages = self.outages - before.outages;
                (before.is_up != Some(true) || outages > 0).then(|| Turn::Up {
                    outages,
                    away: Duration::from_micros(self.away_us - before.away_us),
                    dropped: self.dropped - before.dropped,
                })
            }
        }
    }
}

/// Tells `take` of turns, as long as it is polled.
pub(super) async fn tell(
    mut state: watch::Receiver<State>,
    stats: Arc<LinkStats>,
    pause: Duration,
    mut take: impl FnMut(Turn),
) {
    let mut told = Told::default();
    loop {
        let now = state.borrow_and_update().clone();
        if let Some(turn) = told.news(&now, &stats) {
            take(turn);
            sleep(pause).await;
        } else if state.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn each_turn_is_told_once_and_what_went_unnoticed_with_the_next() {
        let (stats, mut told) = (LinkStats::default(), Told::default());
        let add = |outages, away_us, dropped| {
            stats.outages.fetch_add(outages, Ordering::Relaxed);
            stats.away_us.fetch_add(away_us, Ordering::Relaxed);
            stats.dropped_away.fetch_add(dropped, Ordering::Relaxed);
        };
        let down = State::Down { since: Instant::now(), error: "why".into() };
        let is_away = Some(Turn::Down { error: "why".into() });
        let is_there = |outages, away_us, dropped| {
            let away = Duration::from_micros(away_us);
            Some(Turn::Up { outages, away, dropped })
        };
        let mut news = |state: &State| told.news(state, &stats);
        assert_eq!(news(&State::Connecting), None);
        assert_eq!(news(&State::Up), is_there(0, 0, 0));
        assert_eq!(news(&State::Up), None);
        assert_eq!(news(&down), is_away);
        add(1, 500, 7);
        assert_eq!(news(&down), None, "another attempt failed");
        assert_eq!(news(&State::Up), is_there(1, 500, 7));
        add(2, 30, 1);
        assert_eq!(news(&State::Up), is_there(2, 30, 1), "nobody looked meanwhile");
        add(2, 20, 1);
        assert_eq!(news(&down), is_away);
        assert_eq!(news(&State::Up), is_there(2, 20, 1));
        assert_eq!(news(&State::Up), None);
    }
}
