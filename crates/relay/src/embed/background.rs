//! Where the program's futures run, and the way back to the shards.

use std::time::Duration;

use relay_gateway::{Background, Gateway, Outcome, Work};
use relay_hub::Ticket;
use relay_server::Handle;

/// The program's runtime.
pub(super) struct Runtime {
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) shards: Handle<Gateway>,
    /// What takes longer is of no use any more.
    pub(super) patience: Duration,
}

impl Background for Runtime {
    fn spawn(&self, work: Work) {
        let patience = self.patience;
        self.runtime.spawn(async move {
            let _ = tokio::time::timeout(patience, work).await;
        });
    }

    fn tell(&self, ticket: Ticket, outcome: Outcome) {
        match outcome {
            Outcome::Decided(decided) => self.shards.decide(ticket, decided),
            Outcome::Panicked => self.shards.abandon(ticket),
            Outcome::Resumed(resume) => self.shards.resume(ticket, resume),
        }
    }
}
