//! The process-wide budget: what it covers, who ends when it is exceeded, that nothing stays.

use relay_hub::{Audience, Broadcast, EndReason, Limits, Packet, Room};

use crate::sim::{Reading, World, seeds};

const BUDGET: usize = 400_000;

fn limits() -> Limits {
    Limits {
        payload_bytes_max: 50_000,
        message_bytes_max: 50_000,
        encoded_bytes_max: 100_000,
        outbox_bytes_max: 400_000,
        order_bytes_per_shard: 200_000,
        memory_bytes_max: BUDGET,
        memory_step_bytes: 1_000,
        read_bytes: 10_000,
        sender_window_bytes: usize::MAX / 2,
        ..Limits::default()
    }
}

/// The first part of a text frame of 50,000 bytes.
fn partial(world: &mut World, id: usize, bytes: usize) {
    world.clients[id].send_raw(&[0x81, 0xfe, 0xc3, 0x50, 0, 0, 0, 0]);
    world.clients[id].send_raw(&vec![b'4'; bytes]);
}

/// Who ended for want of memory, in order.
fn ended(world: &World) -> Vec<usize> {
    let ids = 0..world.clients.len();
    ids.filter(|&id| world.log.borrow().ends_of(id) == [EndReason::MemoryBudget]).collect()
}

#[test]
fn partial_messages_are_covered_and_given_back() {
    let mut world = World::new(limits(), 1, 1);
    let id = world.join(0);
    let before = world.memory().used();
    partial(&mut world, id, 40_000);
    world.settle();
    assert!(world.memory().used() - before >= 39_000);
    world.clients[id].send_raw(&[b' '; 10_000]);
    world.settle();
    assert_eq!(world.clients[id].closed, Some(None), "fours are no packet");
    assert!(world.memory().used() <= before + 1_000);
    world.finish();
}

#[test]
fn half_a_message_is_given_back_when_the_server_closes() {
    let mut world = World::new(limits(), 1, 1);
    let (half, awaiting) = (world.join(0), world.join(0));
    let text = "452-[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";
    world.clients[awaiting].text(text);
    world.clients[awaiting].binary(&[0; 30_000]);
    partial(&mut world, half, 40_000);
    world.settle();
    assert!(world.memory().used() >= 70_000);
    // What is left is the close frames.
    world.shut_down();
    assert!(world.memory().used() <= 1_000, "{}", world.memory().used());
    world.finish();
}

#[test]
fn awaited_attachments_are_covered() {
    let mut world = World::new(limits(), 1, 1);
    let id = world.join(0);
    let places: Vec<_> = (0..3).map(|n| format!("{{\"_placeholder\":true,\"num\":{n}}}")).collect();
    world.clients[id].text(&format!("453-[\"echo\",{}]", places.join(",")));
    for _ in 0..2 {
        world.clients[id].binary(&[0; 20_000]);
    }
    world.settle();
    assert!(world.memory().used() >= 40_000);
    world.clients[id].binary(&[0; 5_000]);
    world.settle();
    assert_eq!(world.clients[id].heard().len(), 1);
    assert!(world.memory().used() < 2_000);
    world.finish();
}

#[test]
fn a_claimed_length_costs_nothing() {
    let mut world = World::new(limits(), 1, 1);
    for _ in 0..100 {
        let id = world.join(0);
        partial(&mut world, id, 1);
    }
    world.settle();
    assert!(world.memory().used() < 20_000, "{}", world.memory().used());
    world.finish();
}

#[test]
fn the_oldest_partial_messages_go_first() {
    for shards in [1, 2, 4] {
        seeds(3, |seed| {
            let mut world = World::sliced(limits(), shards, seed);
            for n in 0..16 {
                let id = world.join(n % shards);
                world.advance(1);
                partial(&mut world, id, 45_000);
                world.settle();
            }
            assert!(world.memory().used() <= BUDGET);
            let ended = ended(&world);
            assert!(!ended.is_empty());
            for shard in 0..shards {
                let of_shard: Vec<_> =
                    ended.iter().copied().filter(|id| id % shards == shard).collect();
                let oldest: Vec<_> =
                    (0..16).filter(|id| id % shards == shard).take(of_shard.len()).collect();
                assert_eq!(of_shard, oldest, "on shard {shard}");
            }
            for id in ended {
                assert!(world.clients[id].dropped);
                assert_eq!(world.clients[id].closed, None, "nothing could be written any more");
            }
            world.finish();
        });
    }
}

