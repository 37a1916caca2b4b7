//! How metrics of several values are read: those with labels, and histograms.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use relay_hub::{EndReason, FAN_OUT_BUCKETS, Held, Spread, Stats};
use relay_server::PASS_BUCKETS_MICROS;

use super::{Histogram, Series};
use crate::log::Journal;
use crate::routes::Sources;

pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Adds up what the shards counted under the same two labels.
pub(super) fn pairs<A: Ord + ToString, B: Ord + ToString>(
    names: [&'static str; 2],
    counts: impl Iterator<Item = ((A, B), u64)>,
) -> Vec<Series> {
    let mut sums: BTreeMap<(A, B), u64> = BTreeMap::new();
    for (labels, count) in counts {
        *sums.entry(labels).or_default() += count;
    }
    let series = |((a, b), count): ((A, B), u64)| Series {
        labels: vec![(names[0], a.to_string()), (names[1], b.to_string())],
        value: count as f64,
    };
    sums.into_iter().map(series).collect()
}

pub(super) fn messages(sources: &Sources) -> Vec<Series> {
    let counts = sources.gateways.iter().flat_map(|it| it.messages());
    pairs(["type", "destination"], counts.map(|it| ((it.kind, it.destination), it.count)))
}

pub(super) fn refusals(sources: &Sources) -> Vec<Series> {
    let counts = sources.gateways.iter().flat_map(|it| it.refusals());
    pairs(["event", "code"], counts.map(|it| ((it.event, it.code), it.count)))
}

pub(super) fn ends(sources: &Sources) -> Vec<Series> {
    let series = |reason: EndReason| Series {
        labels: vec![("reason", reason.end().label.to_owned())],
        value: sources.hubs.iter().map(|it| it.ends[reason.index()].get()).sum::<u64>() as f64,
    };
    EndReason::ALL.into_iter().map(series).collect()
}

pub(super) fn held(sources: &Sources) -> Vec<Series> {
    let of = |kind: Held| {
        let bytes: u64 = sources.hubs.iter().map(|hub| hub.held[kind as usize].get()).sum();
        (kind.as_str(), bytes)
    };
    let others = [
        ("order", sources.instance.order_bytes() as u64),
        ("calls", sources.handle.held_bytes() as u64),
        ("remotes", sources.watch.remote_bytes()),
    ];
    let series = |(kind, bytes): (&str, u64)| Series {
        labels: vec![("kind", kind.to_owned())],
        value: bytes as f64,
    };
    Held::ALL.map(of).into_iter().chain(others).map(series).collect()
}

pub(super) fn left_out(sources: &Sources) -> Vec<Series> {
    let kinds = sources.journal.iter().flat_map(Journal::left_out);
    let series = |(kind, count): (&str, u64)| Series {
        labels: vec![("kind", kind.to_owned())],
        value: count as f64,
    };
    kinds.map(series).collect()
}

/// Adds up what the shards have. `scale` of their unit are one of the metric's.
pub(super) fn spread(
    sources: &Sources,
    of: fn(&Stats) -> &Spread,
    ends: &[u64],
    scale: f64,
) -> Histogram {
    let spreads = || sources.hubs.iter().map(|hub| of(hub));
    let mut counts = [0; FAN_OUT_BUCKETS.len() + 1];
    for (sum, count) in spreads().flat_map(|it| it.counts().into_iter().enumerate()) {
        counts[sum] += count;
    }
    let scaled = |value: u64| value as f64 / scale;
    let buckets = ends.iter().map(|&end| scaled(end)).zip(counts).collect();
    let sum = spreads().map(Spread::sum).sum();
    Histogram { buckets, count: counts.iter().sum(), sum: scaled(sum) }
}

pub(super) fn build(_: &Sources) -> Vec<Series> {
    vec![Series { labels: vec![("version", env!("CARGO_PKG_VERSION").to_owned())], value: 1.0 }]
}

pub(super) fn passes(sources: &Sources) -> Option<Histogram> {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let passes = sources.watch.passes();
    let buckets = PASS_BUCKETS_MICROS.into_iter().map(seconds).zip(passes.counts).collect();
    let count = passes.counts.iter().sum();
    Some(Histogram { buckets, count, sum: seconds(passes.micros) })
}

pub(super) fn handshakes_refused(sources: &Sources) -> Vec<Series> {
    let series = |(code, count): (usize, &AtomicU64)| Series {
        labels: vec![("code", code.to_string())],
        value: read(count) as f64,
    };
    sources.server.refused.iter().enumerate().map(series).collect()
}
