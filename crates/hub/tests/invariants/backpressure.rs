//! Who is held back when others take less than is sent, for how long, and who is not.

use relay_hub::{EndReason, Limits};

use crate::sim::flood::{block, crowd, event, held, slow_consumers, small, unheld};
use crate::sim::{Reading, World, seeds};

#[test]
fn a_shard_without_credit_is_woken_and_no_two_shards_wait_for_each_other() {
    for shards in [2, 4] {
        seeds(5, |seed| {
            let credit = small().message_bytes_max + small().read_bytes + 500;
            let limits = Limits { order_bytes_per_shard: credit, ..unheld() };
            let mut world = World::sliced(limits, shards, seed);
            crowd(&mut world, 8);
            for n in 0..100 {
                for id in 0..8 {
                    world.clients[id].emit(&event("all", n));
                }
            }
            world.settle();
            assert!(world.stat(|stats| stats.reads_held.get()) > 0, "credit was short");
            let order = world.clients[0].heard();
            assert_eq!(order.len(), 800);
            assert!(world.clients.iter().all(|client| client.heard() == order));
            world.finish();
        });
    }
}

/// A sender floods 16 receivers of which the last `blocked` take nothing.
fn flood(shards: usize, seed: u64, blocked: usize) -> World {
    let mut world = World::sliced(small(), shards, seed);
    crowd(&mut world, 17);
    for id in 17 - blocked..17 {
        block(&mut world, id);
    }
    for n in 0..60 {
        world.clients[0].emit(&event("others", n));
    }
    world.settle();
    world
}

#[test]
fn a_sender_is_held_while_much_of_its_waits_in_many_outboxes() {
    for shards in [1, 2, 4] {
        seeds(5, |seed| {
            let mut world = flood(shards, seed, 16);
            assert_eq!(held(&world), [0]);
            assert_eq!(slow_consumers(&world), 0, "a flood evicts nobody");
            for id in 1..17 {
                world.clients[id].reading = Reading::All;
            }
            world.settle();
            assert_eq!(held(&world), []);
            for id in 1..17 {
                assert_eq!(world.clients[id].heard().len(), 60, "client {id}");
            }
            world.finish();
        });
    }
}

#[test]
fn a_sender_is_not_held_for_a_few() {
    let mut world = flood(1, 1, 2);
    assert_eq!(held(&world), [], "one in eight may wait");
    world.clients[0].emit("[\"echo\"]");
    world.settle();
    assert_eq!(world.clients[0].heard(), ["[\"echo\"]"]);
    world.finish();
}

#[test]
fn a_sender_is_held_by_more_than_a_few() {
    let mut world = flood(1, 1, 3);
    assert_eq!(held(&world), [0]);
    world.clients[16].reading = Reading::All;
    world.settle();
    assert_eq!(held(&world), [], "two of sixteen wait");
    world.finish();
}

