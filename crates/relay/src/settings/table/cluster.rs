//! Settings of the cluster: where Redis is, what is said and believed there.

use std::time::Duration;

use relay_redis::classic::Parser;
use relay_redis::cluster::Permission;
use relay_redis::link::Address;

use super::{DAY, G, Group, K, M, MILLISECOND, Secrecy, Setting};
use crate::settings::kind::{Kind, Number, Place};

/// A bound of [`relay_hub::ClusterLimits`].
macro_rules! cluster {
    (bytes $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        cluster!(
            Kind::Bytes { place: number!(limits.cluster.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    (count $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        cluster!(
            Kind::Count { place: number!(limits.cluster.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    (time $field:ident, $variable:literal, $accepted:expr, $doc:literal) => {
        cluster!(
            Kind::Time { place: place!(limits.cluster.$field), accepted: $accepted },
            $field,
            $variable,
            $doc
        )
    };
    ($kind:expr, $field:ident, $variable:literal, $doc:literal) => {
        Setting::new($variable, concat!("limits.cluster_", stringify!($field)), $kind, $doc)
    };
}

pub(super) const REDIS: Group = Group {
    title: "Several instances",
    settings: &[
        Setting::new(
            "REDIS_URL",
            "redis.url",
            Kind::Text {
                place: place!(redis_url),
                what: "a URL such as redis://user:password@host:6379/0, or rediss:// for TLS",
                wrong: wrong_url,
            },
            "Where Redis is. All instances on it with the same prefix are one cluster, and so are \
             Socket.IO servers for Node with `@socket.io/redis-adapter`.",
        )
        .by_default("none: this instance is alone")
        .secret(Secrecy::Url),
        Setting::new(
            "REDIS_CA_FILE",
            "redis.ca_file",
            Kind::Text {
                place: place!(redis_ca_file),
                what: "the name of a file with certificates in PEM",
                wrong: nothing,
            },
            "With `rediss://` the authorities that are trusted.",
        )
        .by_default("those that the machine trusts"),
        Setting::new(
            "REDIS_PREFIX",
            "redis.prefix",
            Kind::Text { place: place!(redis_prefix), what: "a text", wrong: nothing },
            "What the names of all channels begin with; the option `key` of the Node adapter.",
        ),
        Setting::new(
            "REDIS_PARSER",
            "redis.parser",
            Kind::Choice { place: number!(redis_parser), words: &PARSERS },
            "How what crosses Redis is encoded; the option `parser` of the Node adapter and the \
             emitter. All instances of a cluster have the same. `json` is for \
             `{encode: JSON.stringify, decode: JSON.parse}`, and knows no binaries.",
        ),
        Setting::new(
            "REDIS_PEERS_MAY",
            "redis.peers_may",
            Kind::List {
                place: place!(redis_peers_may),
                what: "words behind commas: join, leave, disconnect, fetch, server_side_emit, or none",
                wrong: wrong_permissions,
            },
            "What other instances may ask this one to do, besides delivering what they send.",
        ),
    ],
};

/// The words for the parsers, in their order.
const PARSERS: [&str; 3] = [Parser::ALL[0].name(), Parser::ALL[1].name(), Parser::ALL[2].name()];

pub(super) const CLUSTER: Group = Group {
    title: "Bounds of the cluster",
    settings: &[
        cluster!(bytes queue_bytes_max, "RELAY_CLUSTER_QUEUE_BYTES_MAX", K..=8 * G,
            "What may wait to be published; what comes last is dropped and counted."),
        cluster!(bytes batch_bytes_max, "RELAY_CLUSTER_BATCH_BYTES_MAX", 1..=G,
            "What goes to Redis at a time."),
        cluster!(time batch_interval, "RELAY_CLUSTER_BATCH_INTERVAL", Duration::ZERO..=BATCH_MAX,
            "Time that messages in quick succession wait for each other on their way to Redis and \
             from there; after a silence they go at once."),
        cluster!(bytes read_bytes_max, "RELAY_CLUSTER_READ_BYTES_MAX", K..=8 * G,
            "What is read from Redis ahead of the shards."),
        cluster!(bytes message_bytes_max, "RELAY_CLUSTER_MESSAGE_BYTES_MAX", K..=8 * G,
            "One message of another instance; larger ones are counted and left out."),
        cluster!(count rooms_max, "RELAY_CLUSTER_ROOMS_MAX", 1..=10 * M,
            "Rooms that a message of another instance may name in one list."),
        cluster!(count questions_max, "RELAY_CLUSTER_QUESTIONS_MAX", 1..=10 * M,
            "Questions to other instances under way."),
        cluster!(time answer_timeout, "RELAY_CLUSTER_ANSWER_TIMEOUT", MILLISECOND..=DAY,
            "Time for the answers of other instances; `requestsTimeout` of the Node adapter."),
        cluster!(time connect_timeout, "RELAY_CLUSTER_CONNECT_TIMEOUT", MILLISECOND..=DAY,
            "Time for a connection to Redis."),
        cluster!(time response_timeout, "RELAY_CLUSTER_RESPONSE_TIMEOUT", MILLISECOND..=DAY,
            "Time for an answer of Redis."),
        cluster!(time ping_interval, "RELAY_CLUSTER_PING_INTERVAL", TICK_MIN..=DAY,
            "Silence after which Redis is asked whether it is there."),
        cluster!(time retry_min, "RELAY_CLUSTER_RETRY_MIN", MILLISECOND..=DAY,
            "Pause before the second attempt to connect; it doubles each time."),
        cluster!(time retry_max, "RELAY_CLUSTER_RETRY_MAX", MILLISECOND..=DAY,
            "The longest such pause."),
    ],
};

/// Clients would feel more.
const BATCH_MAX: Duration = Duration::from_secs(1);

/// A look at the connection twice within it must cost nothing.
const TICK_MIN: Duration = Duration::from_millis(10);

fn nothing(_: &str) -> Vec<String> {
    Vec::new()
}

/// The address itself is not repeated: there may be a password in it.
fn wrong_url(value: &str) -> Vec<String> {
    Address::parse(value)
        .err()
        .map(|accepted| format!("{accepted} is accepted"))
        .into_iter()
        .collect()
}

/// The word for no permission at all.
const NO_PERMISSIONS: &str = "none";

fn wrong_permissions(value: &str) -> Vec<String> {
    let words = value.split(',').map(str::trim);
    let is_known = |word: &str| Permission::ALL.iter().any(|it| it.name() == word);
    let unknown = words.filter(|it| *it != NO_PERMISSIONS && !is_known(it));
    unknown.map(|it| format!("{it} is nothing that may be allowed")).collect()
}
