//! Namespaces that the application offers: they come with their first socket and go with their
//! last, on whatever shards those are, and nothing of one reaches another.

use relay_hub::{Audience, Broadcast, EmitError, EndReason, Limits, Packet, Room, SocketId};

use super::churn::in_it;
use super::{
    ask, ask_later, assert_alive, check, dynamic, heard, invalid, join, joins, open, refusals, say,
    too_many,
};
use crate::sim::{Reading, World};

fn limits() -> Limits {
    Limits::default()
}

fn to_all(args: &str) -> Broadcast {
    Broadcast::new(Packet::new(args.as_bytes(), &[]), Audience::all())
}

/// How a client leaves a namespace.
const LEAVES: [fn(&mut World, usize); 5] = [
    |world, id| world.clients[id].text("41/dynamic,"),
    |world, id| say(world, id, "/dynamic", "[\"out\"]"),
    |world, id| say(world, id, "/dynamic", "[\"shut\"]"),
    |world, id| world.clients[id].hang_up(),
    |world, id| say(world, id, "/dynamic", "[\"panic\"]"),
];

#[test]
fn a_namespace_comes_with_its_first_socket_and_goes_with_its_last() {
    for leave in LEAVES {
        check(3, &limits(), |world| {
            let stranger = world.join(1 % world.instance.shards());
            let ids: Vec<_> = (0..6).map(|n| open(world, n)).collect();
            for &id in &ids {
                assert_eq!(dynamic(world), usize::from(id != ids[0]));
                join(world, id, "/dynamic");
            }
            for &id in &ids {
                say(world, id, "/dynamic", &format!("[\"all\",{id}]"));
            }
            world.settle();
            let order = heard(world, ids[0], "/dynamic");
            assert_eq!(order.len(), ids.len());
            for &id in &ids {
                assert_eq!(heard(world, id, "/dynamic"), order, "client {id}");
            }
            assert!(world.clients[stranger].events.is_empty());
            for (left, &id) in (0..ids.len()).rev().zip(&ids) {
                leave(world, id);
                world.settle();
                assert_eq!(dynamic(world), usize::from(left > 0));
            }
            // It can come again.
            let id = open(world, 1);
            join(world, id, "/dynamic");
            say(world, id, "/dynamic", "[\"all\",\"again\"]");
            world.settle();
            assert_eq!(heard(world, id, "/dynamic"), ["[\"all\",\"again\"]"]);
        });
    }
}

#[test]
fn rooms_and_answers_stay_within_a_namespace() {
    check(4, &limits(), |world| {
        let names = ["/dynamic/a", "/dynamic/b", "/other"];
        let ids: Vec<_> = (0..6).map(|n| open(world, n)).collect();
        for (n, &id) in ids.iter().enumerate() {
            for name in [names[n % 3], names[(n + 1) % 3]] {
                join(world, id, name);
                say(world, id, name, "[\"join\",\"r\"]");
            }
        }
        world.settle();
        for (n, &id) in ids.iter().enumerate() {
            let name = names[n % 3];
            say(world, id, name, &format!("[\"room\",\"r\",\"{name}\",{id}]"));
            say(world, id, name, &format!("[\"ask-all\",1000,\"{name}\"]"));
        }
        world.settle();
        for &id in &ids {
            for name in names {
                let heard = heard(world, id, name);
                let expected = if joins(world, id, name) == 1 { 4 } else { 0 };
                assert_eq!(heard.len(), expected, "client {id} in {name}: {heard:?}");
                assert!(heard.iter().all(|args| args.contains(&format!("\"{name}\""))));
            }
        }
        assert_eq!(world.log.borrow().outcomes().len(), ids.len(), "each was answered by all");
    });
}

