//! Questions of an instance: how they look, who is waited for, whose answers count.

use std::sync::atomic::Ordering;
use std::time::Duration;

use relay_hub::{
    Audience, Broadcast, Others, Packet, Publication, Question, Remote, Response, Room,
};
use relay_redis::cluster::Permissions;

use crate::instance::{Instance, Peer};
use crate::server::{PATIENCE, Redis};

fn instances(remote: Remote, request: u64) -> u32 {
    match remote {
        Remote::Response { request: about, response: Response::Instances(others) } => {
            assert_eq!(about, request);
            others
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_waits_for_all_who_are_counted_and_hears_those_who_repeat_its_id() {
    let redis = Redis::start(&[]);
    let mut it = Instance::start(&redis, Permissions::ALL, 1);
    // It counts, as a server would.
    let mut peer = Peer::new(&redis, "socket.io-request#/#");
    let audience = Audience::rooms(vec![Room::number(5.0)]);
    let asked = it.port.ask("/", 42, &Question::Sockets(audience), PATIENCE);
    assert_eq!(asked, Others::Awaited);
    assert_eq!(instances(it.next(), 42), 1);
    let request = peer.hears_text();
    let request: serde_json::Value = serde_json::from_str(&request).expect("JSON");
    assert_eq!(request["type"], 5);
    assert_eq!(request["opts"], serde_json::json!({"rooms": [5], "except": []}));
    let id = request["requestId"].as_str().expect("an id");
    let answer = |id: &str| format!(r#"{{"requestId":"{id}","sockets":[{{"id":"S2"}}]}}"#);
    peer.publish("socket.io-response#/#", answer("others").as_bytes());
    peer.publish("socket.io-response#/#", answer(id).as_bytes());
    let Remote::Response { request: 42, response: Response::Sockets(sockets) } = it.next() else {
        panic!("an answer")
    };
    assert_eq!(&*sockets[0].id, "S2");
    let uid = request["uid"].as_str().expect("an id");
    peer.publish(&format!("socket.io-response#/#{uid}#"), answer(id).as_bytes());
    assert!(matches!(it.next(), Remote::Response { request: 42, .. }), "on its own channel too");
    assert_eq!(it.cluster.stats().nobody.load(Ordering::Relaxed), 1);
}

#[test]
fn a_count_adds_up_what_instances_count_and_the_sockets_that_others_tell_of() {
    let redis = Redis::start(&[]);
    let mut it = Instance::start(&redis, Permissions::ALL, 1);
    let mut other = Instance::start(&redis, Permissions::ALL, 2);
    // It counts, as a server for Node would.
    let mut peer = Peer::new(&redis, "socket.io-request#/#");
    let audience = Audience::rooms(vec![Room::from("r")]).except(Room::number(7.0));
    let question = Question::Count(audience);
    assert_eq!(it.port.ask("/", 42, &question, PATIENCE), Others::Awaited);
    let request: serde_json::Value = serde_json::from_str(&peer.hears_text()).expect("JSON");
    assert_eq!((&request["type"], &request["relay"]), (&5.into(), &"count".into()));
    assert_eq!(request["opts"], serde_json::json!({"rooms": ["r"], "except": [7]}));
    let [id, uid] = ["requestId", "uid"].map(|it| request[it].as_str().expect("an id"));
    let Remote::Question { question: asked, .. } = other.answer_next() else {
        panic!("a question")
    };
    assert_eq!(asked, question);
    // Its list is longer than what is kept of a fetch.
    let list = vec![r#"{"id":"S","handshake":{"headers":{}},"rooms":["S"],"data":{}}"#; 30_000];
    let answer = format!(r#"{{"requestId":"{id}","sockets":[{}]}}"#, list.join(","));
    peer.publish("socket.io-response#/#", answer.as_bytes());
    let mut heard: Vec<Remote> = (0..3).map(|_| it.next()).collect();
    heard.sort_by_key(|it| format!("{it:?}"));
    let about = |response| Remote::Response { request: 42, response };
    let count = |sockets| about(Response::Count { sockets, complete: true });
    assert_eq!(heard, [count(1), count(30_000), about(Response::Instances(2))]);
    // Garbage, and answers to nothing that was asked, are none.
    let counts = format!("socket.io-relay-count#/#{uid}#");
    for answer in ["{}", &format!(r#"{{"requestId":"{id}","count":-1}}"#)] {
        peer.publish(&counts, answer.as_bytes());
    }
    peer.publish(&counts, br#"{"requestId":"others","count":1,"complete":true}"#);
    peer.publish(&counts, format!(r#"{{"requestId":"{id}","count":2}}"#).as_bytes());
    assert_eq!(it.next(), about(Response::Count { sockets: 2, complete: false }));
    assert_eq!(it.cluster.stats().nobody.load(Ordering::Relaxed), 1);
    assert_eq!(it.cluster.stats().garbage_by_label().map(|(_, count)| count).sum::<u64>(), 2);
    // Node counts those who hear requests, and nobody more.
    assert_eq!(peer.subscribers("socket.io-request#/#"), 3);
    assert_eq!((peer.subscribers(&counts), it.cluster.stats().own.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn two_instances_hear_each_other_and_not_themselves() {
    let redis = Redis::start(&[]);
    let mut a = Instance::start(&redis, Permissions::ALL, 1);
    let mut b = Instance::start(&redis, Permissions::ALL, 2);
    let broadcast = Broadcast::new(Packet::new(br#"["x",1]"#, &[]), Audience::all());
    let publication = Publication::Broadcast(broadcast.clone());
    a.port.publish("/", &publication);
    a.port.publish("/unserved", &publication);
    let expected = Remote::Publication { namespace: "/".into(), publication };
    assert_eq!(b.answer_next(), expected);
    let question = Question::Broadcast(broadcast);
    assert_eq!(a.port.ask("/", 7, &question, PATIENCE), Others::Awaited);
    let Remote::Question { question: asked, timeout, .. } = b.answer_next() else {
        panic!("a question")
    };
    assert_eq!((asked, timeout), (question, PATIENCE));
    let mut heard: Vec<Remote> = (0..3).map(|_| a.next()).collect();
    heard.sort_by_key(|it| format!("{it:?}"));
    let texts: Vec<String> = heard.iter().map(|it| format!("{it:?}")).collect();
    assert!(texts[0].contains("Ack(") && texts[1].contains("Instances(1)"), "{texts:?}");
    assert!(texts[2].contains("Receivers(2)"), "{texts:?}");
}

#[test]
fn without_redis_nobody_is_reached_and_too_many_questions_are_refused() {
    let mut redis = Redis::start(&[]);
    let mut it = Instance::start(&redis, Permissions::ALL, 1);
    let question = Question::ServerSideEvent("[\"x\"]".into());
    let mut ask = |request| it.port.ask("/", request, &question, Duration::from_secs(3_600));
    let asked: Vec<_> = (0..12).map(&mut ask).collect();
    assert_eq!(asked[..10], [Others::Awaited; 10]);
    it.port.done(3);
    let more: Vec<_> = (12..14)
        .map(|request| it.port.ask("/", request, &question, Duration::from_secs(3_600)))
        .collect();
    assert_eq!(more, [Others::Awaited, Others::Unreached]);
    assert_eq!(asked[10..], [Others::Unreached; 2]);
    redis.kill();
    while it.cluster.state() == relay_redis::link::State::Up {
        std::thread::sleep(Duration::from_millis(5));
    }
    let sockets = Question::Sockets(Audience::all());
    assert_eq!(it.port.ask("/", 99, &sockets, PATIENCE), Others::Unreached);
    assert_eq!(it.cluster.stats().questions_refused.load(Ordering::Relaxed), 3);
}
