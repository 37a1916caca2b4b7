//! Requests of peers, of every version, and what they are answered.

use std::sync::atomic::Ordering;

use relay_hub::{Audience, Broadcast, Bulk, BulkOp, Packet, Publication, Remote, Room};
use relay_redis::classic::{Parser, ShortId, write_broadcast};
use relay_redis::cluster::{Permission, Permissions};

use crate::instance::{EMPTY_ROOM, Instance, Peer};
use crate::server::Redis;

const RESPONSES: &str = "socket.io-response#/#";
/// Where counts for the instance `peer01` are published.
const COUNTS: &str = "socket.io-relay-count#/#peer01#";

struct Pair {
    instance: Instance,
    peer: Peer,
    redis: Redis,
}

fn pair(permissions: Permissions) -> Pair {
    let redis = Redis::start(&[]);
    let instance = Instance::start(&redis, permissions, 1);
    Pair { instance, peer: Peer::new(&redis, RESPONSES), redis }
}

impl Pair {
    /// Asks, lets the instance answer if it hears of it, and compares what comes back: nothing more
    /// and nothing less.
    fn check(&mut self, request: &str, is_heard: bool, expected: &[&str]) {
        self.peer.ask(request);
        if is_heard {
            self.instance.answer_next();
        }
        for answer in expected {
            assert_eq!(self.peer.hears_text(), *answer, "{request}");
        }
        self.fence(request);
    }

