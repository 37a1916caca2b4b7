//! The heartbeat of one connection as seen by the server (Engine.IO v4).
//!
//! Owns when a ping is due and when the peer is gone. Does not own a clock: times are
//! milliseconds on a monotonic clock of the caller's, and the caller arranges to be woken at
//! [`Heartbeat::deadline`]. After a stall of the whole process the caller reads what has arrived
//! before it asks [`Heartbeat::poll`], or live peers would be called dead.

/// The times of all heartbeats of a server. Kept outside of [`Heartbeat`], of which every
/// connection has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// From the opening of the connection, or from a pong, to the next ping, in milliseconds.
    pub ping_interval_ms: u64,
    /// From a ping to the end of our patience, in milliseconds.
    pub ping_timeout_ms: u64,
}

/// What is due, see [`Heartbeat::poll`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing yet.
    None,
    /// A ping must be sent now; the time-out runs from here.
    SendPing,
    /// The peer did not answer: the connection ends with `ping timeout`.
    TimedOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No ping is outstanding; the deadline is that of the next one.
    Quiet,
    /// A ping is outstanding; the deadline is the end of our patience.
    Awaiting,
    /// Likewise, and the peer has already shown a sign of life that restarted the time-out.
    AwaitingExtended,
}

/// The heartbeat of one connection.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    deadline_ms: u64,
    /// Since when reading is paused; [`NOT_PAUSED`] while it is not.
    paused_at_ms: u64,
    state: State,
}

const NOT_PAUSED: u64 = u64::MAX;

impl Heartbeat {
    /// The heartbeat of a connection that opens, or changes its transport, now.
    pub fn new(now_ms: u64, config: &HeartbeatConfig) -> Self {
        Heartbeat {
            deadline_ms: now_ms.saturating_add(config.ping_interval_ms),
            paused_at_ms: NOT_PAUSED,
            state: State::Quiet,
        }
    }

    /// Notes that a packet arrived.
    ///
    /// A pong, asked for or not, puts the next ping a whole interval away. Any other packet is a
    /// sign of life: while a ping is outstanding the first one restarts the time-out. Only the
    /// first, so that a peer that floods but never answers still ends.
    pub fn on_packet(&mut self, now_ms: u64, config: &HeartbeatConfig, is_pong: bool) {
        if is_pong {
            self.state = State::Quiet;
            self.deadline_ms = now_ms.saturating_add(config.ping_interval_ms);
        } else if self.state == State::Awaiting {
            self.state = State::AwaitingExtended;
            self.await_pong_from(now_ms, config);
        }
    }

    /// When to call [`Heartbeat::poll`] next, in milliseconds. `u64::MAX` while the time-out
    /// stands still; resuming sets it again.
    pub fn deadline(&self) -> u64 {
        if self.stands_still() { u64::MAX } else { self.deadline_ms }
    }

    /// Whether a ping is outstanding.
    pub fn is_awaiting(&self) -> bool {
        self.state != State::Quiet
    }

    /// What is due now. The caller carries it out; asking again later gives what is due then.
    pub fn poll(&mut self, now_ms: u64, config: &HeartbeatConfig) -> Action {
        if now_ms < self.deadline() || self.stands_still() {
            return Action::None;
        }
        match self.state {
            State::Quiet => {
                self.state = State::Awaiting;
                self.await_pong_from(now_ms, config);
                Action::SendPing
            }
            State::Awaiting | State::AwaitingExtended => Action::TimedOut,
        }
    }

    /// The connection is not read for our own reasons from now on. The time-out stands still,
    /// because an answer could not be seen. Pings are still due: the client expects them.
    pub fn pause(&mut self, now_ms: u64) {
        if self.paused_at_ms == NOT_PAUSED {
            self.paused_at_ms = now_ms;
        }
    }

    /// The connection is read again: the time-out goes on where it stood.
    pub fn resume(&mut self, now_ms: u64) {
        if self.stands_still() {
            let paused_ms = now_ms.saturating_sub(self.paused_at_ms);
            self.deadline_ms = self.deadline_ms.saturating_add(paused_ms);
        }
        self.paused_at_ms = NOT_PAUSED;
    }

    fn stands_still(&self) -> bool {
        self.paused_at_ms != NOT_PAUSED && self.state != State::Quiet
    }

    /// Starts the time-out; while paused none of it has passed yet.
    fn await_pong_from(&mut self, now_ms: u64, config: &HeartbeatConfig) {
        self.deadline_ms = now_ms.saturating_add(config.ping_timeout_ms);
        if self.paused_at_ms != NOT_PAUSED {
            self.paused_at_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_small() {
        assert!(size_of::<Heartbeat>() <= 24);
    }
}
