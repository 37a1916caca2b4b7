//! Several instances of several shards: what crosses between them, once, in the order of its sender,
//! and what they answer each other.

mod counts;
mod questions;

use std::collections::HashMap;
use std::time::Duration;

use relay_hub::{Audience, Broadcast, Limits, Packet, Room};

use crate::sim::{Answering, Fleet, Outcome, seeds};

/// Instances, shards of each, and clients on every shard.
const FLEETS: [(usize, usize); 5] = [(2, 1), (2, 2), (2, 4), (3, 1), (3, 2)];

/// Runs with two clients on every shard of every instance; `members` of each instance, from the
/// first, are in the room `r`.
fn check(members: usize, body: impl Fn(&mut Fleet)) {
    for (instances, shards) in FLEETS {
        seeds(4, |seed| {
            let mut limits = Limits::default();
            let choice = usize::try_from(seed).unwrap_or(0);
            limits.fan_out_slice = [1, 2, 512][choice % 3];
            limits.fan_out_few = [0, 64][choice / 3 % 2];
            let mut fleet = Fleet::new(&limits, instances, shards, seed);
            for world in &mut fleet.worlds {
                for n in 0..shards * 2 {
                    let id = world.join(n % shards);
                    if n < members {
                        world.clients[id].emit("[\"join\",\"r\"]");
                    }
                }
            }
            fleet.settle();
            body(&mut fleet);
            fleet.finish();
        });
    }
}

fn outcomes(fleet: &Fleet, instance: usize) -> Vec<Outcome> {
    let log = fleet.worlds[instance].log.borrow();
    log.outcomes().into_iter().map(|(_, outcome)| outcome).collect()
}

/// How many answered, how many were asked, whether these are all: of the only broadcast.
fn acknowledged(fleet: &Fleet, instance: usize) -> (usize, u32, bool) {
    match &outcomes(fleet, instance)[..] {
        [Outcome::Broadcast(answers)] => (answers.answers.len(), answers.asked, answers.complete),
        other => panic!("one outcome of a broadcast: {other:?}"),
    }
}

#[test]
fn every_instance_gets_each_broadcast_once_in_its_senders_order() {
    check(0, |fleet| {
        let instances = fleet.worlds.len();
        for n in 0..40 {
            for instance in 0..instances {
                for id in 0..2 {
                    let event = format!("[\"all\",\"{instance}/{id}\",{n}]");
                    fleet.worlds[instance].clients[id].emit(&event);
                }
            }
        }
        fleet.settle();
        for world in &fleet.worlds {
            let order = world.clients[0].heard();
            assert_eq!(order.len(), instances * 2 * 40);
            for client in &world.clients {
                assert!(client.heard() == order, "one order in each instance");
            }
            let mut next: HashMap<&str, usize> = HashMap::new();
            for args in order {
                let (sender, n) = args.rsplit_once(',').expect("a number of the sender's");
                let next = next.entry(sender).or_default();
                assert_eq!(n, format!("{next}]"), "first in is first out");
                *next += 1;
            }
            assert_eq!(world.published.borrow().len(), 80, "only its own is published");
        }
    });
}

#[test]
fn bulk_operations_reach_all_instances_before_what_follows() {
    check(1, |fleet| {
        let last = fleet.worlds.len() - 1;
        fleet.worlds[last].clients[1].emit("[\"join-all\",\"r\",\"s\"]");
        fleet.worlds[last].clients[1].emit("[\"room\",\"s\",\"farewell\"]");
        fleet.worlds[last].clients[1].emit("[\"disconnect-all\",\"s\",\"stay\"]");
        fleet.worlds[last].clients[1].emit("[\"all\",\"behind\"]");
        fleet.settle();
        for world in &fleet.worlds {
            assert_eq!(world.clients[0].heard(), ["[\"room\",\"s\",\"farewell\"]"]);
            assert_eq!(world.clients[0].put_out, ["/"]);
            for client in &world.clients[1..] {
                assert_eq!(client.heard(), ["[\"all\",\"behind\"]"]);
            }
        }
    });
}

#[test]
fn acknowledgements_come_from_all_instances() {
    check(2, |fleet| {
        let all = fleet.worlds.iter().map(|world| world.clients.len()).sum::<usize>();
        fleet.worlds[0].clients[0].emit("[\"ask-all\",1000]");
        fleet.worlds[1].clients[0].emit("[\"ask-room\",1000,\"r\"]");
        fleet.settle();
        let asked = u32::try_from(all).expect("a few");
        assert_eq!(acknowledged(fleet, 0), (all, asked, true));
        let members = fleet.worlds.len() * 2;
        let asked = u32::try_from(members).expect("a few");
        assert_eq!(acknowledged(fleet, 1), (members, asked, true));
    });
}

