//! Settings that belong to features that are not there yet. Naming one ends the start; once its
//! feature is there a row moves to its place with a real kind.

use super::{Group, Secrecy, Setting};
use crate::settings::kind::Kind;

const KAFKA: &str = "export to Kafka";
const MONGO: &str = "history in MongoDB";
const WEBRTC: &str = "WebRTC signalling";

const fn missing(
    variable: &'static str,
    key: &'static str,
    feature: &'static str,
    doc: &'static str,
) -> Setting {
    Setting::new(variable, key, Kind::NotYet { feature, off: None }, doc)
}

pub(super) const MISSING: Group = Group {
    title: "Not there yet",
    settings: &[
        missing("KAFKA_BROKERS", "kafka.brokers", KAFKA, "Where Kafka is."),
        missing("MONGO_URL", "mongo.url", MONGO, "Where MongoDB is.").secret(Secrecy::Url),
        missing("MONGODB_URL", "", MONGO, "Another name of MONGO_URL.").secret(Secrecy::Url),
        missing("MONGO_DB_NAME", "mongo.db_name", MONGO, "Name of the database."),
        missing(
            "MONGO_COLLECTIONS_MESSAGES",
            "mongo.collections_messages",
            MONGO,
            "Name of the collection of messages.",
        ),
        missing(
            "MONGO_COLLECTIONS_CONNECTIONS",
            "mongo.collections_connections",
            MONGO,
            "Name of the collection of connections.",
        ),
        missing(
            "MONGO_COLLECTIONS_EVENTS",
            "mongo.collections_events",
            MONGO,
            "Name of the collection of events.",
        ),
        missing(
            "MONGO_COLLECTIONS_LOGS",
            "mongo.collections_logs",
            MONGO,
            "Name of the collection of logs.",
        ),
        Setting::new(
            "WEBRTC_ENABLED",
            "webrtc.enabled",
            Kind::NotYet { feature: WEBRTC, off: Some("false") },
            "WebRTC signalling; `false`, which asks for what there is, is accepted.",
        ),
        missing("STUN_SERVERS", "webrtc.stun_servers", WEBRTC, "STUN servers for clients."),
        missing("TURN_URL", "webrtc.turn_url", WEBRTC, "A TURN server for clients."),
        missing("TURN_USERNAME", "webrtc.turn_username", WEBRTC, "Who clients are to it."),
        missing("TURN_CREDENTIAL", "webrtc.turn_credential", WEBRTC, "Their password.")
            .secret(Secrecy::Secret),
    ],
};
