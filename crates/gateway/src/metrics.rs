//! What the gateway counts, with labels that clients cannot multiply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use relay_hub::stats::Cell;

use crate::command::Destination;
use crate::denial::Code;

/// What is counted for messages without a `tipo`.
const NO_TYPE: &str = "sin-tipo";
/// What is counted for the types that have no label of their own.
const OTHER: &str = "otro";
const DESTINATIONS: [&str; 4] = ["yo", "ustedes", "nosotros", "room"];
const EVENTS: [&str; 6] = ["identificar", "unirse", "salir", "notificar", "relay", "otro"];

/// The values of the label `type`, shared by the shards and bounded in number and length.
#[derive(Debug)]
pub struct TypeNames {
    names: Mutex<HashMap<Box<[u8]>, usize>>,
    names_max: usize,
    name_bytes_max: usize,
}

impl TypeNames {
    /// Room for `names_max` names of at most `name_bytes_max` bytes.
    #[must_use]
    pub fn new(names_max: usize, name_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { names: Mutex::default(), names_max, name_bytes_max })
    }

    /// The place of a name; 1 is `otro`.
    fn place(&self, name: &[u8]) -> usize {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&place) = names.get(name) {
            return place;
        }
        if names.len() >= self.names_max {
            return 1;
        }
        let place = names.len() + 2;
        names.insert(name.into(), place);
        place
    }
}

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
            messages: (0..types.names_max + 2).map(|_| Default::default()).collect(),
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

    /// Counts an accepted message that was thought about.
    pub(crate) fn late_message(&self, kind: Option<&[u8]>, destination: &Destination) {
        let place = match label(kind, &self.types) {
            Label::Known(place) => place,
            Label::Named(name) => self.types.place(name),
        };
        self.message(place, destination);
    }

    fn message(&self, place: usize, destination: &Destination) {
        let column = match destination {
            Destination::Sender => 0,
            Destination::Others => 1,
            Destination::Everyone => 2,
            Destination::Rooms(_) => 3,
        };
        if let Some(cells) = self.messages.get(place) {
            cells[column].add(1);
        }
    }

    /// All series that were ever counted.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageCount> {
        let names = self.types.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut labels = vec![NO_TYPE.to_owned(), OTHER.to_owned()];
        let mut named: Vec<_> = names.iter().collect();
        named.sort_by_key(|(_, place)| **place);
        labels.extend(named.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()));
        let mut counts = Vec::new();
        for (kind, cells) in labels.iter().zip(&self.messages) {
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

/// One shard's counter with the places it has seen, so that the shared names are asked rarely.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) stats: Arc<GatewayStats>,
    seen: HashMap<Box<[u8]>, usize>,
}

impl Counter {
    pub(crate) fn new(stats: Arc<GatewayStats>) -> Self {
        Self { stats, seen: HashMap::new() }
    }

    /// Counts an accepted message; `kind` is its `tipo` if that is a string.
    pub(crate) fn message(&mut self, kind: Option<&[u8]>, destination: &Destination) {
        let place = match label(kind, &self.stats.types) {
            Label::Known(place) => place,
            Label::Named(name) => match self.seen.get(name) {
                Some(&place) => place,
                None => {
                    let place = self.stats.types.place(name);
                    if place != 1 {
                        self.seen.insert(name.into(), place);
                    }
                    place
                }
            },
        };
        self.stats.message(place, destination);
    }
}

/// The value of the label `type`.
enum Label<'a> {
    /// Its place.
    Known(usize),
    /// Its name: somebody must look.
    Named(&'a [u8]),
}

fn label<'a>(kind: Option<&'a [u8]>, types: &TypeNames) -> Label<'a> {
    match kind {
        None | Some([]) => Label::Known(0),
        // A label is UTF-8: lone surrogates have none.
        Some(name) if name.len() > types.name_bytes_max || std::str::from_utf8(name).is_err() => {
            Label::Known(1)
        }
        // A literal `otro` or `sin-tipo` from a client shares those series.
        Some(name) if name == OTHER.as_bytes() => Label::Known(1),
        Some(name) if name == NO_TYPE.as_bytes() => Label::Known(0),
        Some(name) => Label::Named(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, GatewayStats, TypeNames};
    use crate::command::Destination;

    #[test]
    fn client_strings_never_become_unbounded_metric_labels() {
        let stats = GatewayStats::new(&TypeNames::new(2, 8));
        let mut counter = Counter::new(stats.clone());
        for kind in ["a", "b", "c", "d", "a-very-long-type"] {
            counter.message(Some(kind.as_bytes()), &Destination::Everyone);
        }
        counter.message(None, &Destination::Sender);
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
