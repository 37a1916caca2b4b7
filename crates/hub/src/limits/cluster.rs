//! The bounds of what passes between instances.

use std::time::Duration;

use super::Relation;

/// What waits, what is taken, and for how long somebody is waited for. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct ClusterLimits {
    /// Bytes that wait to be published to other instances; what comes last is dropped. Two seconds
    /// of a busy instance: what is older is of no use.
    pub queue_bytes_max: usize,
    /// Bytes that go out in one pipeline. Large enough that its round trip does not count, small
    /// enough that the first of it does not wait for the last.
    pub batch_bytes_max: usize,
    /// Time between two looks at Redis under load, in both directions. What is published, and what
    /// arrives, in quick succession shares one: each costs Redis and every instance a way through
    /// the kernel. After a silence nothing waits.
    pub batch_interval: Duration,
    /// Bytes that are read ahead of the shards. Redis holds what is beyond, and cuts a subscriber
    /// off at 32 MB of its own.
    pub read_bytes_max: usize,
    /// One message of another instance. What a fetch of all sockets of a large instance takes.
    pub message_bytes_max: usize,
    /// Rooms that a message of another instance names in one list.
    pub rooms_max: usize,
    /// Questions to other instances under way.
    pub questions_max: usize,
    /// Time for answers to a question that names none. Node's default.
    pub answer_timeout: Duration,
    /// Time for a connection: TCP, authentication.
    pub connect_timeout: Duration,
    /// Time for an answer of Redis itself.
    pub response_timeout: Duration,
    /// Silence after which Redis is asked whether it is there. With the time for its answer it is
    /// how long a Redis that stopped is believed in.
    pub ping_interval: Duration,
    /// Pause before the second attempt to connect; it doubles.
    pub retry_min: Duration,
    /// The longest such pause. Short, since messages are lost meanwhile.
    pub retry_max: Duration,
}

impl Default for ClusterLimits {
    fn default() -> Self {
        Self {
            queue_bytes_max: 16_000_000,
            batch_bytes_max: 262_144,
            batch_interval: Duration::from_millis(2),
            read_bytes_max: 8_000_000,
            message_bytes_max: 32_000_000,
            rooms_max: 10_000,
            questions_max: 10_000,
            answer_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(3),
            ping_interval: Duration::from_secs(3),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(2),
        }
    }
}

impl ClusterLimits {
    /// What must hold between them.
    pub(super) fn relations(&self) -> [Relation; 2] {
        let relation = |holds, limits, rule| Relation { limits, rule, holds };
        [
            relation(
                self.batch_interval <= self.ping_interval / 4,
                &["cluster_batch_interval", "cluster_ping_interval"],
                "a silent Redis is noticed only by who looks often enough",
            ),
            relation(
                self.retry_min <= self.retry_max,
                &["cluster_retry_min", "cluster_retry_max"],
                "the first pause between attempts must not be longer than the longest",
            ),
        ]
    }
}
