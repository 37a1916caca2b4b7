//! Settings of what waits and what takes turns: memory, HTTP, metrics, the loop of a shard.

use std::time::Duration;

use super::{DAY, G, Group, K, M, MILLISECOND, Setting};
use crate::settings::kind::{Kind, Number, Place};

/// The longest that a part of one turn may take: more would be felt as a stall.
const TURN_MAX: Duration = Duration::from_secs(1);
const MICROSECOND: Duration = Duration::from_micros(1);

pub(super) const MEMORY: Group = Group {
    title: "Memory and slow clients",
    settings: &[
        limit!(bytes memory_bytes_max, "RELAY_MEMORY_BYTES_MAX", M..=1_000 * G,
            "Everything that clients can make the process hold. Past it the holders of the oldest \
             messages are disconnected; above half of it senders are held back.")
        .by_default(
            "half of the memory limit of the cgroup, or of the machine's memory; 64M at least",
        ),
        limit!(bytes outbox_bytes_max, "RELAY_OUTBOX_BYTES_MAX", K..=8 * G,
            "What may wait for one client. Past it, once its socket takes nothing more, it is \
             disconnected."),
        limit!(bytes outbox_entry_bytes, "RELAY_OUTBOX_ENTRY_BYTES", 1..=64 * K,
            "What a waiting message counts beyond its bytes."),
        limit!(bytes sender_window_bytes, "RELAY_SENDER_WINDOW_BYTES", K..=G,
            "A client is not read while more than this of what it sent waits for others."),
        limit!(count sender_window_share, "RELAY_SENDER_WINDOW_SHARE", 1..=M,
            "The part of a message's receivers that may still wait for it before it counts there: \
             one in this many."),
        limit!(time receiver_stall, "RELAY_RECEIVER_STALL", MILLISECOND..=DAY,
            "A receiver that reads nothing for this long holds no sender back any more."),
        limit!(bytes receiver_progress_bytes, "RELAY_RECEIVER_PROGRESS_BYTES", 1..=G,
            "What a receiver that is behind must read to count as one that reads."),
        limit!(bytes order_bytes_per_shard, "RELAY_ORDER_BYTES_PER_SHARD", 64 * K..=8 * G,
            "Messages of one shard that other shards have yet to deliver."),
        limit!(bytes memory_step_bytes, "RELAY_MEMORY_STEP_BYTES", 1..=M,
            "The step in which a shard publishes its share of the memory."),
    ],
};

pub(super) const HTTP: Group = Group {
    title: "HTTP and the kernel",
    settings: &[
        limit!(time http_head_timeout, "RELAY_HTTP_HEAD_TIMEOUT", MILLISECOND..=DAY,
            "Time for the head of a request, and for the next one on a kept connection."),
        limit!(time http_body_timeout, "RELAY_HTTP_BODY_TIMEOUT", MILLISECOND..=DAY,
            "Time for the body of a request."),
        limit!(time http_hook_timeout, "RELAY_HTTP_HOOK_TIMEOUT", MILLISECOND..=DAY,
            "Time in which a program that embeds the gateway must answer a request of its own."),
        limit!(bytes http_hook_body_bytes_max, "RELAY_HTTP_HOOK_BODY_BYTES_MAX", 0..=8 * G,
            "The body of such a request."),
        limit!(time http_write_timeout, "RELAY_HTTP_WRITE_TIMEOUT", MILLISECOND..=DAY,
            "Time in which a client must take some of what waits of an answer."),
        limit!(bytes http_head_bytes_max, "RELAY_HTTP_HEAD_BYTES_MAX", 8_192..=M,
            "The head of a request."),
        limit!(count http_headers_max, "RELAY_HTTP_HEADERS_MAX", 16..=1_000,
            "Header fields of a request."),
        limit!(count reserved_descriptors, "RELAY_RESERVED_DESCRIPTORS", 1..=10_000,
            "Descriptors kept for plain HTTP when sessions have used up the others."),
        limit!(time reserved_http_timeout, "RELAY_RESERVED_HTTP_TIMEOUT", MILLISECOND..=DAY,
            "Life of a connection that uses one of them."),
        limit!(time close_timeout, "RELAY_CLOSE_TIMEOUT", MILLISECOND..=DAY,
            "Time for the goodbyes of a WebSocket before it is dropped."),
        limit!(count listen_backlog, "RELAY_LISTEN_BACKLOG", 1..=65_535,
            "Connections that wait to be accepted; the kernel has a bound of its own."),
        limit!(bytes kernel_send_bytes, "RELAY_KERNEL_SEND_BYTES", 4_096..=G,
            "Send buffer of one socket (`SO_SNDBUF`, which the kernel doubles)."),
        limit!(bytes kernel_unsent_bytes, "RELAY_KERNEL_UNSENT_BYTES", 4_096..=G,
            "What of it may be unsent (`TCP_NOTSENT_LOWAT`)."),
    ],
};

