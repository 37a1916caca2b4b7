//! Metrics of each shard by itself: whether all have the same to do.

use std::time::Duration;

use super::definitions::{counter, gauge};
use super::{Definition, Series, Value};

pub(super) const SHARDS: &[Definition] = &[
    gauge(
        "relay_shard_connections",
        "Engine.IO connections now open, by shard.",
        Value::Labelled(&["shard"], |it| {
            by_shard(it.hubs.iter().map(|hub| hub.connections.get() as f64))
        }),
    ),
    counter(
        "relay_shard_busy_seconds_total",
        "How long each shard has worked: all its turns together. A rate near 1 is a shard that has no \
         time left.",
        Value::Labelled(&["shard"], |it| seconds(&it.watch.busy_by_shard())),
    ),
    gauge(
        "relay_shard_pass_max_seconds",
        "Longest turn of each shard in the last ten to twenty seconds.",
        Value::Labelled(&["shard"], |it| seconds(&it.watch.pass_lag_by_shard())),
    ),
];

fn seconds(times: &[Duration]) -> Vec<Series> {
    by_shard(times.iter().map(Duration::as_secs_f64))
}

fn by_shard(values: impl Iterator<Item = f64>) -> Vec<Series> {
    let series =
        |(shard, value): (usize, f64)| Series { labels: vec![("shard", shard.to_string())], value };
    values.enumerate().map(series).collect()
}
