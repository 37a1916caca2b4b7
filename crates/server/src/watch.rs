//! How a running server is, for those who ask from outside of its shards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Shared;
use crate::pulse::{Passes, Pulse};
use crate::remotes::Inbox;

/// How a server is, for whoever asks, on any thread.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("is_ready", &self.is_ready()).finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether every shard has finished a pass within the last five seconds.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let now = self.shared.now();
        !self.shared.pulses.iter().any(|pulse| pulse.is_stuck(now))
    }

    /// Whether new sessions are welcome: not once the server has begun to end.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.shared.leaving.load(Ordering::SeqCst) && self.is_live()
    }

    /// How long the passes of all shards took, since the start.
    #[must_use]
    pub fn passes(&self) -> Passes {
        let mut passes = Passes::default();
        self.shared.pulses.iter().for_each(|pulse| pulse.add_to(&mut passes));
        passes
    }

    /// How long each shard has worked since the start: all its passes together.
    #[must_use]
    pub fn busy_by_shard(&self) -> Vec<Duration> {
        let busy = |pulse: &Pulse| Duration::from_micros(pulse.busy_micros());
        self.shared.pulses.iter().map(busy).collect()
    }

    /// The longest pass of each shard in the last ten to twenty seconds.
    #[must_use]
    pub fn pass_lag_by_shard(&self) -> Vec<Duration> {
        let now = self.shared.now();
        let longest = |pulse: &Pulse| Duration::from_micros(pulse.longest_micros(now));
        self.shared.pulses.iter().map(longest).collect()
    }

    /// Bytes that came from other instances and wait for their shards.
    #[must_use]
    pub fn remote_bytes(&self) -> u64 {
        self.shared.inboxes.iter().map(Inbox::held_bytes).sum()
    }

    /// The longest pass of any shard in the last ten to twenty seconds.
    #[must_use]
    pub fn pass_lag_max(&self) -> Duration {
        self.pass_lag_by_shard().into_iter().max().unwrap_or_default()
    }
}
