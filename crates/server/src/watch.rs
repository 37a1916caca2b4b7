//! How a running server is, for those who ask from outside of its shards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Shared;
use crate::pulse::Passes;

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

    /// The longest pass of any shard in the last ten to twenty seconds.
    #[must_use]
    pub fn pass_lag_max(&self) -> Duration {
        let now = self.shared.now();
        let micros = self.shared.pulses.iter().map(|pulse| pulse.longest_micros(now)).max();
        Duration::from_micros(micros.unwrap_or(0))
    }
}
