//! Settings of the protocol: Engine.IO, Socket.IO, namespaces and rooms.

use std::time::Duration;

use super::{DAY, G, Group, K, M, Setting};
use crate::settings::kind::{Kind, Number, Place};

/// The shortest heartbeat: below it a busy machine takes live clients for dead ones.
const BEAT: Duration = Duration::from_millis(100);
/// A count that no machine reaches.
const MANY: u64 = 100_000_000;

pub(super) const PROTOCOL: Group = Group {
    title: "Engine.IO and Socket.IO",
    settings: &[
        limit!(time ping_interval, "RELAY_PING_INTERVAL", BEAT..=DAY,
            "Time between a pong and the next ping; clients are told. Keep it below the idle \
             time-out of every proxy on the way."),
        limit!(time ping_timeout, "RELAY_PING_TIMEOUT", BEAT..=DAY,
            "Time a client has for its pong; clients are told."),
        limit!(time connect_timeout, "RELAY_CONNECT_TIMEOUT", BEAT..=DAY,
            "A connection that joins no namespace within this time is closed."),
        limit!(bytes payload_bytes_max, "RELAY_PAYLOAD_BYTES_MAX", K..=G,
            "Largest packet, polling request and polling response; clients are told (`maxPayload`)."),
        limit!(count attachments_max, "RELAY_ATTACHMENTS_MAX", 0..=10,
            "Binary attachments of one event. Stock clients accept no more than 10."),
        limit!(bytes message_bytes_max, "RELAY_MESSAGE_BYTES_MAX", K..=G,
            "One event with all its attachments, as received."),
        limit!(bytes encoded_bytes_max, "RELAY_ENCODED_BYTES_MAX", K..=2 * G,
            "One event in any encoding that a receiver needs; what is larger is refused."),
        limit!(time attachments_timeout, "RELAY_ATTACHMENTS_TIMEOUT", BEAT..=DAY,
            "Time in which the announced attachments of an event must arrive."),
        limit!(count json_depth_max, "RELAY_JSON_DEPTH_MAX", 1..=10_000,
            "Nesting of the JSON in an event. Some clients crash on deep values."),
        limit!(count msgpack_depth_max, "RELAY_MSGPACK_DEPTH_MAX", 2..=100_000,
            "Nesting of msgpack that is decoded at all; what is deeper ends the connection."),
        limit!(time left_namespace_grace, "RELAY_LEFT_NAMESPACE_GRACE", Duration::ZERO..=DAY,
            "Packets for a namespace that the server made a socket leave are ignored for this \
             long; after it they are an error."),
        limit!(time upgrade_timeout, "RELAY_UPGRADE_TIMEOUT", BEAT..=DAY,
            "Time in which a WebSocket that takes a polling session over must do so."),
        limit!(switch allow_upgrades, "RELAY_ALLOW_UPGRADES",
            "Whether sessions that begin by polling are offered the WebSocket."),
        limit!(time poll_close_timeout, "RELAY_POLL_CLOSE_TIMEOUT", BEAT..=DAY,
            "Time in which a polling client may come for the last packets of its session."),
        limit!(count poll_packets_max, "RELAY_POLL_PACKETS_MAX", 1..=10_000,
            "Packets of one polling response. Some clients accept no more than 16."),
    ],
};

pub(super) const NAMESPACES: Group = Group {
    title: "Namespaces",
    settings: &[
        limit!(count namespaces_max, "RELAY_NAMESPACES_MAX", 1..=M,
            "Namespaces that exist only as long as they have sockets."),
        limit!(bytes namespace_name_bytes_max, "RELAY_NAMESPACE_NAME_BYTES_MAX", 16..=64 * K,
            "The name of a namespace."),
        limit!(count namespaces_per_connection_max, "RELAY_NAMESPACES_PER_CONNECTION_MAX", 1..=10_000,
            "Namespaces that one connection is in or has asked for."),
        limit!(count decisions_max, "RELAY_DECISIONS_MAX", 1..=M,
            "Requests to join a namespace that one shard decides on at a time."),
        limit!(count decisions_per_connection_max, "RELAY_DECISIONS_PER_CONNECTION_MAX", 1..=10_000,
            "Of one connection's; few clients must not take all of a shard's."),
        limit!(time decision_timeout, "RELAY_DECISION_TIMEOUT", BEAT..=DAY,
            "Time that such a decision may take."),
    ],
};

pub(super) const ROOMS: Group = Group {
    title: "Rooms and acknowledgements",
    settings: &[
        limit!(count rooms_per_socket_max, "RELAY_ROOMS_PER_SOCKET_MAX", 1..=MANY,
            "Rooms that one socket may join."),
        limit!(bytes room_name_bytes_max, "RELAY_ROOM_NAME_BYTES_MAX", 20..=64 * K,
            "The name of a room."),
        limit!(count rooms_per_request_max, "RELAY_ROOMS_PER_REQUEST_MAX", 1..=10_000,
            "Rooms named in one request."),
        limit!(count rooms_per_shard_max, "RELAY_ROOMS_PER_SHARD_MAX", 1..=MANY,
            "Rooms of one shard, all namespaces together."),
        limit!(count acks_per_socket_max, "RELAY_ACKS_PER_SOCKET_MAX", 1..=M,
            "Acknowledgements awaited from one socket."),
        limit!(count broadcast_acks_max, "RELAY_BROADCAST_ACKS_MAX", 1..=M,
            "Broadcasts with acknowledgement, and questions to all instances, that one shard has under way."),
        limit!(bytes broadcast_ack_bytes_max, "RELAY_BROADCAST_ACK_BYTES_MAX", K..=G,
            "Answers kept for one broadcast with acknowledgement; later ones are only counted."),
        limit!(count remote_questions_max, "RELAY_REMOTE_QUESTIONS_MAX", 1..=M,
            "Questions of other instances that one shard has under way; later ones are answered with nothing."),
        limit!(time remote_question_timeout, "RELAY_REMOTE_QUESTION_TIMEOUT", BEAT..=DAY,
            "The longest that another instance's question is under way."),
        limit!(bytes fetch_bytes_max, "RELAY_FETCH_BYTES_MAX", K..=G,
            "What is told of the sockets of an audience; the rest is left out."),
        limit!(bytes remote_bytes_max, "RELAY_REMOTE_BYTES_MAX", 64 * K..=G,
            "What came from other instances and waits for one shard; whoever brings more waits."),
        limit!(bytes user_bytes_max, "RELAY_USER_BYTES_MAX", 16..=M,
            "What a client says it is."),
    ],
};
