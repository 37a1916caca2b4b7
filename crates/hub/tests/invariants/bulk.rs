//! Joins, leaves and disconnects of many sockets at once, as entries of the order.

use relay_hub::{Audience, Bulk, BulkOp, JoinError, Limits, Publication, Room};

use crate::sim::{World, seeds};

/// Eight clients over all shards, the first four in `low`.
fn world(limits: Limits, shards: usize, seed: u64) -> World {
    let mut world = World::sliced(limits, shards, seed);
    for n in 0..8 {
        let id = world.join(n % shards);
        if n < 4 {
            world.clients[id].emit("[\"join\",\"low\"]");
        }
    }
    world.settle();
    world
}

/// The last client says all of this, in one read or in many; who has heard `[\"room\",…]`, once?
fn check(says: &[&str], expected: &[usize]) {
    for shards in [1, 2, 4] {
        seeds(12, |seed| {
            let mut world = world(Limits::default(), shards, seed);
            for event in says {
                world.clients[7].emit(event);
            }
            world.settle();
            let of = |id: usize| {
                let heard = world.clients[id].heard();
                heard.iter().filter(|args| args.starts_with("[\"room\"")).count()
            };
            let counts: Vec<_> = (0..8).map(of).collect();
            let wanted: Vec<_> = (0..8).map(|id| usize::from(expected.contains(&id))).collect();
            assert_eq!(counts, wanted, "{says:?} on {shards} shards");
            world.finish();
        });
    }
}

#[test]
fn a_broadcast_finds_the_rooms_as_the_entries_before_it_left_them() {
    check(&["[\"join-all\",\"*\",\"r\"]", "[\"room\",\"r\"]"], &[0, 1, 2, 3, 4, 5, 6, 7]);
    check(&["[\"room\",\"r\"]", "[\"join-all\",\"*\",\"r\"]"], &[]);
    check(&["[\"join-all\",\"low\",\"r\"]", "[\"room\",\"r\"]"], &[0, 1, 2, 3]);
    check(&["[\"leave-all\",\"low\",\"low\"]", "[\"room\",\"low\"]"], &[]);
    check(&["[\"room\",\"low\"]", "[\"leave-all\",\"*\",\"low\"]"], &[0, 1, 2, 3]);
    check(
        &["[\"join\",\"low\"]", "[\"join-all\",\"low\",\"r\"]", "[\"room\",\"r\"]"],
        &[0, 1, 2, 3, 7],
    );
    let chain = [
        "[\"join-all\",\"low\",\"a\"]",
        "[\"join-all\",\"a\",\"b\"]",
        "[\"leave-all\",\"b\",\"a\"]",
        "[\"leave\",\"b\"]",
        "[\"room\",\"b\"]",
    ];
    check(&chain, &[0, 1, 2, 3]);
}

#[test]
fn a_farewell_arrives_before_all_are_disconnected() {
    for shards in [1, 2, 4] {
        for close in [false, true] {
            seeds(12, |seed| {
                let mut world = world(Limits::default(), shards, seed);
                world.clients[1].connect("/other");
                world.settle();
                world.clients[7].emit("[\"room\",\"low\",\"farewell\"]");
                let how = if close { "close" } else { "stay" };
                world.clients[7].emit(&format!("[\"disconnect-all\",\"low\",\"{how}\"]"));
                world.clients[7].emit("[\"all\",\"behind\"]");
                world.settle();
                for id in 0..8 {
                    let client = &world.clients[id];
                    let is_low = id < 4;
                    let heard = if is_low {
                        "[\"room\",\"low\",\"farewell\"]"
                    } else {
                        "[\"all\",\"behind\"]"
                    };
                    let out: &[_] = match (is_low, close && id == 1) {
                        (true, true) => &["/", "/other"],
                        (true, false) => &["/"],
                        (false, _) => &[],
                    };
                    assert_eq!(client.heard(), [heard], "client {id}");
                    assert_eq!(client.put_out, out, "client {id}");
                    assert_eq!(client.closed.is_some(), close && is_low, "client {id}");
                }
                world.finish();
            });
        }
    }
}

