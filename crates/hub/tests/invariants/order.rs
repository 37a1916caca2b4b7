//! One order for all receivers, and what it means for joins, leaves, direct sends and farewells.

use std::collections::HashMap;

use relay_hub::Limits;

use crate::sim::{World, seeds};

/// Runs on one, two and four shards, over several seeds, and checks the end of each run.
fn check(count: u64, body: impl Fn(&mut World)) {
    for shards in [1, 2, 4] {
        seeds(count, |seed| {
            let mut world = World::sliced(Limits::default(), shards, seed);
            body(&mut world);
            world.finish();
        });
    }
}

fn crowd(world: &mut World, clients: usize) {
    let shards = world.instance.shards();
    for n in 0..clients {
        world.join(n % shards);
    }
}

#[test]
fn all_receivers_see_one_order_and_none_is_lost_or_doubled() {
    check(1, |world| {
        crowd(world, 8);
        for n in 0..1_250 {
            for id in 0..8 {
                world.clients[id].emit(&format!("[\"all\",{id},{n}]"));
            }
        }
        world.settle();
        let order = world.clients[0].heard();
        assert_eq!(order.len(), 10_000);
        for client in &world.clients {
            assert!(client.heard() == order, "client {} saw another order", client.id);
        }
        let mut next: HashMap<&str, usize> = HashMap::new();
        for args in order {
            let (sender, n) = args.rsplit_once(',').expect("a number of the sender's");
            let next = next.entry(sender).or_default();
            assert_eq!(n, format!("{next}]"), "first in is first out");
            *next += 1;
        }
    });
}

#[test]
fn one_order_also_for_slow_readers_and_within_rooms() {
    check(3, |world| {
        crowd(world, 8);
        for id in 0..8 {
            world.clients[id].reading = crate::sim::Reading::Slow(64 << id);
            world.clients[id].socket_bytes_max = 256;
            world.clients[id].emit("[\"join\",\"r\"]");
        }
        world.settle();
        for n in 0..40 {
            for id in 0..8 {
                world.clients[id].emit(&format!("[\"room\",\"r\",{id},{n}]"));
            }
        }
        world.settle();
        let order = world.clients[0].heard();
        assert_eq!(order.len(), 320);
        for client in &world.clients {
            assert!(client.heard() == order, "client {} saw another order", client.id);
        }
    });
}

#[test]
fn a_message_and_then_leaving_keeps_the_senders_copy() {
    check(20, |world| {
        crowd(world, 4);
        for id in 0..4 {
            world.clients[id].emit("[\"join\",\"r\"]");
            world.clients[id].emit(&format!("[\"room\",\"r\",{id}]"));
            world.clients[id].emit("[\"leave\",\"r\"]");
        }
        world.settle();
        for client in &world.clients {
            let own = format!("[\"room\",\"r\",{}]", client.id);
            assert_eq!(client.heard().iter().filter(|args| **args == own).count(), 1);
        }
    });
}

#[test]
fn a_farewell_arrives_before_the_disconnect() {
    check(20, |world| {
        crowd(world, 4);
        world.clients[0].emit("[\"farewell\",\"stay\"]");
        world.clients[1].emit("[\"farewell\",\"close\"]");
        world.settle();
        for (id, own) in [(0, "[\"farewell\",\"stay\"]"), (1, "[\"farewell\",\"close\"]")] {
            let client = &world.clients[id];
            assert!(client.heard().contains(&own), "{:?}", client.heard());
            assert_eq!(client.put_out, ["/"]);
        }
        assert_eq!(world.clients[0].closed, None);
        assert_eq!(world.clients[1].closed, Some(None));
    });
}

/// Joins, leaves, direct sends and acknowledgements of one shard stand behind what other shards
/// placed before, although this shard was not woken yet.
#[test]
fn whatever_a_socket_does_stands_behind_earlier_entries() {
    for (does, heard_before, heard_after) in [
        ("[\"echo\"]", vec!["[\"all\",1]", "[\"echo\"]"], "[\"all\",2]"),
        ("[\"join\",\"r\"]", vec!["[\"all\",1]"], "[\"room\",\"r\",2]"),
    ] {
        let mut world = World::new(Limits::default(), 2, 1);
        let (sender, receiver) = (world.join(0), world.join(1));
        let room = heard_after.starts_with("[\"room\"");
        if room {
            world.clients[sender].emit("[\"room\",\"r\",1]");
        }
        world.clients[sender].emit("[\"all\",1]");
        world.read_all(sender);
        world.clients[receiver].emit(does);
        world.read_all(receiver);
        world.clients[sender].emit(heard_after);
        world.settle();
        let mut expected = heard_before;
        expected.push(heard_after);
        assert_eq!(world.clients[receiver].heard(), expected, "{does}");
        world.finish();
    }
}

#[test]
fn an_acknowledgement_stands_behind_earlier_entries() {
    let mut world = World::new(Limits::default(), 2, 1);
    let (sender, receiver) = (world.join(0), world.join(1));
    world.clients[sender].emit("[\"all\",1]");
    world.read_all(sender);
    world.clients[receiver].text("425[\"question\"]");
    world.read_all(receiver);
    // What was queued is all that is written: nobody has woken the receiver's shard.
    while world.clients[receiver].acks.is_empty() {
        world.flush(1);
        world.client_reads(receiver);
    }
    assert_eq!(world.clients[receiver].heard(), ["[\"all\",1]"]);
    world.settle();
    world.finish();
}

#[test]
fn leaving_a_room_stands_behind_earlier_entries() {
    let mut world = World::new(Limits::default(), 2, 1);
    let (sender, receiver) = (world.join(0), world.join(1));
    world.clients[receiver].emit("[\"join\",\"r\"]");
    world.settle();
    world.clients[sender].emit("[\"room\",\"r\",1]");
    world.read_all(sender);
    world.clients[receiver].emit("[\"leave\",\"r\"]");
    world.read_all(receiver);
    world.clients[sender].emit("[\"room\",\"r\",2]");
    world.settle();
    assert_eq!(world.clients[receiver].heard(), ["[\"room\",\"r\",1]"]);
    world.finish();
}
