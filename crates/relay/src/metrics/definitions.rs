//! The metrics themselves, in the order in which they are written. Names and labels are a contract with dashboards.

use std::sync::atomic::Ordering;

use prometheus::proto::MetricType;

use super::cluster::CLUSTER;
use super::hub::{HUB, SPREADS};
use super::series::{build, handshakes_refused, left_out, messages, passes, read, refusals};
use super::shards::SHARDS;
use super::{Definition, Value};
use crate::log::Journal;
use crate::routes::Sources;

/// In the order in which they are written.
pub(super) const ALL: [&[Definition]; 8] =
    [GATEWAY, HUB, SPREADS, SERVER, CLUSTER, LOG, SHARDS, PROCESS];

const GATEWAY: &[Definition] = &[
    gauge(
        "relay_connections_total",
        "Sockets now in the namespace /relay.",
        Value::Instance(Sources::connections),
    ),
    counter(
        "relay_messages_total",
        "Messages accepted, by the type that they name and by where they went.",
        Value::Labelled(&["type", "destination"], messages),
    ),
    counter(
        "relay_refused_total",
        "Events refused, by event and by the code that the client was told.",
        Value::Labelled(&["event", "code"], refusals),
    ),
    counter(
        "relay_hooks_refused_total",
        "Events and CONNECTs refused because too many decisions of the embedding program were under way.",
        Value::Instance(|it| it.gateways.iter().map(|it| it.thoughts_refused.get()).sum()),
    ),
];

const SERVER: &[Definition] = &[
    gauge(
        "relay_tcp_open",
        "TCP connections now open, upgraded or not.",
        Value::Instance(|it| it.server.open.load(Ordering::Relaxed) as u64),
    ),
    counter(
        "relay_accept_errors_total",
        "Accepts that failed, for want of descriptors above all.",
        Value::Instance(|it| read(&it.server.accept_errors)),
    ),
    counter(
        "relay_full_total",
        "Sessions refused with 503 because the descriptors are taken, or the process ends.",
        Value::Instance(|it| read(&it.server.full)),
    ),
    counter(
        "relay_http_errors_total",
        "HTTP connections that ended with an error.",
        Value::Instance(|it| read(&it.server.http_errors)),
    ),
    counter(
        "relay_http_hooks_overdue_total",
        "HTTP requests that the embedding program did not answer in time.",
        Value::Instance(|it| read(&it.server.hooks_overdue)),
    ),
    counter(
        "relay_http_hook_panics_total",
        "HTTP requests over which the embedding program panicked.",
        Value::Instance(|it| read(&it.server.hook_panics)),
    ),
    counter(
        "relay_http_hook_bodies_refused_total",
        "Bodies for the embedding program that were larger than they may be.",
        Value::Instance(|it| read(&it.server.hook_bodies_refused)),
    ),
    counter(
        "relay_calls_refused_total",
        "Calls of the embedding program that were refused because too much waited for the shard.",
        Value::Instance(|it| read(&it.server.calls_refused)),
    ),
    counter(
        "relay_remotes_refused_total",
        "What came from other instances and was refused for want of room, where whoever brings it does not wait; Redis waits.",
        Value::Instance(|it| read(&it.server.remotes_refused)),
    ),
    counter(
        "relay_handshakes_refused_total",
        "Handshakes refused, by Engine.IO error code.",
        Value::Labelled(&["code"], handshakes_refused),
    ),
];

const LOG: &[Definition] = &[
    counter(
        "relay_log_lines_total",
        "Lines written to the log.",
        Value::Instance(|it| it.journal.as_ref().map_or(0, Journal::written)),
    ),
    counter(
        "relay_log_dropped_total",
        "Lines lost because the log was not read fast enough, or could not be written.",
        Value::Instance(|it| it.journal.as_ref().map_or(0, Journal::dropped)),
    ),
    counter(
        "relay_log_left_out_total",
        "Lines that were not written because there are too many of their kind in a second.",
        Value::Labelled(&["kind"], left_out),
    ),
];

const PROCESS: &[Definition] = &[
    gauge(
        "relay_build_info",
        "1; what was built is in the labels.",
        Value::Labelled(&["version"], build),
    ),
    Definition {
        name: "relay_pass_seconds",
        kind: MetricType::HISTOGRAM,
        help: "Turns of the shards: how long each took, from its first to its last piece of work.",
        value: Value::Histogram(passes),
    },
    counter(
        "process_cpu_seconds_total",
        "CPU time of all threads, user and system, in seconds.",
        Value::Process(|it| it.cpu_seconds),
    ),
    gauge(
        "process_resident_memory_bytes",
        "Memory in use.",
        Value::Process(|it| it.resident_bytes as f64),
    ),
    gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        Value::Process(|it| it.start_time_seconds),
    ),
    gauge(
        "process_virtual_memory_bytes",
        "Address space in use.",
        Value::Process(|it| it.virtual_bytes as f64),
    ),
    gauge("process_open_fds", "Open descriptors.", Value::Process(|it| it.open_fds as f64)),
    gauge(
        "process_max_fds",
        "How many descriptors the process may have.",
        Value::Process(|it| it.max_fds),
    ),
    gauge("process_threads", "Threads.", Value::Process(|it| it.threads as f64)),
    gauge(
        "nodejs_heap_size_total_bytes",
        "Memory in use, under the name that dashboards of the Node server draw.",
        Value::Process(|it| it.resident_bytes as f64),
    ),
    gauge(
        "nodejs_eventloop_lag_seconds",
        "Longest turn of any shard in the last ten to twenty seconds, under the name that \
         dashboards of the Node server draw.",
        Value::Watch(|it| it.pass_lag_max().as_secs_f64()),
    ),
];

pub(super) const fn gauge(name: &'static str, help: &'static str, value: Value) -> Definition {
    Definition { name, kind: MetricType::GAUGE, help, value }
}

pub(super) const fn counter(name: &'static str, help: &'static str, value: Value) -> Definition {
    Definition { name, kind: MetricType::COUNTER, help, value }
}