/// One socket that is brought up to date ahead of the rest gets what an entry does to it once, and
/// before what follows.
#[test]
fn who_is_ahead_of_the_rest_has_what_was_done_to_all() {
    let limits = Limits { fan_out_slice: 1, fan_out_few: 0, ..Limits::default() };
    let mut world = World::new(limits, 2, 1);
    let (sender, receiver) = (world.join(0), world.join(1));
    for _ in 0..6 {
        world.join(1);
    }
    world.clients[sender].emit("[\"join-all\",\"*\",\"r\"]");
    world.clients[sender].emit("[\"room\",\"r\",1]");
    world.read_all(sender);
    // Its leaving stands behind both, although its shard was not even woken.
    world.clients[receiver].emit("[\"leave\",\"r\"]");
    world.read_all(receiver);
    world.clients[sender].emit("[\"room\",\"r\",2]");
    world.settle();
    assert_eq!(world.clients[receiver].heard(), ["[\"room\",\"r\",1]"]);
    assert_eq!(world.clients[2].heard(), ["[\"room\",\"r\",1]", "[\"room\",\"r\",2]"]);
    world.finish();
}

#[test]
fn a_newcomer_is_not_reached_by_what_was_placed_before() {
    let limits = Limits { fan_out_slice: 1, fan_out_few: 0, ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    for _ in 0..4 {
        world.join(0);
    }
    world.clients[0].emit("[\"disconnect-all\",\"*\",\"stay\"]");
    let late = world.open(0);
    world.clients[late].connect("/");
    world.read_all(0);
    world.read_all(late);
    world.settle();
    assert!(world.clients[late].is_joined("/") && world.clients[late].put_out.is_empty());
    assert!((0..4).all(|id| world.clients[id].put_out == ["/"]));
    world.finish();
}

#[test]
fn joins_that_are_refused_are_counted_and_others_go_on() {
    let limits = Limits { rooms_per_socket_max: 2, room_name_bytes_max: 8, ..Limits::default() };
    let mut world = world(limits, 2, 1);
    world.clients[0].emit("[\"join\",\"own\"]");
    world.settle();
    world.clients[7].emit("[\"join-all\",\"low\",\"r\"]");
    world.clients[7].emit("[\"room\",\"r\"]");
    world.settle();
    let has_heard = |id: &usize| !world.clients[*id].events.is_empty();
    assert_eq!((0..8).filter(has_heard).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.stat(|stats| stats.rooms_refused.get()), 1);
    // A peer may repeat itself.
    let rooms = vec![Room::text(b"much too long"); 5];
    let refused = world.call(0, |cx| cx.sockets_join("/", Audience::all(), rooms.clone()));
    assert_eq!(refused, Err(JoinError::NameTooLong));
    let bulk = Bulk { audience: Audience::all(), op: BulkOp::Join(rooms), local: false };
    world.remote_publication(1, "/", Publication::Bulk(bulk));
    world.settle();
    assert_eq!(world.stat(|stats| stats.rooms_refused.get()), 9, "what peers say is counted");
    let many = vec![Room::number(1.0); 100_000];
    let refused = world.call(0, |cx| cx.sockets_leave("/", Audience::all(), many));
    assert_eq!(refused, Err(JoinError::TooManyRooms));
    world.finish();
}

#[test]
fn bulk_operations_are_published_once_unless_they_are_local() {
    let mut world = World::new(Limits::default(), 2, 1);
    let bulk = |local| Bulk { audience: Audience::all(), op: BulkOp::Leave(Vec::new()), local };
    world.call(0, |cx| cx.bulk("/", bulk(true))).expect("within the bounds");
    world.call(1, |cx| cx.bulk("/", bulk(false))).expect("within the bounds");
    world.call(1, |cx| cx.bulk("/elsewhere", bulk(false))).expect("within the bounds");
    world.remote_publication(0, "/", Publication::Bulk(bulk(false)));
    world.settle();
    let expected = ["/", "/elsewhere"].map(|it| (it.to_owned(), Publication::Bulk(bulk(false))));
    assert_eq!(*world.published.borrow(), expected);
    world.finish();
}