    /// Nothing more comes of what was asked before.
    fn fence(&mut self, request: &str) {
        self.peer.ask(r#"{"requestid":"fence","type":5}"#);
        assert_eq!(self.peer.hears_text(), r#"{"requestid":"fence","data":null}"#, "{request}");
    }

    /// Asks for something that is done and answered by nobody.
    fn check_change(&mut self, request: &str, audience: Audience, op: BulkOp) {
        self.peer.ask(request);
        let publication = Publication::Bulk(Bulk { audience, op, local: false });
        let expected = Remote::Publication { namespace: "/".into(), publication };
        assert_eq!(self.instance.next(), expected, "{request}");
        self.fence(request);
    }
}

#[test]
fn every_request_that_waits_for_an_answer_gets_one() {
    let mut it = pair(Permissions::ALL);
    let sockets = r#"{"requestId":"q","sockets":[{"id":"S1","handshake":{},"rooms":["S1","r",5],"data":null}]}"#;
    for (request, is_heard, expected) in [
        (
            r#"{"uid":"peer","requestId":"q","type":0,"rooms":[]}"#,
            true,
            &[r#"{"requestId":"q","sockets":["S1"]}"#][..],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":0,"rooms":["x"]}"#,
            true,
            &[r#"{"requestId":"q","sockets":[]}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":1}"#,
            true,
            &[r#"{"requestId":"q","rooms":["S1","r",5]}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":5,"opts":{"rooms":[5],"except":[]}}"#,
            true,
            &[sockets],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":5,"opts":{"rooms":["5"]}}"#,
            true,
            &[r#"{"requestId":"q","sockets":[]}"#],
        ),
        // What cannot be carried out, or can reach nobody, never comes to a shard.
        (
            r#"{"uid":"peer","requestId":"q","type":5,"opts":{"rooms":[null]}}"#,
            false,
            &[r#"{"requestId":"q","sockets":[]}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":5}"#,
            false,
            &[r#"{"requestId":"q","sockets":[]}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":6,"data":["hi"]}"#,
            true,
            &[r#"{"type":6,"requestId":"q","data":"done"}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":6,"data":7}"#,
            false,
            &[r#"{"type":6,"requestId":"q"}"#],
        ),
        (
            r#"{"uid":"peer","requestId":"q","type":7,"packet":{"type":2,"data":["connect"]},"opts":{}}"#,
            false,
            &[r#"{"type":8,"requestId":"q","clientCount":0}"#],
        ),
    ] {
        it.check(request, is_heard, expected);
    }
    let request = r#"{"uid":"peer","requestId":"q","type":7,"packet":{"type":2,"data":["q"]},"opts":{"rooms":[]}}"#;
    it.peer.ask(request);
    it.instance.answer_next();
    assert_eq!(it.peer.hears_text(), r#"{"type":8,"requestId":"q","clientCount":2}"#);
    assert_eq!(it.peer.hears(), b"\x83\xa4type\x09\xa9requestId\xa1q\xa6packet\xa2ok");
    it.fence(request);
}

#[test]
fn adapters_of_socket_io_2_are_answered_as_they_spell() {
    let mut it = pair(Permissions::ALL);
    for (request, is_heard, expected) in [
        (
            r#"{"requestid":"q","type":0,"rooms":["r"]}"#,
            true,
            &[r#"{"requestid":"q","clients":["S1"]}"#][..],
        ),
        (
            r#"{"requestid":"q","type":1,"sid":"S1"}"#,
            true,
            &[r#"{"requestid":"q","rooms":["S1","r",5]}"#],
        ),
        (r#"{"requestid":"q","type":1,"sid":"elsewhere"}"#, true, &[]),
        (r#"{"requestid":"q","type":2}"#, true, &[r#"{"requestid":"q","rooms":["S1","r",5]}"#]),
    ] {
        it.check(request, is_heard, expected);
    }
    // Whoever has the socket confirms; nobody else does. The change follows the question.
    for (socket, answers) in [("S1", &[r#"{"requestid":"q"}"#][..]), ("elsewhere", &[])] {
        it.check(
            &format!(r#"{{"requestid":"q","type":4,"sid":"{socket}","room":"r"}}"#),
            true,
            answers,
        );
        let Remote::Publication { publication: Publication::Bulk(bulk), .. } = it.instance.next()
        else {
            panic!("a change")
        };
        assert_eq!(bulk.audience, Audience::rooms(vec![Room::text(socket.as_bytes())]));
        assert_eq!(bulk.op, BulkOp::Leave(vec![Room::text(b"r")]));
    }
}

#[test]
fn changes_are_handed_on_in_both_forms() {
    let mut it = pair(Permissions::ALL);
    let whom = || Audience::rooms(vec![Room::text(b"a")]).except(Room::number(1.0));
    let rooms = vec![Room::text(b"x"), Room::number(5.0)];
    let opts = r#""opts":{"rooms":["a"],"except":[1]}"#;
    it.check_change(
        &format!(r#"{{"type":2,{opts},"rooms":["x",5]}}"#),
        whom(),
        BulkOp::Join(rooms.clone()),
    );
    it.check_change(
        &format!(r#"{{"uid":"peer","type":3,{opts},"rooms":["x",5]}}"#),
        whom(),
        BulkOp::Leave(rooms),
    );
    it.check_change(
        &format!(r#"{{"type":4,{opts},"close":true}}"#),
        whom(),
        BulkOp::Disconnect { close: true },
    );
    let one = Audience::rooms(vec![Room::text(b"S1")]);
    it.check_change(r#"{"type":4,"sid":"S1"}"#, one, BulkOp::Disconnect { close: false });
    it.check(r#"{"type":4,"opts":{"rooms":[null]},"close":true}"#, false, &[]);
}

#[test]
fn what_is_not_allowed_is_answered_with_nothing_and_not_done() {
    let mut it = pair(Permissions::NONE.with(Permission::Leave));
    let opts = r#""opts":{"rooms":[],"except":[]}"#;
    let empty: &[&str] = &[r#"{"requestId":"q","sockets":[]}"#];
    it.check(&format!(r#"{{"uid":"peer","requestId":"q","type":5,{opts}}}"#), false, empty);
    it.check(
        r#"{"requestId":"q","type":6,"data":["x"]}"#,
        false,
        &[r#"{"type":6,"requestId":"q"}"#],
    );
    it.check(&format!(r#"{{"type":4,{opts},"close":true}}"#), false, &[]);
    it.check(&format!(r#"{{"type":2,{opts},"rooms":["x"]}}"#), false, &[]);
    assert_eq!(it.instance.cluster.stats().forbidden.load(Ordering::Relaxed), 4);
    let leaves = BulkOp::Leave(vec![Room::text(b"x")]);
    it.check_change(&format!(r#"{{"type":3,{opts},"rooms":["x"]}}"#), Audience::all(), leaves);
}

/// A request of `peer01` to count the sockets of an audience.
fn count(opts: &str) -> String {
    format!(r#"{{"uid":"peer01","requestId":"q","type":5{opts},"relay":"count"}}"#)
}

#[test]
fn counts_are_told_to_the_asker_alone() {
    for (permissions, heard, expected) in [
        (Permissions::ALL, true, r#"{"requestId":"q","count":1,"complete":true}"#),
        // It does not pretend to have nobody.
        (Permissions::NONE, false, r#"{"requestId":"q","count":0,"complete":false}"#),
    ] {
        let mut it = pair(permissions);
        let mut asker = Peer::new(&it.redis, COUNTS);
        it.check(&count(r#","opts":{"rooms":["r",5],"except":[]}"#), heard, &[]);
        assert_eq!(asker.hears_text(), expected);
    }
    let mut it = pair(Permissions::ALL);
    let mut asker = Peer::new(&it.redis, COUNTS);
    // What can reach nobody, or makes no sense, never comes to a shard.
    for (opts, expected) in [
        (r#","opts":{"rooms":["empty"]}"#, r#"{"requestId":"q","count":0,"complete":true}"#),
        (r#","opts":{"rooms":[null]}"#, r#"{"requestId":"q","count":0,"complete":true}"#),
        (r#","opts":5"#, r#"{"requestId":"q","count":0,"complete":false}"#),
        ("", r#"{"requestId":"q","count":0,"complete":false}"#),
    ] {
        it.check(&count(opts), false, &[]);
        assert_eq!(asker.hears_text(), expected, "{opts}");
    }
    let counted: u64 = it.instance.cluster.stats().garbage_by_label().map(|(_, count)| count).sum();
    assert_eq!(counted, 2);
}

#[test]
fn garbage_is_counted_and_forgotten() {
    let mut it = pair(Permissions::ALL);
    for message in [&b"\xc1"[..], b"{", b"[]", b"\x80", b"{\"type\":99}", b"", b"\x93\xa1u\x80\x80"]
    {
        it.peer.publish("socket.io-request#/#", message);
        it.peer.publish("socket.io#/#", message);
        it.peer.publish("socket.io#/#room#", message);
        it.peer.publish(RESPONSES, message);
        assert_eq!(it.peer.hears(), message);
    }
    it.fence("garbage");
    let counted: u64 = it.instance.cluster.stats().garbage_by_label().map(|(_, count)| count).sum();
    assert_eq!(counted, 7 * 4);
}

#[test]
fn an_instance_that_ends_is_not_counted_any_more() {
    let Pair { instance, mut peer, redis: _redis } = pair(Permissions::ALL);
    let counted = ["socket.io-request#/#", RESPONSES];
    assert_eq!(counted.map(|it| peer.subscribers(it)), [1, 2]);
    instance.stop();
    assert_eq!(counted.map(|it| peer.subscribers(it)), [0, 1]);
}

/// `["peer", {type: 2, data: ["x"], nsp: "/"}, {rooms, except: [], flags: {}}]` in msgpack.
fn broadcast(rooms: &[&str]) -> Vec<u8> {
    let rooms = rooms.iter().map(|it| Room::from(*it)).collect();
    let broadcast = Broadcast::new(Packet::new(b"[\"x\"]", &[]), Audience::rooms(rooms));
    let mut out = Vec::new();
    let uid = ShortId::new([9; 6]);
    write_broadcast(&mut out, Parser::Notepack, &uid, "/", &broadcast, 1_000).expect("it is short");
    out
}

#[test]
fn what_is_for_rooms_without_members_goes_no_further_and_is_answered_all_the_same() {
    let mut it = pair(Permissions::ALL);
    let nobody = || it.instance.cluster.stats().nobody.load(Ordering::Relaxed);
    let before = nobody();
    it.peer.publish("socket.io#/#empty#", &broadcast(&[EMPTY_ROOM]));
    it.peer.publish("socket.io#/#r#", &broadcast(&["r"]));
    let Remote::Publication { publication: Publication::Broadcast(broadcast), .. } =
        it.instance.next()
    else {
        panic!("it is a broadcast");
    };
    assert_eq!(broadcast.audience.rooms, [Room::from("r")], "the other one comes first");
    assert_eq!(nobody() - before, 1);
    // Whoever waits for acknowledgements counts on an answer of every instance.
    let ask = r#"{"uid":"p","requestId":"q","type":7,"packet":{"type":2,"data":["x"],"nsp":"/"},"opts":{"rooms":["empty"],"except":[],"flags":{}}}"#;
    it.peer.ask(ask);
    assert!(matches!(it.instance.answer_next(), Remote::Question { .. }));
    assert_eq!(it.peer.hears_text(), r#"{"type":8,"requestId":"q","clientCount":2}"#);
}
