//! Every bound of the program, declared once: unit, default, reason.
//!
//! Nothing else in the workspace states a bound of its own. A bound that refuses something has a
//! counter in [`crate::stats::Stats`] or in the metrics of the crate that enforces it, and an
//! outcome that the peer can see; [`Limits::check`] asserts the relations between them.

mod calls;
mod cluster;
mod log;
mod metric;

use std::time::Duration;

pub use calls::CallLimits;
pub use cluster::ClusterLimits;
pub use log::LogLimits;
pub use metric::{METRIC_TYPE_NAMED_BYTES_MAX, METRIC_TYPES_NAMED_MAX, MetricLimits};

/// The bounds of one instance. Sizes are bytes, times are [`Duration`]s, counts say what of.
#[derive(Clone, Debug)]
pub struct Limits {
    // ---- Engine.IO and Socket.IO -------------------------------------------------------------
    /// Time between a pong (or the handshake) and the next ping. 25 s is Node's default and keeps
    /// connections alive behind proxies that cut after 60 s.
    pub ping_interval: Duration,
    /// Time a client has for its pong. Node's default.
    pub ping_timeout: Duration,
    /// A connection that joins no namespace within this time is closed. Node's default.
    pub connect_timeout: Duration,
    /// Largest packet (one WebSocket message), advertised as `maxPayload`. Node's default.
    pub payload_bytes_max: usize,
    /// Binary attachments of one packet: what the stock clients accept since parser 4.2.6.
    pub attachments_max: usize,
    /// One event with all its attachments, as received.
    pub message_bytes_max: usize,
    /// One event in any encoding that a receiver needs. Half an outbox, so that a single legal
    /// message evicts nobody.
    pub encoded_bytes_max: usize,
    /// Time in which the announced attachments of a packet must arrive.
    pub attachments_timeout: Duration,
    /// Nesting of the JSON in an event. Deeper is legal JSON, but kills clients whose parsers
    /// recurse (CPython stops near 1000).
    pub json_depth_max: u32,
    /// Nesting of msgpack that is decoded at all; what is deeper ends the connection. Above
    /// `json_depth_max`, so that whoever is a little too deep gets an answer.
    pub msgpack_depth_max: u32,
    /// Packets for a namespace that the server made a socket leave are ignored for this long,
    /// since they may have been on their way; after it they are a protocol error.
    pub left_namespace_grace: Duration,

    /// Time in which a WebSocket that asks to take a polling session over must do so. Node's
    /// default.
    pub upgrade_timeout: Duration,
    /// Whether sessions that begin by polling are offered the upgrade.
    pub allow_upgrades: bool,
    /// Time in which a polling client may come for the last packets of its session. Node's.
    pub poll_close_timeout: Duration,
    /// Packets of one polling response; some clients take no more.
    pub poll_packets_max: usize,

    // ---- Namespaces --------------------------------------------------------------------------
    /// Namespaces that exist only as long as they have sockets.
    pub namespaces_max: usize,
    /// Bytes of a namespace's name.
    pub namespace_name_bytes_max: usize,
    /// Namespaces that one connection is in, or has asked to join.
    pub namespaces_per_connection_max: usize,
    /// CONNECTs of one shard that the application has yet to decide on.
    pub decisions_max: usize,
    /// Of one connection's. Few clients must not take all of a shard's.
    pub decisions_per_connection_max: usize,
    /// Time that the application has to decide whether a session may begin, or a socket may join.
    pub decision_timeout: Duration,

    // ---- Rooms and acknowledgements ----------------------------------------------------------
    /// Rooms of one socket, the application's own not counted.
    pub rooms_per_socket_max: usize,
    /// Bytes of a room's name.
    pub room_name_bytes_max: usize,
    /// Rooms named in one request (`unirse`, `salir`, the `room` of a message).
    pub rooms_per_request_max: usize,
    /// Rooms of one shard, all namespaces together.
    pub rooms_per_shard_max: usize,
    /// Acknowledgements that the server awaits from one socket.
    pub acks_per_socket_max: usize,
    /// Broadcasts with acknowledgement, and questions to all instances, that one shard has under
    /// way.
    pub broadcast_acks_max: usize,
    /// Bytes of answers kept for one broadcast with acknowledgement; later ones are counted only.
    pub broadcast_ack_bytes_max: usize,
    /// Questions of other instances that one shard has under way; later ones are answered with
    /// nothing.
    pub remote_questions_max: usize,
    /// The longest that another instance's question is under way, however long it would wait.
    pub remote_question_timeout: Duration,
    /// Bytes of what is told of the sockets of an audience; the rest is left out.
    pub fetch_bytes_max: usize,
    /// Bytes of what came from other instances and waits for one shard; whoever brings more waits.
    pub remote_bytes_max: usize,
    /// Bytes of what a client says it is (`usuario`).
    pub user_bytes_max: usize,

