//! The metrics themselves, in the order in which they are written. Names and labels are a contract with dashboards.

use std::sync::atomic::Ordering;

use prometheus::proto::MetricType;
use relay_hub::{FAN_OUT_BUCKETS, WAIT_BUCKETS_MS};

use super::cluster::CLUSTER;
use super::series::{
    build, ends, handshakes_refused, left_out, messages, passes, read, refusals, spread,
};
use super::{Definition, Value};
use crate::log::Journal;
use crate::routes::Sources;

/// In the order in which they are written.
pub(super) const ALL: [&[Definition]; 7] = [GATEWAY, HUB, SPREADS, SERVER, CLUSTER, LOG, PROCESS];

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

const HUB: &[Definition] = &[
    counter(
        "relay_ends_total",
        "Ends of connections and of sockets that left alone, by reason.",
        Value::Labelled(&["reason"], ends),
    ),
    gauge(
        "relay_engine_connections",
        "Engine.IO connections now open.",
        Value::Hubs(|it| it.connections.get()),
    ),
    counter(
        "relay_engine_connections_opened_total",
        "Engine.IO connections opened.",
        Value::Hubs(|it| it.connections_opened.get()),
    ),
    counter(
        "relay_probes_total",
        "WebSockets that asked to take a polling session over.",
        Value::Hubs(|it| it.probes.get()),
    ),
    counter(
        "relay_probes_failed_total",
        "WebSockets that asked to take a polling session over and did not.",
        Value::Hubs(|it| it.probes_failed.get()),
    ),
    counter(
        "relay_upgrades_total",
        "Sessions that went from polling to WebSocket.",
        Value::Hubs(|it| it.upgrades.get()),
    ),
    gauge(
        "relay_namespaces",
        "Namespaces that exist now.",
        Value::Instance(|it| it.instance.namespace_count() as u64),
    ),
    gauge(
        "relay_decisions",
        "CONNECTs that the application has yet to decide on.",
        Value::Hubs(|it| it.decisions.get()),
    ),
    counter(
        "relay_decisions_overdue_total",
        "CONNECTs refused because the application did not decide in time.",
        Value::Hubs(|it| it.decisions_overdue.get()),
    ),
    counter(
        "relay_decisions_refused_total",
        "CONNECTs refused because too many were undecided.",
        Value::Hubs(|it| it.decisions_refused.get()),
    ),
    gauge(
        "relay_deferrals",
        "Events that the application has yet to go on with.",
        Value::Hubs(|it| it.deferrals.get()),
    ),
    counter(
        "relay_deferrals_overdue_total",
        "Events that the application did not go on with in time.",
        Value::Hubs(|it| it.deferrals_overdue.get()),
    ),
    counter(
        "relay_deferrals_refused_total",
        "Events that could not be deferred because too many were.",
        Value::Hubs(|it| it.deferrals_refused.get()),
    ),
    gauge("relay_sockets", "Sockets now in any namespace.", Value::Hubs(|it| it.sockets.get())),
    gauge("relay_rooms", "Rooms that have members now.", Value::Hubs(|it| it.rooms.get())),
    counter(
        "relay_packets_received_total",
        "Socket.IO packets received.",
        Value::Hubs(|it| it.packets_received.get()),
    ),
    counter(
        "relay_received_bytes_total",
        "Bytes received after the handshake.",
        Value::Hubs(|it| it.bytes_received.get()),
    ),
    counter(
        "relay_sent_bytes_total",
        "Bytes written after the handshake.",
        Value::Hubs(|it| it.bytes_sent.get()),
    ),
    counter(
        "relay_events_total",
        "Events handed to the application.",
        Value::Hubs(|it| it.events.get()),
    ),
    counter(
        "relay_broadcasts_total",
        "Broadcasts placed in the order.",
        Value::Hubs(|it| it.broadcasts.get()),
    ),
    counter(
        "relay_bulk_operations_total",
        "Bulk joins, leaves and disconnects placed in the order, those of other instances included.",
        Value::Hubs(|it| it.bulks.get()),
    ),
    counter(
        "relay_deliveries_total",
        "Packets put into outboxes.",
        Value::Hubs(|it| it.deliveries.get()),
    ),
    counter(
        "relay_volatile_dropped_total",
        "Volatile packets dropped because the client could not take them at once.",
        Value::Hubs(|it| it.volatile_dropped.get()),
    ),
    counter(
        "relay_remote_broadcasts_total",
        "Broadcasts of other instances delivered here.",
        Value::Hubs(|it| it.remote_broadcasts.get()),
    ),
    counter(
        "relay_remote_questions_total",
        "Questions that other instances asked this one.",
        Value::Hubs(|it| it.remote_questions.get()),
    ),
    counter(
        "relay_remote_questions_refused_total",
        "Those that were answered with nothing because too many were under way.",
        Value::Hubs(|it| it.remote_questions_refused.get()),
    ),
    counter(
        "relay_server_side_events_total",
        "Events of other instances' applications for this one's.",
        Value::Hubs(|it| it.server_side_events.get()),
    ),
    counter(
        "relay_fetches_cut_total",
        "Answers about sockets from which some were left out because they were too large.",
        Value::Hubs(|it| it.fetches_cut.get()),
    ),
    counter(
        "relay_encoded_too_large_total",
        "Messages whose encoding would exceed the bound of one message.",
        Value::Hubs(|it| it.encoded_too_large.get()),
    ),
    counter(
        "relay_rooms_refused_total",
        "Joins refused because a bound on rooms was reached.",
        Value::Hubs(|it| it.rooms_refused.get()),
    ),
    counter(
        "relay_acks_refused_total",
        "Acknowledgements that could not be awaited because a bound was reached.",
        Value::Hubs(|it| it.acks_refused.get()),
    ),
    counter(
        "relay_ack_answers_dropped_total",
        "Answers to broadcasts with acknowledgement that were counted but not kept.",
        Value::Hubs(|it| it.ack_answers_dropped.get()),
    ),
    counter(
        "relay_senders_held_total",
        "Times a connection was not read because what it sent still waited elsewhere.",
        Value::Hubs(|it| it.senders_held.get()),
    ),
    gauge(
        "relay_senders_held",
        "Connections that are not read now for that reason.",
        Value::Hubs(|it| it.senders_held_now.get()),
    ),
    counter(
        "relay_reads_held_total",
        "Times a shard did not read for want of credit in the order.",
        Value::Hubs(|it| it.reads_held.get()),
    ),
    counter(
        "relay_panics_total",
        "Panics of the application that were caught.",
        Value::Hubs(|it| it.panics.get()),
    ),
    counter(
        "relay_connects_refused_total",
        "CONNECTs refused: no such namespace, or the application said no.",
        Value::Hubs(|it| it.connects_refused.get()),
    ),
    gauge(
        "relay_memory_held_bytes",
        "Bytes that peers make the process hold.",
        Value::Instance(|it| it.instance.memory().used() as u64),
    ),
    gauge(
        "relay_memory_held_max_bytes",
        "The bound of relay_memory_held_bytes.",
        Value::Instance(|it| it.instance.memory().max() as u64),
    ),
];

const SPREADS: &[Definition] = &[
    Definition {
        name: "relay_fan_out_receivers",
        kind: MetricType::HISTOGRAM,
        help: "Receivers of each broadcast, on each shard by itself.",
        value: Value::Histogram(|it| Some(spread(it, |hub| &hub.fan_out, &FAN_OUT_BUCKETS, 1.0))),
    },
    Definition {
        name: "relay_outbox_wait_seconds",
        kind: MetricType::HISTOGRAM,
        help: "How long the oldest of what a client took at once had been encoded: one value for \
               each write, and for each answer to a poll. Rounded down to milliseconds in the sum.",
        value: Value::Histogram(|it| Some(spread(it, |hub| &hub.waits, &WAIT_BUCKETS_MS, 1e3))),
    },
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
