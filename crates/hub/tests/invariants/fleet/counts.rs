//! How many sockets an audience has in the whole cluster, without a word of who they are.

use std::time::Duration;

use relay_hub::{Asker, Audience, Limits, Question, Remote, Response, Room};

use super::check;
use crate::sim::{Fleet, Outcome};

/// What an instance counted, in the order in which it asked.
fn counts(fleet: &Fleet, instance: usize) -> Vec<(u64, bool)> {
    let mut outcomes = fleet.worlds[instance].log.borrow().outcomes();
    outcomes.sort_by_key(|(token, _)| *token);
    let counted = |(_, outcome)| match outcome {
        Outcome::Counted(sockets, complete) => (sockets, complete),
        other => panic!("{other:?}"),
    };
    outcomes.into_iter().map(counted).collect()
}

fn all_of(fleet: &Fleet) -> u64 {
    fleet.worlds.iter().map(|world| world.clients.len() as u64).sum()
}

#[test]
fn sockets_of_all_instances_are_counted_at_one_place_in_the_order() {
    check(1, |fleet| {
        let (all, instances) = (all_of(fleet), fleet.worlds.len() as u64);
        let one = fleet.worlds[0].clients[0].socket_id().to_owned();
        let client = &mut fleet.worlds[0].clients[1];
        for words in [
            "\"count\",1000,\"*\"",
            "\"count\",1000,\"r\"",
            "\"count\",1000,\"*\",\"r\"",
            "\"count\",1000,\"r\",\"r\"",
            "\"count\",1000,\"nowhere\"",
        ] {
            client.emit(&format!("[{words}]"));
        }
        client.emit(&format!("[\"count\",1000,\"{one}\"]"));
        // What was placed before is in it on every shard, what comes behind is not.
        for words in [
            "\"join-all\",\"*\",\"s\"",
            "\"count\",1000,\"s\"",
            "\"leave-all\",\"r\",\"s\"",
            "\"count\",1000,\"s\"",
            "\"disconnect-all\",\"r\",\"stay\"",
            "\"count\",1000,\"*\"",
        ] {
            client.emit(&format!("[{words}]"));
        }
        fleet.settle();
        let expected = [all, instances, all - instances, 0, 0, 1, all];
        let expected = expected.into_iter().chain([all - instances; 2]).map(|it| (it, true));
        assert_eq!(counts(fleet, 0), expected.collect::<Vec<_>>());
    });
}

#[test]
fn no_bound_of_what_is_told_of_sockets_makes_a_count_smaller() {
    let limits = Limits { fetch_bytes_max: 1_000, ..Limits::default() };
    let mut fleet = Fleet::new(&limits, 2, 2, 1);
    for n in 0..40 {
        fleet.worlds[1].join(n % 2);
    }
    let id = fleet.worlds[0].join(0);
    fleet.worlds[0].clients[id].emit("[\"count\",1000]");
    fleet.settle();
    assert_eq!(counts(&fleet, 0), [(41, true)]);
    assert_eq!(fleet.worlds[1].stat(|stats| stats.fetches_cut.get()), 0);
    fleet.finish();
}

#[test]
fn a_count_without_an_instance_is_not_whole() {
    check(0, |fleet| {
        let here = fleet.worlds[0].clients.len() as u64;
        fleet.post.borrow_mut().is_cut_off = true;
        fleet.worlds[0].clients[0].emit("[\"count\",500]");
        fleet.settle();
        assert_eq!(counts(fleet, 0), [(here, false)], "nobody is waited for");
        fleet.post.borrow_mut().is_cut_off = false;
        fleet.post.borrow_mut().mute.push(1);
        fleet.worlds[0].clients[0].emit("[\"count\",500]");
        fleet.settle();
        assert_eq!(counts(fleet, 0).len(), 1, "one of them is awaited");
        fleet.advance(500);
        let others = (fleet.worlds.len() as u64 - 2) * here;
        assert_eq!(counts(fleet, 0)[1], (here + others, false));
        fleet.post.borrow_mut().mute.clear();
    });
}

#[test]
fn each_of_the_others_is_counted_once_and_may_say_that_it_does_not_know() {
    for (part, expected) in [((2, true), (3, true)), ((u64::MAX, false), (u64::MAX, false))] {
        let mut fleet = Fleet::new(&Limits::default(), 2, 2, 1);
        let id = fleet.worlds[0].join(0);
        fleet.worlds[1].join(0);
        fleet.post.borrow_mut().mute.push(1);
        fleet.worlds[0].clients[id].emit("[\"count\",1000]");
        fleet.worlds[0].read_all(0);
        let (sockets, complete) = part;
        // The other shard has yet to say its part.
        fleet.forge(0, 0, 0, Response::Instances(1));
        fleet.forge(0, 0, 0, Response::Sockets(Vec::new()));
        for _ in 0..3 {
            fleet.forge(0, 0, 0, Response::Count { sockets, complete });
        }
        fleet.settle();
        assert_eq!(counts(&fleet, 0), [expected]);
        fleet.finish();
    }
}

#[test]
fn who_has_too_much_to_do_says_so_and_who_has_nobody_says_that() {
    let limits = Limits { remote_questions_max: 1, ..Limits::default() };
    let mut fleet = Fleet::new(&limits, 2, 2, 1);
    let ids = [0, 1, 1].map(|shard| fleet.worlds[1].join(shard));
    fleet.worlds[1].clients[ids[2]].emit("[\"join\",\"r\"]");
    fleet.settle();
    let all = Audience::all();
    for (namespace, audience) in
        [("/", all.clone().except(Room::from("r"))), ("/", all.clone()), ("/nowhere", all)]
    {
        let question = Remote::Question {
            namespace: namespace.into(),
            asker: Asker("0 0 7".into()),
            question: Question::Count(audience),
            timeout: Duration::from_secs(1),
        };
        fleet.worlds[1].take_remote(0, question);
    }
    while fleet.worlds[1].step() {}
    let mut said = fleet.answers_of(1);
    let count = |sockets, complete| Response::Count { sockets, complete };
    let expected = [count(0, false), count(0, true), count(2, true)];
    assert_eq!(said.len(), 3);
    said.retain(|it| !expected.contains(it));
    assert_eq!(said, []);
    assert_eq!(fleet.worlds[1].stat(|stats| stats.remote_questions_refused.get()), 1);
    fleet.finish();
}