#[test]
fn a_held_sender_is_read_again_when_half_of_its_window_is_free() {
    let mut world = World::new(small(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    block(&mut world, receiver);
    for n in 0..10 {
        world.clients[sender].emit(&event("others", n));
    }
    world.settle();
    let half = world.instance.limits().sender_window_bytes / 2;
    while world.hub(0).outstanding_bytes() > half {
        assert_eq!(held(&world), [sender]);
        world.clients[receiver].reading = Reading::Slow(400);
        world.client_reads(receiver);
        world.clients[receiver].reading = Reading::Nothing;
        world.settle();
    }
    assert_eq!(held(&world), []);
    assert!(world.hub(0).outstanding_bytes() > half - 1_100);
    world.finish();
}

#[test]
fn others_go_on_while_a_sender_is_held() {
    seeds(5, |seed| {
        let mut world = flood(2, seed, 16);
        for id in 1..17 {
            world.clients[id].emit("[\"room\",\"r\"]");
            world.clients[id].emit("[\"join\",\"r\"]");
        }
        world.settle();
        assert_eq!(held(&world), [0]);
        let read = world.clients.iter().filter(|client| !client.is_readable()).count();
        assert_eq!(read, 17, "all that may be read was read");
        world.finish();
    });
}

#[test]
fn a_stalled_receiver_holds_nobody() {
    for shards in [1, 2] {
        let mut world = World::new(small(), shards, 1);
        let (sender, receiver) = (world.join(0), world.join(shards - 1));
        block(&mut world, receiver);
        for n in 0..40 {
            world.clients[sender].emit(&event("others", n));
        }
        world.settle();
        assert_eq!(held(&world), [sender]);
        world.advance(4_999);
        assert_eq!(held(&world), [sender]);
        world.advance(1);
        assert_eq!(held(&world), []);
        assert_eq!(slow_consumers(&world), 0);
        // A trickle is no progress: what comes now still counts for nobody.
        world.clients[receiver].reading = Reading::Slow(1);
        world.client_reads(receiver);
        world.clients[receiver].reading = Reading::Nothing;
        world.clients[sender].emit(&event("others", 40));
        world.settle();
        assert_eq!(held(&world), []);
        // It takes a real amount: what comes now counts again.
        world.clients[receiver].reading = Reading::All;
        world.client_reads(receiver);
        world.clients[receiver].reading = Reading::Nothing;
        world.settle();
        for n in 0..20 {
            world.clients[sender].emit(&event("others", n));
        }
        world.settle();
        assert_eq!(held(&world), [sender]);
        world.finish();
    }
}

#[test]
fn who_takes_nothing_for_long_becomes_a_slow_consumer() {
    let mut world = World::new(small(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    block(&mut world, receiver);
    for n in 0..100 {
        world.clients[sender].emit(&event("others", n));
    }
    world.settle();
    world.advance(5_000);
    assert_eq!(world.log.borrow().ends_of(receiver), [EndReason::SlowConsumer]);
    assert_eq!(held(&world), []);
    world.finish();
}

#[test]
fn an_echo_that_is_not_taken_holds_its_sender() {
    let mut world = World::new(small(), 1, 1);
    let (id, bystander) = (world.join(0), world.join(0));
    block(&mut world, id);
    for n in 0..60 {
        world.clients[id].emit(&event("echo", n));
    }
    world.settle();
    assert_eq!(held(&world), [id]);
    world.clients[bystander].emit("[\"echo\"]");
    world.clients[id].reading = Reading::All;
    world.settle();
    assert_eq!(world.clients[id].heard().len(), 60);
    world.finish();
}

/// Senders that end while held, receivers that end while they hold somebody.
#[test]
fn an_end_releases_whom_it_held() {
    seeds(5, |seed| {
        let mut world = flood(2, seed, 16);
        for id in 1..17 {
            world.clients[id].text("1");
        }
        world.settle();
        // Their close frames wait as well; after the time for it they are dropped.
        world.advance(5_000);
        assert_eq!(held(&world), []);
        world.clients[0].emit("[\"echo\"]");
        world.settle();
        assert_eq!(world.clients[0].heard(), ["[\"echo\"]"]);
        world.finish();
    });
}

#[test]
fn a_held_sender_that_is_closed_is_gone_at_once() {
    let mut world = flood(2, 1, 16);
    assert_eq!(held(&world), [0]);
    world.shut_down();
    world.settle();
    assert_eq!(world.clients[0].closed, Some(None));
    assert!(world.clients[0].dropped, "its end was seen");
    world.finish();
}

/// While we do not read a connection, nothing that it might say can be missed.
#[test]
fn time_outs_stand_still_for_a_held_connection() {
    let limits = Limits { receiver_stall: std::time::Duration::from_secs(3_600), ..small() };
    let mut world = World::new(limits, 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    block(&mut world, receiver);
    // The receiver's pongs come by themselves: it must live on to hold the sender.
    world.clients[sender].text("451-[\"others\",{\"_placeholder\":true,\"num\":0}]");
    for n in 0..40 {
        world.clients[sender].binary(&vec![b'x'; 1_000]);
        world.clients[sender].text("451-[\"others\",{\"_placeholder\":true,\"num\":0}]");
        _ = n;
    }
    world.settle();
    assert_eq!(held(&world), [sender]);
    for _ in 0..6 {
        world.clients[receiver].text("3");
        world.settle();
        world.advance(20_000);
    }
    assert_eq!(world.log.borrow().ends_of(sender), []);
    assert_eq!(world.clients[sender].pings, 1, "pings are due also then");
    world.clients[receiver].reading = Reading::All;
    world.settle();
    assert_eq!(held(&world), []);
    assert_eq!(world.clients[receiver].heard().len(), 40);
    // It has its time for the last attachment again.
    world.advance(29_999);
    assert_eq!(world.log.borrow().ends_of(sender), []);
    world.advance(1);
    assert_eq!(world.log.borrow().ends_of(sender), [EndReason::AttachmentsTimeout]);
    world.finish();
}