#[test]
fn the_holders_of_the_oldest_frames_go_first() {
    for shards in [1, 2] {
        seeds(3, |seed| {
            let mut world = World::sliced(limits(), shards, seed);
            for n in 0..8 {
                let id = world.join(n % shards);
                world.clients[id].reading = Reading::Nothing;
                world.clients[id].socket_bytes_max = 1_000;
                world.clients[id].emit(&format!("[\"join\",\"{id}\"]"));
            }
            world.settle();
            // From another instance: whoever sends here is held long before.
            for id in 0..8_usize {
                world.advance(1);
                for _ in 0..4 {
                    let event = format!("[\"a\",\"{}\"]", "x".repeat(20_000));
                    let room = Room::text(id.to_string().as_bytes());
                    let packet = Packet::new(event.as_bytes(), &[]);
                    let broadcast = Broadcast::new(packet, Audience::rooms(vec![room]));
                    world.remote(id % shards, "/", broadcast);
                }
                world.settle();
            }
            assert!(world.memory().used() <= BUDGET);
            let ended = ended(&world);
            assert!(!ended.is_empty() && ended.len() < 8, "{ended:?}");
            for shard in 0..shards {
                let of_shard = |id: &usize| world.clients[*id].shard == shard;
                let gone: Vec<_> = ended.iter().copied().filter(of_shard).collect();
                let oldest: Vec<_> = (0..8).filter(of_shard).take(gone.len()).collect();
                assert_eq!(gone, oldest, "on shard {shard}");
            }
            world.finish();
        });
    }
}

#[test]
fn a_shard_that_holds_little_ends_nobody() {
    seeds(3, |seed| {
        let mut world = World::sliced(limits(), 4, seed);
        let little: Vec<_> = (1..4).map(|shard| world.join(shard)).collect();
        for &id in &little {
            partial(&mut world, id, 5_000);
        }
        for _ in 0..10 {
            let id = world.join(0);
            world.advance(1);
            partial(&mut world, id, 45_000);
            world.settle();
        }
        let ended = ended(&world);
        assert!(!ended.is_empty() && ended.len() < 5, "{ended:?}");
        assert!(little.iter().all(|id| !ended.contains(id)), "{ended:?}");
        assert!(world.memory().used() <= BUDGET);
        world.finish();
    });
}

/// A frame in many outboxes is charged once: what all of them share is no reason to end anybody.
#[test]
fn a_shared_frame_counts_once() {
    let mut world = World::new(limits(), 1, 1);
    let sender = world.join(0);
    for _ in 0..100 {
        let id = world.join(0);
        world.clients[id].reading = Reading::Nothing;
        world.clients[id].socket_bytes_max = 1_000;
    }
    for _ in 0..4 {
        world.clients[sender].emit(&format!("[\"others\",\"{}\"]", "x".repeat(30_000)));
    }
    world.settle();
    assert_eq!(ended(&world), []);
    assert!((120_000..140_000).contains(&world.memory().used()), "{}", world.memory().used());
    world.finish();
}

#[test]
fn above_half_of_it_whoever_sends_is_held_until_nothing_waits() {
    let mut world = World::new(Limits { sender_window_bytes: 1_000_000, ..limits() }, 1, 1);
    let (sender, receiver, holder) = (world.join(0), world.join(0), world.join(0));
    for id in [receiver, holder] {
        world.clients[id].reading = Reading::Nothing;
        world.clients[id].socket_bytes_max = 100;
    }
    world.clients[holder].emit("[\"join\",\"h\"]");
    world.settle();
    for _ in 0..4 {
        let event = format!("[\"room\",\"h\",\"{}\"]", "x".repeat(45_000));
        world.clients[sender].emit(&event);
    }
    world.settle();
    assert!(!world.clients[sender].held, "below half");
    world.clients[receiver].emit(&format!("[\"room\",\"h\",\"{}\"]", "x".repeat(45_000)));
    world.settle();
    assert!(world.memory().is_high());
    assert!(world.clients[receiver].held, "what it sent waits");
    world.clients[sender].emit("[\"echo\"]");
    world.settle();
    world.clients[holder].reading = Reading::All;
    world.settle();
    assert!(!world.memory().is_high());
    assert!(!world.clients[receiver].held && !world.clients[sender].held);
    assert_eq!(world.clients[sender].heard(), ["[\"echo\"]"]);
    world.finish();
}