pub(super) const METRICS: Group = Group {
    title: "Bounds of metrics and logs",
    settings: &[
        Setting::new(
            "RELAY_METRIC_TYPES_MAX",
            "limits.metric_types_max",
            Kind::Count { place: number!(limits.metric.types_max), accepted: 0..=10_000 },
            "Distinct values of the label `type` beyond those of METRICS_TYPES; later ones count \
             together.",
        ),
        Setting::new(
            "RELAY_METRIC_TYPE_BYTES_MAX",
            "limits.metric_type_bytes_max",
            Kind::Bytes { place: number!(limits.metric.type_bytes_max), accepted: 1..=K },
            "One such value; longer ones count together.",
        ),
        Setting::new(
            "RELAY_LOG_QUEUE_BYTES_MAX",
            "limits.log_queue_bytes_max",
            Kind::Bytes { place: number!(limits.log.queue_bytes_max), accepted: 4_096..=G },
            "Lines of the log that wait to be written; more are dropped and counted.",
        ),
        Setting::new(
            "RELAY_LOG_LINES_PER_SECOND_MAX",
            "limits.log_lines_per_second_max",
            Kind::Count { place: number!(limits.log.lines_per_second_max), accepted: 0..=M },
            "Lines a second of messages, of identifications, of refused events and CONNECTs, of \
             refused handshakes each; more are left out and counted.",
        ),
        Setting::new(
            "RELAY_LOG_SESSIONS_PER_SECOND_MAX",
            "limits.log_sessions_per_second_max",
            Kind::Count { place: number!(limits.log.sessions_per_second_max), accepted: 0..=M },
            "Lines a second about who came and who went; more are left out and counted. Ends that \
             are warnings or errors are written all the same.",
        ),
        Setting::new(
            "RELAY_LOG_VALUE_BYTES_MAX",
            "limits.log_value_bytes_max",
            Kind::Bytes { place: number!(limits.log.value_bytes_max), accepted: 16..=M },
            "One text in the log that a client chose; longer ones are cut.",
        ),
    ],
};

pub(super) const TURNS: Group = Group {
    title: "Turns of a shard",
    settings: &[
        limit!(bytes read_bytes, "RELAY_READ_BYTES", 4_096..=16 * M,
            "Bytes of one read."),
        limit!(count reads_per_pass, "RELAY_READS_PER_PASS", 1..=M,
            "Connections read in one turn."),
        limit!(count accepts_per_pass, "RELAY_ACCEPTS_PER_PASS", 1..=M,
            "Connections accepted in one turn."),
        Setting::new(
            "RELAY_CALLS_MAX",
            "limits.calls_max",
            Kind::Count { place: number!(limits.calls.max), accepted: 1..=10 * M },
            "Calls from other threads that wait for one shard.",
        ),
        Setting::new(
            "RELAY_CALLS_BYTES_MAX",
            "limits.calls_bytes_max",
            Kind::Bytes { place: number!(limits.calls.bytes_max), accepted: K..=8 * G },
            "What those hold, such as the events that a program sends; more are refused.",
        ),
        limit!(count fan_out_slice, "RELAY_FAN_OUT_SLICE", 1..=M,
            "Receivers that messages are handed to before others get a turn."),
        limit!(count fan_out_few, "RELAY_FAN_OUT_FEW", 0..=M,
            "A message with no more receivers than this on a shard does not wait for its turn."),
        limit!(time flush_slice, "RELAY_FLUSH_SLICE", MICROSECOND..=TURN_MAX,
            "Time after which writing gives way to reading and to fresher messages."),
        limit!(time flush_rest_max, "RELAY_FLUSH_REST_MAX", MICROSECOND..=TURN_MAX,
            "The longest turn of what an earlier one did not come to."),
    ],
};