#[test]
fn anybody_may_speak_to_a_namespace_by_its_name() {
    check(4, &limits(), |world| {
        let shards = world.instance.shards();
        for shard in 0..shards {
            world.call(shard, |cx| cx.broadcast_to("/dynamic", to_all("[\"nobody\"]"))).unwrap();
        }
        assert_eq!(dynamic(world), 0, "speaking makes no namespace");
        let ids: Vec<_> = (0..4).map(|n| open(world, n)).collect();
        for &id in &ids {
            join(world, id, "/dynamic");
        }
        for shard in 0..shards {
            world.call(shard, |cx| cx.broadcast_to("/dynamic", to_all("[\"x\"]"))).unwrap();
            world.remote(shard, "/dynamic", to_all("[\"x\"]"));
        }
        world.settle();
        for &id in &ids {
            assert_eq!(heard(world, id, "/dynamic"), vec!["[\"x\"]"; 2 * shards]);
        }
    });
}

/// Everybody leaves while what was said is still on its way, and others come at once: under the
/// same name, and under one that takes the place of it.
#[test]
fn nothing_of_a_namespace_reaches_the_next_one() {
    check(24, &limits(), |world| {
        let old: Vec<_> = (0..8).map(|n| open(world, n)).collect();
        let new: Vec<_> = (0..8).map(|n| open(world, n)).collect();
        for round in 0..3 {
            for &id in &old {
                join(world, id, "/dynamic/old");
                say(world, id, "/dynamic/old", "[\"join\",\"r\"]");
            }
            world.settle();
            for &id in &old {
                say(world, id, "/dynamic/old", &format!("[\"all\",\"old\",{round}]"));
                say(world, id, "/dynamic/old", &format!("[\"room\",\"r\",\"old\",{round}]"));
                world.clients[id].text("41/dynamic/old,");
            }
            let name = ["/dynamic/new", "/dynamic/old"][round % 2];
            for &id in &new {
                // Some come while some of the old ones are still there.
                for _ in 0..world.random.up_to(20) {
                    world.step();
                }
                if round == 0 || dynamic(world) == 0 {
                    ask(world, id, name, "");
                    say(world, id, name, "[\"join\",\"r\"]");
                    say(world, id, name, "[\"all\",\"new\"]");
                }
            }
            world.settle();
            for &id in &new {
                let heard: Vec<_> = world.clients[id].heard();
                assert!(heard.iter().all(|args| !args.contains("\"old\"")), "{heard:?}");
                for name in ["/dynamic/new", "/dynamic/old"] {
                    if in_it(world, id, name) {
                        world.clients[id].text(&format!("41{name},"));
                    }
                }
            }
            world.settle();
            assert_eq!(dynamic(world), 0);
        }
    });
}

#[test]
fn the_number_of_namespaces_is_bounded() {
    let limits = Limits { namespaces_max: 2, ..limits() };
    check(4, &limits, |world| {
        let ids: Vec<_> = (0..4).map(|n| open(world, n)).collect();
        ask_later(world, ids[2], "/dynamic/late");
        join(world, ids[0], "/dynamic/a");
        join(world, ids[1], "/dynamic/b");
        ask(world, ids[2], "/dynamic/c", "");
        // There was room when this was asked for.
        world.decide(ids[2], "/dynamic/late", Ok(()));
        world.settle();
        for name in ["/dynamic/c", "/dynamic/late"] {
            assert_eq!(refusals(world, ids[2], name), [too_many()]);
        }
        assert_eq!((dynamic(world), world.stat(|stats| stats.connects_refused.get())), (2, 2));
        // What exists may be joined, and what always exists does not count.
        join(world, ids[2], "/dynamic/a");
        join(world, ids[3], "/");
        world.clients[ids[1]].text("41/dynamic/b,");
        world.settle();
        join(world, ids[3], "/dynamic/c");
        assert_eq!(dynamic(world), 2);
    });
}

#[test]
fn names_that_no_packet_could_hold_are_refused() {
    let long = format!("/dynamic{}", "é".repeat(124));
    let too_long = format!("{long}x");
    let names = [
        ("/dynamic", true),
        ("/dynamic/é/☃", true),
        ("/dynamic?a=b", true),
        (&long, true),
        (&too_long, false),
        ("/dynamic\u{1e}", false),
        ("/dynamic\0", false),
        ("/dynamic\n", false),
        ("/dynamic\u{7f}", false),
        ("/dynamic\u{85}", false),
    ];
    for (name, is_fine) in names {
        check(1, &limits(), |world| {
            let id = world.join(0);
            let asked = world.log.borrow().asked.len();
            ask(world, id, name, "");
            world.settle();
            assert_eq!(joins(world, id, name), usize::from(is_fine), "{name:?}");
            let expected = if is_fine { vec![] } else { vec![invalid()] };
            assert_eq!(refusals(world, id, name), expected);
            let asked = world.log.borrow().asked.len() - asked;
            assert_eq!(asked, usize::from(is_fine), "nobody is asked about {name:?}");
            assert_alive(world, id);
        });
    }
}