    // ---- Queues ------------------------------------------------------------------------------
    /// Bytes waiting for one client. Past it, after a refused write, it is a slow consumer.
    pub outbox_bytes_max: usize,
    /// What an entry of an outbox costs beyond its bytes: keeps a flood of tiny frames bounded.
    pub outbox_entry_bytes: usize,
    /// A sender is not read while more than this of what it caused waits in a good part of the
    /// outboxes it went to.
    pub sender_window_bytes: usize,
    /// The part of a broadcast's receivers that may still wait for it before it weighs on its
    /// sender: one in this many.
    pub sender_window_share: u32,
    /// A receiver whose socket took less than `receiver_progress_bytes` for this long weighs on no
    /// sender any more.
    pub receiver_stall: Duration,
    /// What a receiver that is behind must take to count as one that reads.
    pub receiver_progress_bytes: usize,
    /// Broadcasts placed by one shard that some shard has not worked off.
    pub order_bytes_per_shard: usize,
    /// Sockets that the fan-out of broadcasts visits before others get a turn.
    pub fan_out_slice: usize,
    /// A broadcast with no more receivers than this on a shard does not wait for such a slice.
    pub fan_out_few: usize,
    /// Everything that peers can make the process hold: frames, partial messages, attachments.
    pub memory_bytes_max: usize,
    /// Step in which a shard publishes its share of that memory.
    pub memory_step_bytes: usize,

    // ---- The cluster -------------------------------------------------------------------------
    /// What passes between instances.
    pub cluster: ClusterLimits,

    // ---- The server --------------------------------------------------------------------------
    /// Bytes of one read call, and the size of the one read buffer of a shard.
    pub read_bytes: usize,
    /// Connections read in one pass.
    pub reads_per_pass: usize,
    /// Calls from other threads that wait for one shard.
    pub calls: CallLimits,
    /// Connections accepted in one pass of a listener.
    pub accepts_per_pass: usize,
    /// Time after which a flush gives way to reads and to fresher outboxes.
    pub flush_slice: Duration,
    /// The longest turn of the outboxes that an earlier flush did not come to.
    pub flush_rest_max: Duration,
    /// Kernel send buffer of one socket (`SO_SNDBUF`; the kernel doubles it for its bookkeeping).
    pub kernel_send_bytes: usize,
    /// What the kernel takes for one socket beyond what it could send (`TCP_NOTSENT_LOWAT`).
    pub kernel_unsent_bytes: u32,
    /// Pending connections of a listener.
    pub listen_backlog: u32,
    /// Time for the head of an HTTP request, and for the next one on a kept connection.
    pub http_head_timeout: Duration,
    /// Time for the body of an HTTP request, from its head to its last byte. Where a hook reads it,
    /// the time in which the hook wants nothing of it does not count.
    pub http_body_timeout: Duration,
    /// Time in which a hook of the program must answer an HTTP request.
    pub http_hook_timeout: Duration,
    /// Bytes of the body of a request that such a hook reads.
    pub http_hook_body_bytes_max: usize,
    /// Time in which the client must take some of what waits of an HTTP answer.
    pub http_write_timeout: Duration,
    /// Bytes of the head of an HTTP request.
    pub http_head_bytes_max: usize,
    /// Header fields of an HTTP request.
    pub http_headers_max: usize,
    /// Descriptors at the upper end that serve plain HTTP only.
    pub reserved_descriptors: usize,
    /// Life of a connection that uses a reserved descriptor.
    pub reserved_http_timeout: Duration,
    /// Time for the closing handshake before the TCP connection is dropped.
    pub close_timeout: Duration,

    // ---- Metrics and logs --------------------------------------------------------------------
    /// Those of metrics.
    pub metric: MetricLimits,

