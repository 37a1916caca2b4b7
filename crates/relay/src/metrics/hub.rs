//! Metrics of the hubs, all shards together.

use prometheus::proto::MetricType;
use relay_hub::{DELIVERY_BUCKETS_MICROS, FAN_OUT_BUCKETS, WAIT_BUCKETS_MS};

use super::definitions::{counter, gauge};
use super::series::{ends, held, spread};
use super::{Definition, Value};

pub(super) const HUB: &[Definition] = &[
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
    gauge(
        "relay_memory_bytes",
        "What is held, by kind: `handshakes` (what the embedding program sees of them), `partial` (messages, \
         bodies and attachments of which a part is missing), `frames` (encoded messages that wait for \
         clients, each once), `outboxes` (their places there), `deferred` (events that the program thinks \
         about, and what was read behind them), `answers` (to questions of which others are missing), \
         `order` (messages that not all shards have come to); these make up relay_memory_held_bytes. \
         Beside them, with bounds of their own: `calls` (of the embedding program), `remotes` (what came \
         from other instances), both while they wait for their shards.",
        Value::Labelled(&["kind"], held),
    ),
];

pub(super) const SPREADS: &[Definition] = &[
    Definition {
        name: "relay_fan_out_receivers",
        kind: MetricType::HISTOGRAM,
        help: "Receivers of each broadcast, on each shard by itself.",
        value: Value::Histogram(|it| Some(spread(it, |hub| &hub.fan_out, &FAN_OUT_BUCKETS, 1.0))),
    },
    Definition {
        name: "relay_delivery_seconds",
        kind: MetricType::HISTOGRAM,
        help: "From the beginning of the turn in which a message was read, came from another instance or was \
               sent by the embedding program, until the kernel had taken it for one of its receivers, on \
               whichever shard that is. One write in 61 is looked at, of WebSockets only, and there the \
               oldest message: counts are of samples. What the kernel and the network take before and \
               behind that is no part of it.",
        value: Value::Histogram(|it| {
            Some(spread(it, |hub| &hub.delivery, &DELIVERY_BUCKETS_MICROS, 1e6))
        }),
    },
    Definition {
        name: "relay_outbox_wait_seconds",
        kind: MetricType::HISTOGRAM,
        help: "How long the oldest of what a client took at once had been encoded: one value for \
               each write, and for each answer to a poll. Rounded down to milliseconds in the sum.",
        value: Value::Histogram(|it| Some(spread(it, |hub| &hub.waits, &WAIT_BUCKETS_MS, 1e3))),
    },
];