/// A text packet cannot name it; one of the msgpack parser can.
#[test]
fn a_name_begins_with_a_slash() {
    // It would not understand the answer, so it never reads.
    let mut world = World::new(limits(), 1, 1);
    let id = world.open(0);
    world.clients[id].reading = Reading::Nothing;
    world.clients[id].binary(b"\x82\xa4type\x00\xa3nsp\xacdynamic/none");
    world.settle();
    assert_eq!(world.stat(|stats| stats.connects_refused.get()), 1);
    assert!(world.log.borrow().asked.is_empty());
}

#[test]
fn what_nobody_offers_does_not_exist() {
    check(1, &limits(), |world| {
        let id = open(world, 1);
        for name in ["/dynami", "/Dynamic", "/x/dynamic"] {
            ask(world, id, name, ",\"later\":1");
            world.settle();
            assert_eq!(refusals(world, id, name), [invalid()]);
        }
        assert_eq!((dynamic(world), world.stat(|stats| stats.decisions.get())), (0, 0));
    });
}

#[test]
fn a_panic_in_offers_ends_its_connection() {
    check(2, &limits(), |world| {
        let (bystander, id) = (world.join(0), world.open(0));
        ask_later(world, id, "/other");
        ask(world, id, "/dynamic", ",\"panic-at-offer\":1");
        world.settle();
        assert_eq!(world.clients[id].closed, Some(Some(1011)));
        assert_eq!(world.stat(|stats| stats.panics.get()), 1);
        assert_eq!(world.stat(|stats| stats.ends[EndReason::HandlerPanic.index()].get()), 1);
        assert_eq!(dynamic(world), 0);
        assert_alive(world, bystander);
    });
}

/// An application may hold on to a socket that is gone, and its namespace with it.
#[test]
fn a_socket_that_is_gone_speaks_to_nobody() {
    check(3, &limits(), |world| {
        let (gone, next) = (open(world, 0), open(world, 1));
        join(world, gone, "/dynamic/old");
        let id = world.clients[gone].joined[0].1.clone();
        let id = SocketId::parse(id.as_bytes()).expect("an id");
        let socket = world.call(0, |cx| cx.find("/dynamic/old", id)).expect("it is there");
        world.clients[gone].text("41/dynamic/old,");
        world.settle();
        join(world, next, "/dynamic/new");
        world.call(0, |cx| {
            let late = cx.broadcast(socket, to_all("[\"late\"]"));
            assert_eq!(late, Err(EmitError::Gone));
            let second = std::time::Duration::from_secs(1);
            let late = cx.broadcast_with_ack(socket, to_all("[\"late\"]"), second, 0);
            assert_eq!(late, Err(EmitError::Gone));
            assert_eq!(cx.emit(socket, b"[\"late\"]", &[], false), Err(EmitError::Gone));
            assert!(cx.join(socket, &Room::text(b"r")).is_err());
            assert!(cx.data(socket).is_none() && cx.id(socket).is_none());
            assert_eq!(cx.find("/dynamic/old", id), None);
            assert_eq!(cx.find("/dynamic/new", id), None);
        });
        world.settle();
        assert!(world.clients[next].events.is_empty());
    });
}

/// Nobody's connection can be blamed for it: the panic is counted, and the shard goes on.
#[test]
fn a_call_that_panics_ends_nothing() {
    check(1, &limits(), |world| {
        let bystander = world.join(0);
        world.call_that_panics(0);
        assert_eq!(world.stat(|stats| stats.panics.get()), 1);
        assert_alive(world, bystander);
    });
}