    /// Those of logs.
    pub log: LogLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            payload_bytes_max: 1_000_000,
            attachments_max: 10,
            message_bytes_max: 2_000_000,
            encoded_bytes_max: 4_000_000,
            attachments_timeout: Duration::from_secs(30),
            json_depth_max: 512,
            msgpack_depth_max: 4_096,
            left_namespace_grace: Duration::from_secs(30),
            upgrade_timeout: Duration::from_secs(10),
            allow_upgrades: true,
            poll_close_timeout: Duration::from_secs(30),
            poll_packets_max: 16,
            namespaces_max: 10_000,
            namespace_name_bytes_max: 256,
            namespaces_per_connection_max: 50,
            decisions_max: 20_000,
            decisions_per_connection_max: 8,
            decision_timeout: Duration::from_secs(10),
            rooms_per_socket_max: 1_000,
            room_name_bytes_max: 256,
            rooms_per_request_max: 100,
            rooms_per_shard_max: 1_000_000,
            acks_per_socket_max: 1_000,
            broadcast_acks_max: 1_000,
            broadcast_ack_bytes_max: 4_000_000,
            remote_questions_max: 1_000,
            remote_question_timeout: Duration::from_secs(60),
            fetch_bytes_max: 4_000_000,
            remote_bytes_max: 8_000_000,
            user_bytes_max: 1_024,
            outbox_bytes_max: 8_000_000,
            outbox_entry_bytes: 64,
            sender_window_bytes: 1_000_000,
            sender_window_share: 8,
            receiver_stall: Duration::from_secs(5),
            receiver_progress_bytes: 4_096,
            order_bytes_per_shard: 16_000_000,
            fan_out_slice: 512,
            fan_out_few: 64,
            memory_bytes_max: 2_000_000_000,
            memory_step_bytes: 65_536,
            cluster: ClusterLimits::default(),
            read_bytes: 65_536,
            reads_per_pass: 256,
            calls: CallLimits::default(),
            accepts_per_pass: 32,
            flush_slice: Duration::from_micros(200),
            flush_rest_max: Duration::from_millis(1),
            kernel_send_bytes: 262_144,
            kernel_unsent_bytes: 131_072,
            listen_backlog: 4_096,
            http_head_timeout: Duration::from_secs(10),
            http_body_timeout: Duration::from_secs(30),
            http_hook_timeout: Duration::from_secs(30),
            http_hook_body_bytes_max: 2_000_000,
            http_write_timeout: Duration::from_secs(30),
            http_head_bytes_max: 16_384,
            http_headers_max: 100,
            reserved_descriptors: 64,
            reserved_http_timeout: Duration::from_secs(2),
            close_timeout: Duration::from_secs(5),
            metric: MetricLimits::default(),
            log: LogLimits::default(),
        }
    }
}

/// Something that must hold between bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relation {
    /// The fields of [`Limits`] that it is about.
    pub limits: &'static [&'static str],
    /// What must hold, as a sentence for the operator.
    pub rule: &'static str,
    /// Whether it does.
    pub holds: bool,
}

impl Limits {
    /// Names the first relation between two bounds that does not hold.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), &'static str> {
        match self.relations().iter().find(|it| !it.holds) {
            Some(broken) => Err(broken.rule),
            None => Ok(()),
        }
    }

    /// Everything that must hold between bounds.
    #[must_use]
    pub fn relations(&self) -> Vec<Relation> {
        let relation = |holds, limits, rule| Relation { limits, rule, holds };
        let mut relations = vec![
            relation(
                self.encoded_bytes_max * 2 <= self.outbox_bytes_max,
                &["encoded_bytes_max", "outbox_bytes_max"],
                "a single message must fit twice into an outbox",
            ),
            relation(
                self.message_bytes_max * 2 <= self.encoded_bytes_max,
                &["message_bytes_max", "encoded_bytes_max"],
                "a message must fit twice into its encodings",
            ),
            relation(
                self.payload_bytes_max <= self.message_bytes_max,
                &["payload_bytes_max", "message_bytes_max"],
                "a packet must fit into a message with attachments",
            ),
            relation(
                self.order_bytes_per_shard >= self.message_bytes_max + self.read_bytes,
                &["order_bytes_per_shard", "message_bytes_max", "read_bytes"],
                "a shard's share of the order must hold one largest message and one read",
            ),
            relation(
                self.outbox_bytes_max <= self.memory_bytes_max,
                &["outbox_bytes_max", "memory_bytes_max"],
                "the memory budget must hold one outbox",
            ),
            relation(
                self.json_depth_max < self.msgpack_depth_max,
                &["json_depth_max", "msgpack_depth_max"],
                "msgpack must be decoded deeper than JSON may nest",
            ),
            relation(
                self.reserved_http_timeout < self.http_head_timeout,
                &["reserved_http_timeout", "http_head_timeout"],
                "a reserved descriptor must be freed sooner than an ordinary one",
            ),
            relation(
                self.flush_slice <= self.flush_rest_max,
                &["flush_slice", "flush_rest_max"],
                "a slice of a flush must fit a turn of it",
            ),
            relation(
                self.poll_packets_max > self.attachments_max,
                &["poll_packets_max", "attachments_max"],
                "a polling response must hold a packet and all its attachments",
            ),
            relation(
                self.encoded_bytes_max <= self.cluster.queue_bytes_max
                    && self.encoded_bytes_max <= self.cluster.message_bytes_max,
                &["encoded_bytes_max", "cluster_queue_bytes_max", "cluster_message_bytes_max"],
                "a message must fit into the queue to other instances, and be taken by them",
            ),
            relation(self.fan_out_slice > 0, &["fan_out_slice"], "it must not be 0"),
            relation(self.sender_window_share > 0, &["sender_window_share"], "it must not be 0"),
            relation(
                self.reads_per_pass > 0 && self.accepts_per_pass > 0,
                &["reads_per_pass", "accepts_per_pass"],
                "a pass must do something",
            ),
        ];
        relations.extend(self.cluster.relations());
        relations
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn the_defaults_are_consistent() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn a_broken_relation_is_named() {
        let limits = Limits { outbox_bytes_max: 1_000, ..Limits::default() };
        assert!(limits.check().unwrap_err().contains("outbox"));
    }
}
