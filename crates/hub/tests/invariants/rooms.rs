//! Who is in an audience, over all shards.

use relay_hub::Limits;

use crate::sim::{World, seeds};

/// Eight clients; those with an even number are in `even`, the first four in `low`.
fn world(shards: usize, seed: u64) -> World {
    let mut world = World::sliced(Limits::default(), shards, seed);
    for n in 0..8 {
        let id = world.join(n % shards);
        if n % 2 == 0 {
            world.clients[id].emit("[\"join\",\"even\"]");
        }
        if n < 4 {
            world.clients[id].emit("[\"join\",\"low\"]");
        }
    }
    world.settle();
    world
}

/// One client sends an event; who has heard it, once?
fn check(event: impl Fn(&World) -> String, expected: &[usize]) {
    for shards in [1, 2, 4] {
        seeds(3, |seed| {
            let mut world = world(shards, seed);
            let event = event(&world);
            world.clients[1].emit(&event);
            world.settle();
            let heard = world.clients.iter().filter(|client| client.heard() == [&event]);
            let heard: Vec<_> = heard.map(|client| client.id).collect();
            assert_eq!(heard, expected, "{event}");
            let all: usize = world.clients.iter().map(|client| client.events.len()).sum();
            assert_eq!(all, expected.len(), "{event}: nobody else, and nobody twice");
            world.finish();
        });
    }
}

fn says(event: &str) -> impl Fn(&World) -> String {
    move |_| event.to_owned()
}

#[test]
fn audiences() {
    for (event, expected) in [
        ("[\"all\"]", &[0, 1, 2, 3, 4, 5, 6, 7][..]),
        ("[\"others\"]", &[0, 2, 3, 4, 5, 6, 7]),
        ("[\"rooms\",\"even\"]", &[0, 2, 4, 6]),
        ("[\"rooms\",\"even\",\"low\",\"even\"]", &[0, 1, 2, 3, 4, 6]),
        ("[\"rooms\",\"empty\",\"low\"]", &[0, 1, 2, 3]),
        ("[\"rooms\",\"empty\"]", &[]),
        ("[\"except\",\"even\"]", &[1, 3, 5, 7]),
        ("[\"except\",\"empty\"]", &[0, 1, 2, 3, 4, 5, 6, 7]),
    ] {
        check(says(event), expected);
    }
}

#[test]
fn a_socket_is_a_room_of_its_own() {
    let id = |world: &World, client: usize| world.clients[client].socket_id().to_owned();
    check(|world| format!("[\"room\",\"{}\"]", id(world, 6)), &[6]);
    check(|world| format!("[\"room\",\"{}\"]", id(world, 1)), &[1]);
    check(|world| format!("[\"except\",\"{}\"]", id(world, 6)), &[0, 1, 2, 3, 4, 5, 7]);
    check(
        |world| format!("[\"rooms\",\"{}\",\"even\",\"~AAAAAAAAAAAAAAAAAAA\"]", id(world, 6)),
        &[0, 2, 4, 6],
    );
}

#[test]
fn nobody_joins_the_room_of_another_socket() {
    let mut world = world(2, 1);
    let id = world.clients[6].socket_id().to_owned();
    world.clients[1].emit(&format!("[\"join\",\"{id}\"]"));
    world.settle();
    world.clients[0].emit(&format!("[\"room\",\"{id}\"]"));
    world.settle();
    assert_eq!(world.clients[1].heard(), Vec::<&str>::new());
    assert_eq!(world.clients[6].heard().len(), 1);
    world.finish();
}

#[test]
fn a_socket_that_ended_is_no_room_any_more() {
    let mut world = world(2, 1);
    let id = world.clients[6].socket_id().to_owned();
    world.clients[6].text("41");
    world.settle();
    world.clients[6].connect("/");
    world.settle();
    for _ in 0..8 {
        world.join(0);
    }
    world.clients[1].emit(&format!("[\"room\",\"{id}\"]"));
    world.settle();
    assert!(world.clients.iter().all(|client| client.events.is_empty()), "its place is another's");
    world.finish();
}

#[test]
fn rooms_are_bounded() {
    let limits = Limits {
        rooms_per_socket_max: 3,
        rooms_per_shard_max: 4,
        room_name_bytes_max: 5,
        ..Limits::default()
    };
    let mut world = World::new(limits, 1, 1);
    let (first, second) = (world.join(0), world.join(0));
    for room in ["a", "b", "b", "toolong", "c", "d"] {
        world.clients[first].emit(&format!("[\"join\",\"{room}\"]"));
    }
    world.settle();
    assert_eq!(world.stat(|stats| stats.rooms.get()), 3);
    let refused = "a name that is too long, and the fourth of one socket";
    assert_eq!(world.stat(|stats| stats.rooms_refused.get()), 2, "{refused}");
    for room in ["e", "f"] {
        world.clients[second].emit(&format!("[\"join\",\"{room}\"]"));
    }
    world.settle();
    assert_eq!(world.stat(|stats| stats.rooms.get()), 4);
    assert_eq!(world.stat(|stats| stats.rooms_refused.get()), 3, "the fifth of the shard");
    world.finish();
}
