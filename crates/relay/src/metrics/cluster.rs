//! Metrics of the cluster. An instance that is alone has none of them.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::proto::MetricType;
use relay_redis::cluster::{Classic, ClusterStats};
use relay_redis::link::{LATENCY_BUCKETS, LinkStats, State};

use super::definitions::{counter, gauge};
use super::{Definition, Histogram, Series, Value};
use crate::routes::Sources;

pub(super) const CLUSTER: &[Definition] = &[
    gauge(
        "relay_cluster_up",
        "Whether what is published reaches other instances: 1, or 0.",
        Value::Labelled(&[], |it| one(it, |it| u64::from(it.state() == State::Up))),
    ),
    gauge(
        "relay_cluster_queue_bytes",
        "Bytes that wait to be published.",
        Value::Labelled(&[], |it| one(it, |it| it.queue_bytes() as u64)),
    ),
    counter(
        "relay_cluster_published_total",
        "Messages that Redis took.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().published))),
    ),
    counter(
        "relay_cluster_published_bytes_total",
        "Their contents, in bytes.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().published_bytes))),
    ),
    counter(
        "relay_cluster_dropped_total",
        "Messages that did not get out: Redis was away, the queue full, the connection broke on \
         the way, Redis refused, or no peer would take them.",
        Value::Labelled(&["reason"], dropped),
    ),
    counter(
        "relay_cluster_received_total",
        "Messages that arrived, by what they are.",
        Value::Labelled(&["kind"], received),
    ),
    counter(
        "relay_cluster_received_bytes_total",
        "Their contents, in bytes.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().received_bytes))),
    ),
    counter(
        "relay_cluster_garbage_total",
        "Messages that are none, by what is wrong with them.",
        Value::Labelled(&["what"], garbage),
    ),
    counter(
        "relay_cluster_forbidden_total",
        "Requests of other instances that the operator does not allow.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.stats().forbidden))),
    ),
    counter(
        "relay_cluster_questions_refused_total",
        "Questions that were not asked because too many were under way.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.stats().questions_refused))),
    ),
    counter(
        "relay_cluster_held_total",
        "Times that Redis was not read until all that had been read was taken.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().held))),
    ),
    counter(
        "relay_cluster_connections_total",
        "Connections made to Redis; two are needed.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().connections))),
    ),
    counter(
        "relay_cluster_failures_total",
        "Connections to Redis that broke, or could not be made.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().failures))),
    ),
    counter(
        "relay_cluster_outages_total",
        "How often it began that what is published reaches no other instance.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().outages))),
    ),
    counter(
        "relay_cluster_panics_total",
        "Connections to Redis that ended by a panic in this instance, a bug; each is made again.",
        Value::Labelled(&[], |it| one(it, |it| read(&it.link_stats().panics))),
    ),
    Definition {
        name: "relay_cluster_publish_seconds",
        kind: MetricType::HISTOGRAM,
        help: "From the queue until Redis has taken a message.",
        value: Value::Histogram(latency),
    },
];

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn one(sources: &Sources, read: impl Fn(&Classic) -> u64) -> Vec<Series> {
    let value = |it| Series { labels: Vec::new(), value: read(it) as f64 };
    sources.cluster.iter().map(value).collect()
}

fn labelled(
    name: &'static str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) -> Vec<Series> {
    let series = |(label, value): (&str, u64)| Series {
        labels: vec![(name, label.to_owned())],
        value: value as f64,
    };
    values.into_iter().map(series).collect()
}

fn dropped(sources: &Sources) -> Vec<Series> {
    let Some(cluster) = &sources.cluster else { return Vec::new() };
    let LinkStats { dropped_away, dropped_full, dropped_lost, dropped_refused, .. } =
        cluster.link_stats();
    let link = [
        ("away", read(dropped_away)),
        ("full", read(dropped_full)),
        ("lost", read(dropped_lost)),
        ("refused", read(dropped_refused)),
    ];
    labelled("reason", link.into_iter().chain(cluster.stats().refused_by_label()))
}

fn received(sources: &Sources) -> Vec<Series> {
    let Some(cluster) = &sources.cluster else { return Vec::new() };
    let ClusterStats { broadcasts, requests, responses, own, nobody, .. } = cluster.stats();
    let kinds = [
        ("broadcast", read(broadcasts)),
        ("request", read(requests)),
        ("response", read(responses)),
        ("own", read(own)),
        ("nobody", read(nobody)),
    ];
    labelled("kind", kinds)
}

fn garbage(sources: &Sources) -> Vec<Series> {
    let Some(cluster) = &sources.cluster else { return Vec::new() };
    labelled("what", cluster.stats().garbage_by_label())
}

fn latency(sources: &Sources) -> Option<Histogram> {
    let latency = &sources.cluster.as_ref()?.link_stats().latency;
    let seconds = |us: u64| us as f64 / 1e6;
    let counts = latency.counts();
    Some(Histogram {
        buckets: LATENCY_BUCKETS.into_iter().map(seconds).zip(counts).collect(),
        count: counts.iter().sum(),
        sum: seconds(latency.sum_us()),
    })
}
