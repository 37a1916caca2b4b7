//! What instances ask each other, within bounds, and what is made of answers that are none.

use std::time::Duration;

use relay_hub::{
    AckValue, Asker, Audience, Broadcast, Limits, Packet, Question, Remote, Response, Room,
    SocketInfo,
};

use super::{check, outcomes};
use crate::sim::{Answering, Fact, Fleet, Outcome, json};

#[test]
fn what_is_told_of_sockets_is_bounded() {
    let limits = Limits { fetch_bytes_max: 1_000, ..Limits::default() };
    let mut fleet = Fleet::new(&limits, 2, 2, 1);
    for n in 0..20 {
        fleet.worlds[1].join(n % 2);
    }
    let id = fleet.worlds[0].join(0);
    fleet.worlds[0].clients[id].emit("[\"fetch\",1000]");
    fleet.settle();
    let [Outcome::Fetched(sockets, false)] = &outcomes(&fleet, 0)[..] else { panic!("one, cut") };
    assert!((1..10).contains(&sockets.len()), "{}", sockets.len());
    assert!(fleet.worlds[1].stat(|stats| stats.fetches_cut.get()) > 0);
    fleet.finish();
}

#[test]
fn an_answer_without_the_others_is_not_whole() {
    check(0, |fleet| {
        for (is_cut_off, is_whole) in [(true, false), (false, true)] {
            fleet.post.borrow_mut().is_cut_off = is_cut_off;
            let before = outcomes(fleet, 0).len();
            for question in ["[\"fetch\",1000]", "[\"ask-all\",1000]"] {
                fleet.worlds[0].clients[0].emit(question);
                fleet.settle();
            }
            let all = outcomes(fleet, 0);
            let whole = all[before..].iter().map(|outcome| match outcome {
                Outcome::Fetched(_, complete) => *complete,
                Outcome::Broadcast(answers) => answers.complete,
                other => panic!("{other:?}"),
            });
            // Without waiting for those who were not asked.
            assert_eq!(whole.collect::<Vec<_>>(), [is_whole; 2]);
            assert!(fleet.post.borrow().asked.is_empty());
        }
    });
}

#[test]
fn each_of_the_others_has_one_part_in_an_answer() {
    let mut fleet = Fleet::new(&Limits::default(), 2, 2, 1);
    let id = fleet.worlds[0].join(0);
    fleet.worlds[1].join(0);
    fleet.post.borrow_mut().mute.push(1);
    fleet.worlds[0].clients[id].emit("[\"fetch\",1000]");
    fleet.worlds[0].read_all(0);
    let info = |id: &str| SocketInfo {
        id: id.into(),
        handshake: "{}".into(),
        rooms: Vec::new(),
        data: "{}".into(),
    };
    // The other shard has yet to say its part.
    let parts = [Response::Instances(1)]
        .into_iter()
        .chain(["a", "b", "c"].map(|id| Response::Sockets(vec![info(id)])));
    for part in parts {
        fleet.worlds[0].take_remote(0, Remote::Response { request: 0, response: part });
    }
    fleet.settle();
    let [Outcome::Fetched(sockets, true)] = &outcomes(&fleet, 0)[..] else { panic!("one outcome") };
    assert_eq!(sockets.len(), 2, "{sockets:?}");
    fleet.finish();
}

#[test]
fn the_rooms_of_an_instance_are_told_each_once() {
    let mut fleet = Fleet::new(&Limits::default(), 2, 2, 1);
    let ids = [0, 1, 1].map(|shard| fleet.worlds[1].join(shard));
    for id in ids {
        fleet.worlds[1].clients[id].emit("[\"join\",\"r\"]");
    }
    fleet.settle();
    for namespace in ["/", "/other", "/nowhere"] {
        let question = Remote::Question {
            namespace: namespace.into(),
            asker: Asker("0 0 7".into()),
            question: Question::Rooms,
            timeout: Duration::from_secs(1),
        };
        fleet.worlds[1].take_remote(1, question);
    }
    while fleet.worlds[1].step() {}
    let mut said = fleet.answers_of(1);
    said.sort_by_key(|response| matches!(response, Response::Rooms(rooms) if !rooms.is_empty()));
    let [Response::Rooms(none), Response::Rooms(neither), Response::Rooms(rooms)] = &said[..]
    else {
        panic!("three answers: {said:?}");
    };
    assert!(none.is_empty() && neither.is_empty());
    let mut expected: Vec<_> =
        ids.iter().map(|&id| Room::from(fleet.worlds[1].clients[id].socket_id())).collect();
    expected.push(Room::from("r"));
    assert!(rooms.len() == 4 && expected.iter().all(|room| rooms.contains(room)), "{rooms:?}");
    fleet.finish();
}

