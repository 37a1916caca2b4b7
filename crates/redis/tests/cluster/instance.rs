//! An instance of one shard without clients: it keeps what it is given and gives fixed answers; and
//! a peer that speaks through Redis by hand.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use relay_hub::{
    AckValue, Audience, Bytes, Cluster, Limits, Question, Remote, Response, Room, Serving,
    SocketInfo,
};
use relay_redis::classic::{DEFAULT_PREFIX, DecodeLimits, Parser};
use relay_redis::cluster::{Classic, ClusterSettings, Permissions, Running, Shards, ShardsLater};
use relay_redis::link::{Address, LinkSettings, State};

use crate::server::{PATIENCE, Redis};

/// A room without members.
pub(crate) const EMPTY_ROOM: &str = "empty";

#[derive(Clone)]
struct Inbox(Sender<Remote>);

impl Shards for Inbox {
    fn count(&self) -> usize {
        1
    }

    fn have(&self, _: &str, audience: &Audience) -> bool {
        // There is nobody in the room of this name.
        audience.rooms != [Room::from(EMPTY_ROOM)]
    }

    async fn put(&self, shard: usize, remote: Remote) {
        assert_eq!(shard, 0);
        // The test may be over.
        let _ = self.0.send(remote);
    }

    fn wake(&self, shard: usize) {
        assert_eq!(shard, 0);
    }
}

/// An instance that serves `/`.
pub(crate) struct Instance {
    pub(crate) cluster: Classic,
    pub(crate) port: Box<dyn Cluster + Send>,
    remotes: Receiver<Remote>,
    running: Running,
}

fn settings(permissions: Permissions) -> ClusterSettings {
    let limits = Limits::default();
    ClusterSettings {
        prefix: DEFAULT_PREFIX.to_owned(),
        parser: Parser::default(),
        link: LinkSettings {
            batch_bytes_max: limits.cluster.batch_bytes_max,
            inbound_bytes_max: limits.cluster.read_bytes_max,
            message_bytes_max: limits.cluster.message_bytes_max,
            connect_timeout: PATIENCE,
            response_timeout: PATIENCE,
            ping_interval: PATIENCE,
            retry_min: Duration::from_millis(10),
            retry_max: Duration::from_millis(100),
        },
        turn_interval: limits.cluster.batch_interval,
        queue_bytes_max: limits.cluster.queue_bytes_max,
        encoded_bytes_max: limits.encoded_bytes_max,
        decode: DecodeLimits {
            message_bytes_max: limits.cluster.message_bytes_max,
            depth_max: limits.json_depth_max,
            attachments_max: limits.attachments_max,
            rooms_max: limits.cluster.rooms_max,
            fetch_bytes_max: limits.fetch_bytes_max,
        },
        answer_timeout: PATIENCE,
        questions_max: 10,
        permissions,
    }
}

impl Instance {
    pub(crate) fn start(redis: &Redis, permissions: Permissions, seed: u8) -> Self {
        let cluster = Classic::new(settings(permissions), [seed; 32]);
        let (inbox, remotes) = channel();
        let later = ShardsLater::default();
        let mut port = cluster.port(0, &later);
        port.serve("/", Serving::Begins);
        let address = Address::parse(&redis.url()).expect("a URL");
        let running = cluster.start(address, 7, Inbox(inbox), &later, drop).expect("a thread");
        while cluster.state() != State::Up {
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { cluster, port, remotes, running }
    }

    /// The next thing that comes from other instances.
    pub(crate) fn next(&self) -> Remote {
        self.remotes.recv_timeout(PATIENCE).expect("something from another instance")
    }

    /// The same, and answers it if it is a question: there is one socket `S1`, in the rooms `r` and
    /// 5; two clients get every broadcast, and one of them acknowledges it.
    pub(crate) fn answer_next(&mut self) -> Remote {
        let remote = self.next();
        if let Remote::Question { asker, question, .. } = &remote {
            match question {
                Question::Sockets(audience) => {
                    self.port.answer(asker, Response::Sockets(found(audience)));
                }
                Question::Count(audience) => {
                    let sockets = found(audience).len() as u64;
                    self.port.answer(asker, Response::Count { sockets, complete: true });
                }
                Question::Rooms => self.port.answer(asker, Response::Rooms(rooms())),
                Question::ServerSideEvent(_) => {
                    let answer = Bytes::from_static(b"\"done\"");
                    self.port.answer(asker, Response::ServerSide(Some(answer)));
                }
                Question::Broadcast(_) => {
                    self.port.answer(asker, Response::Receivers(2));
                    let value = AckValue::json(Bytes::from_static(b"\"ok\""));
                    self.port.answer(asker, Response::Ack(value));
                }
            }
        }
        remote
    }

    pub(crate) fn stop(self) {
        self.running.stop(PATIENCE);
    }
}

fn rooms() -> Vec<Room> {
    vec![Room::text(b"S1"), Room::text(b"r"), Room::number(5.0)]
}

fn found(audience: &Audience) -> Vec<SocketInfo> {
    if !audience.rooms.is_empty() && !audience.rooms.iter().any(|it| rooms().contains(it)) {
        return Vec::new();
    }
    let text = |it: &str| Box::from(it);
    vec![SocketInfo { id: text("S1"), handshake: text("{}"), rooms: rooms(), data: text("null") }]
}

/// A peer by hand, on the channels of `/`.
pub(crate) struct Peer {
    publisher: redis::Connection,
    subscriber: redis::Connection,
}

impl Peer {
    /// Listens to what arrives on `channel`.
    pub(crate) fn new(redis: &Redis, channel: &str) -> Self {
        let client = redis::Client::open(redis.url()).expect("a URL");
        let publisher = client.get_connection().expect("Redis");
        let mut subscriber = client.get_connection().expect("Redis");
        subscriber.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        redis::cmd("SUBSCRIBE").arg(channel).exec(&mut subscriber).expect("Redis");
        Self { publisher, subscriber }
    }

    pub(crate) fn publish(&mut self, channel: &str, message: &[u8]) {
        redis::cmd("PUBLISH").arg(channel).arg(message).exec(&mut self.publisher).expect("Redis");
    }

    pub(crate) fn ask(&mut self, request: &str) {
        self.publish("socket.io-request#/#", request.as_bytes());
    }

    /// The next message on the channel.
    pub(crate) fn hears(&mut self) -> Vec<u8> {
        let value = self.subscriber.recv_response().expect("a message");
        let message = redis::Msg::from_value(&value).expect("a message");
        message.get_payload_bytes().to_vec()
    }

    pub(crate) fn hears_text(&mut self) -> String {
        String::from_utf8_lossy(&self.hears()).into_owned()
    }

    pub(crate) fn subscribers(&mut self, channel: &str) -> u64 {
        let counted: (String, u64) = redis::cmd("PUBSUB")
            .arg("NUMSUB")
            .arg(channel)
            .query(&mut self.publisher)
            .expect("Redis");
        counted.1
    }
}