#[test]
fn a_broadcast_to_nobody_anywhere_is_complete_at_once() {
    check(0, |fleet| {
        fleet.worlds[0].clients[0].emit("[\"ask-room\",1000,\"r\"]");
        let nowhere = Broadcast::new(Packet::new(b"[\"a\"]", &[]), Audience::all());
        let token = {
            let mut log = fleet.worlds[0].log.borrow_mut();
            log.tokens += 1;
            log.tokens - 1
        };
        let second = Duration::from_secs(1);
        let asked = fleet.worlds[0]
            .call(0, |cx| cx.broadcast_with_ack_to("/nowhere", nowhere, second, token));
        assert_eq!(asked, Ok(()));
        fleet.settle();
        for outcome in outcomes(fleet, 0) {
            let Outcome::Broadcast(answers) = outcome else { panic!("{outcome:?}") };
            assert!(answers.complete && answers.asked == 0, "{answers:?}");
        }
        assert_eq!(outcomes(fleet, 0).len(), 2);
    });
}

#[test]
fn an_instance_that_never_answers_leaves_what_the_others_said() {
    check(0, |fleet| {
        fleet.post.borrow_mut().mute.push(1);
        fleet.worlds[0].clients[0].emit("[\"ask-all\",500]");
        fleet.worlds[0].clients[1].emit("[\"fetch\",500]");
        fleet.settle();
        assert_eq!(outcomes(fleet, 0), [], "one of them is awaited");
        fleet.advance(500);
        let clients = fleet.worlds[0].clients.len() * (fleet.worlds.len() - 1);
        let outcomes = outcomes(fleet, 0);
        assert_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            let (count, complete) = match outcome {
                Outcome::Broadcast(answers) => (answers.answers.len(), answers.complete),
                Outcome::Fetched(sockets, complete) => (sockets.len(), complete),
                other => panic!("{other:?}"),
            };
            assert_eq!((count, complete), (clients, false));
        }
        fleet.post.borrow_mut().mute.clear();
    });
}

#[test]
fn clients_that_never_acknowledge_are_counted_until_the_time_is_over() {
    check(0, |fleet| {
        fleet.worlds[1].clients[1].answering = Answering::Never;
        fleet.worlds[0].clients[0].emit("[\"ask-all\",500]");
        fleet.settle();
        fleet.advance(500);
        let all = fleet.worlds.iter().map(|world| world.clients.len()).sum::<usize>();
        assert_eq!(acknowledged(fleet, 0), (all - 1, u32::try_from(all).expect("a few"), false));
    });
}

#[test]
fn sockets_of_all_instances_are_fetched_with_what_is_known_of_them() {
    check(1, |fleet| {
        fleet.worlds[0].clients[1].emit("[\"join-all\",\"r\",\"s\"]");
        fleet.worlds[0].clients[1].emit("[\"fetch\",1000,\"s\"]");
        fleet.worlds[1].clients[0].emit("[\"fetch\",1000]");
        fleet.settle();
        let [Outcome::Fetched(sockets, true)] = &outcomes(fleet, 0)[..] else {
            panic!("one outcome: {:?}", outcomes(fleet, 0));
        };
        let mut ids: Vec<_> =
            fleet.worlds.iter().map(|world| world.clients[0].socket_id().to_owned()).collect();
        ids.sort();
        assert_eq!(sockets.iter().map(|socket| &*socket.id).collect::<Vec<_>>(), ids);
        for socket in sockets {
            let own = Room::text(socket.id.as_bytes());
            assert_eq!(socket.rooms, [own, Room::from("r"), Room::from("s")]);
            assert_eq!(&*socket.data, "{\"client\":0}");
            assert_eq!(&*socket.handshake, "{\"address\":\"127.0.0.1\"}");
        }
        let all = fleet.worlds.iter().map(|world| world.clients.len()).sum::<usize>();
        let outcomes = outcomes(fleet, 1);
        assert!(matches!(&outcomes[..], [Outcome::Fetched(them, true)] if them.len() == all));
    });
}

#[test]
fn namespaces_are_served_while_they_exist() {
    let mut fleet = Fleet::new(&Limits::default(), 2, 2, 1);
    assert_eq!((fleet.served(0, "/"), fleet.served(0, "/other")), (1, 1));
    let ids = [0, 1].map(|shard| fleet.worlds[0].join(shard));
    for id in ids {
        fleet.worlds[0].clients[id].connect("/dynamic");
    }
    fleet.settle();
    assert_eq!((fleet.served(0, "/dynamic"), fleet.served(1, "/dynamic")), (1, 0));
    let said = Broadcast::new(Packet::new(b"[\"from afar\"]", &[]), Audience::all());
    let sent = fleet.worlds[1].call(0, |cx| cx.broadcast_to("/dynamic", said));
    assert_eq!(sent, Ok(()));
    fleet.settle();
    for id in ids {
        assert_eq!(fleet.worlds[0].clients[id].heard(), ["[\"from afar\"]"]);
        fleet.worlds[0].clients[id].text("41/dynamic,");
    }
    fleet.settle();
    assert_eq!(fleet.served(0, "/dynamic"), 0);
    fleet.finish();
}
