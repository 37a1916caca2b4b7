//! What the gateway counts, with labels that clients cannot multiply.

mod named;
mod types;

use std::sync::Arc;

use relay_hub::stats::Cell;

use crate::command::Destination;
use crate::denial::Code;

pub use named::NamedTypes;
pub use types::TypeNames;

const DESTINATIONS: [&str; 4] = ["yo", "ustedes", "nosotros", "room"];
const EVENTS: [&str; 6] = ["identificar", "unirse", "salir", "notificar", "relay", "otro"];

/// One series of `relay_messages_total`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageCount {
    /// The label `type`.
    pub kind: String,
    /// The label `destination`.
    pub destination: &'static str,
    /// Accepted messages.
    pub count: u64,
}

/// One series of `relay_refused_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusalCount {
    /// The label `event`.
    pub event: &'static str,
    /// The label `code`.
    pub code: &'static str,
    /// Refusals.
    pub count: u64,
}

/// The counters of one shard's gateway.
#[derive(Debug)]
pub struct GatewayStats {
    types: Arc<TypeNames>,
    messages: Vec<[Cell; 4]>,
    refused: [[Cell; Code::ALL.len()]; EVENTS.len()],
    /// Decisions of the program that could not be asked for, since too many were under way.
    pub thoughts_refused: Cell,
    /// Gauge: sockets in `/relay`.
    pub connections: Cell,
}

impl GatewayStats {
    /// Counters with the labels of `types`.
    #[must_use]
    pub fn new(types: &Arc<TypeNames>) -> Arc<Self> {
        Arc::new(Self {
            messages: (0..types.places_max()).map(|_| Default::default()).collect(),
            refused: Default::default(),
            thoughts_refused: Cell::default(),
            connections: Cell::default(),
            types: types.clone(),
        })
    }

    pub(crate) fn refused(&self, event: &str, code: Code) {
        let event = EVENTS.iter().position(|it| *it == event).unwrap_or(EVENTS.len() - 1);
        self.refused[event][code.index()].add(1);
    }

    /// Counts an accepted message; `kind` is its `tipo` if that is a string.
    pub(crate) fn message(&self, kind: Option<&[u8]>, destination: &Destination) {
        let column = match destination {
            Destination::Sender => 0,
            Destination::Others => 1,
            Destination::Everyone => 2,
            Destination::Rooms(_) => 3,
        };
        if let Some(cells) = self.messages.get(self.types.place(kind)) {
            cells[column].add(1);
        }
    }

    /// All series that were ever counted.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageCount> {
        let mut counts = Vec::new();
        for (place, kind) in self.types.labels() {
            let Some(cells) = self.messages.get(place) else { continue };
            for (destination, cell) in DESTINATIONS.into_iter().zip(cells) {
                if cell.get() > 0 {
                    counts.push(MessageCount {
                        kind: kind.clone(),
                        destination,
                        count: cell.get(),
                    });
                }
            }
        }
        counts
    }

    /// All refusals that were ever counted.
    #[must_use]
    pub fn refusals(&self) -> Vec<RefusalCount> {
        let mut counts = Vec::new();
        for (event, cells) in EVENTS.into_iter().zip(&self.refused) {
            for (code, cell) in Code::ALL.into_iter().map(Code::as_str).zip(cells) {
                if cell.get() > 0 {
                    counts.push(RefusalCount { event, code, count: cell.get() });
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::{GatewayStats, NamedTypes, TypeNames};
    use crate::command::Destination;

    #[test]
    fn client_strings_never_become_unbounded_metric_labels() {
        let stats = GatewayStats::new(&TypeNames::new(&NamedTypes::default(), 2, 8));
        for kind in ["a", "b", "c", "d", "a-very-long-type"] {
            stats.message(Some(kind.as_bytes()), &Destination::Everyone);
        }
        stats.message(None, &Destination::Sender);
        let series: Vec<_> =
            stats.messages().into_iter().map(|it| (it.kind, it.destination, it.count)).collect();
        let series: Vec<_> = series.iter().map(|(a, b, c)| (a.as_str(), *b, *c)).collect();
        assert_eq!(
            series,
            [
                ("sin-tipo", "yo", 1),
                ("otro", "nosotros", 3),
                ("a", "nosotros", 1),
                ("b", "nosotros", 1)
            ]
        );
    }
}