#[test]
fn applications_hear_of_each_other() {
    check(0, |fleet| {
        let sent = fleet.worlds[0].call(0, |cx| cx.server_side_emit("/other", "[\"news\",1]"));
        assert_eq!(sent, Ok(()));
        for args in ["[\"question\",2]", "[\"nobody answers\"]"] {
            let token = {
                let mut log = fleet.worlds[0].log.borrow_mut();
                log.tokens += 1;
                log.tokens - 1
            };
            let second = Duration::from_secs(1);
            let asked = fleet.worlds[0]
                .call(0, |cx| cx.server_side_emit_with_ack("/", args, second, token));
            assert_eq!(asked, Ok(()));
        }
        fleet.settle();
        let others = fleet.worlds.len() - 1;
        let heard =
            |namespace: &str, args: &str, wanted| (namespace.to_owned(), args.to_owned(), wanted);
        assert_eq!(fleet.worlds[0].log.borrow().server_side, []);
        for world in &fleet.worlds[1..] {
            let expected = [
                heard("/other", "[\"news\",1]", false),
                heard("/", "[\"question\",2]", true),
                heard("/", "[\"nobody answers\"]", true),
            ];
            assert_eq!(world.log.borrow().server_side, expected);
        }
        let expected: Vec<_> = ["[\"question\",2]", "null"].map(|it| vec![it; others]).into();
        let answers = outcomes(fleet, 0).into_iter().map(|outcome| match outcome {
            Outcome::Broadcast(it) if it.complete => {
                it.answers.into_iter().map(|answer| answer.json).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(answers.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn questions_of_others_are_bounded_and_answered_all_the_same() {
    let limits = Limits { remote_questions_max: 2, broadcast_acks_max: 1, ..Limits::default() };
    let mut fleet = Fleet::new(&limits, 2, 1, 1);
    for world in &mut fleet.worlds {
        let id = world.join(0);
        world.clients[id].answering = Answering::Never;
    }
    for n in 0..4 {
        let broadcast = Broadcast::new(Packet::new(b"[\"a\"]", &[]), Audience::all());
        let question = Remote::Question {
            namespace: "/".into(),
            asker: Asker(format!("0 0 {}", 100 + n).into()),
            question: Question::Broadcast(broadcast),
            timeout: Duration::MAX,
        };
        fleet.worlds[1].take_remote(0, question);
    }
    while fleet.worlds[1].step() {}
    let said = fleet.answers_of(1);
    let count = |n| said.iter().filter(|it| **it == Response::Receivers(n)).count();
    assert_eq!((count(1), count(0), said.len()), (2, 2, 4));
    assert_eq!(fleet.worlds[1].stat(|stats| stats.remote_questions_refused.get()), 2);
    // What others ask takes no room from what the application asks.
    fleet.worlds[1].clients[0].answering = Answering::Once;
    fleet.worlds[1].clients[0].emit("[\"fetch\",1000]");
    fleet.settle();
    assert!(matches!(&outcomes(&fleet, 1)[..], [Outcome::Fetched(them, true)] if them.len() == 2));
    // Who would wait for ever takes up no room for ever.
    fleet.advance(59_999);
    assert_eq!(fleet.worlds[1].hub(0).questions(), 2);
    fleet.advance(1);
    assert_eq!(fleet.worlds[1].hub(0).questions(), 0);
    fleet.finish();
}

#[test]
fn answers_that_nobody_asked_for_mean_nothing() {
    check(0, |fleet| {
        fleet.worlds[1].clients[0].answering = Answering::Never;
        fleet.worlds[0].clients[0].emit("[\"ask-all\",500]");
        // The other shards have yet to say how many of their sockets are asked.
        fleet.worlds[0].read_all(0);
        for request in 0..3 {
            for shard in 0..fleet.worlds[0].instance.shards() {
                for said in [
                    Response::Rooms(vec![Room::from("r")]),
                    Response::Sockets(Vec::new()),
                    Response::ServerSide(None),
                    Response::Receivers(u32::MAX),
                    Response::Ack(AckValue::json(json("1"))),
                    Response::Instances(0),
                ] {
                    fleet.forge(0, shard, request, said);
                }
            }
        }
        fleet.settle();
        fleet.advance(500);
        let whole = fleet.worlds[0].log.borrow();
        let ended = whole.all.iter().filter(|fact| matches!(fact, Fact::Outcome { .. })).count();
        assert_eq!(ended, 1);
    });
}

#[test]
fn binaries_of_acknowledgements_cross_instances() {
    check(0, |fleet| {
        for world in &mut fleet.worlds {
            for client in &mut world.clients {
                client.answering = Answering::Never;
            }
        }
        fleet.worlds[0].clients[0].emit("[\"ask-all\",500]");
        fleet.settle();
        let client = &mut fleet.worlds[1].clients[0];
        let id = client.events[0].ack.expect("it is asked");
        client.text(&format!("461-{id}[{{\"_placeholder\":true,\"num\":0}},1]"));
        client.binary(b"abc");
        fleet.settle();
        fleet.advance(500);
        let [Outcome::Broadcast(answers)] = &outcomes(fleet, 0)[..] else { panic!("one outcome") };
        let value = AckValue {
            json: json("{\"_placeholder\":true,\"num\":0}"),
            attachments: vec![json("abc")],
        };
        assert_eq!(answers.answers, [value]);
    });
}
