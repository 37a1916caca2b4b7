//! Clients that take less than is sent to them: who ends, what is dropped, what stays whole.

use relay_hub::{EndReason, Limits};

use crate::sim::flood::{block, crowd, event, slow_consumers, small, unheld, written_next};
use crate::sim::{Reading, World, seeds};

#[test]
fn a_slow_consumer_ends_and_delays_nobody() {
    for shards in [1, 2, 4] {
        seeds(5, |seed| {
            let mut world = World::sliced(unheld(), shards, seed);
            crowd(&mut world, 8);
            block(&mut world, 7);
            for n in 0..100 {
                world.clients[0].emit(&event("all", n));
            }
            world.settle();
            assert_eq!(world.log.borrow().ends_of(7), [EndReason::SlowConsumer]);
            assert!(world.clients[7].dropped);
            world.clients[7].reading = Reading::All;
            world.settle();
            assert_eq!(world.clients[7].closed, None, "no close frame, no 41");
            assert_eq!(world.clients[7].put_out, Vec::<String>::new());
            for id in 0..7 {
                assert_eq!(world.clients[id].heard().len(), 100, "client {id}");
            }
            let peak = world.stat(|stats| stats.outbox_bytes_peak.get());
            assert!(peak <= 80_000, "{peak} bytes waited");
            world.finish();
        });
    }
}

#[test]
fn who_was_refused_nothing_is_no_slow_consumer() {
    let mut world = World::new(Limits { read_bytes: 100_000, ..unheld() }, 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    world.clients[receiver].socket_bytes_max = 1_000_000;
    for n in 0..100 {
        world.clients[sender].emit(&event("others", n));
    }
    // All of it enters the outbox before a byte of it is written.
    world.read_all(sender);
    assert!(world.hub(0).outbox_bytes() > 80_000);
    world.settle();
    assert_eq!(slow_consumers(&world), 0);
    assert_eq!(world.clients[receiver].heard().len(), 100);
    world.finish();
}

#[test]
fn who_is_refused_with_too_much_waiting_is_one_at_once() {
    let mut world = World::new(unheld(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    block(&mut world, receiver);
    for n in 0..100 {
        world.clients[sender].emit(&event("others", n));
    }
    world.read_all(sender);
    assert_eq!(slow_consumers(&world), 0, "nobody has tried to write");
    world.settle();
    assert_eq!(slow_consumers(&world), 1);
    assert_eq!(world.log.borrow().ends_of(receiver), [EndReason::SlowConsumer]);
    world.finish();
}

#[test]
fn a_flood_of_tiny_frames_is_bounded_too() {
    let mut world = World::new(unheld(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join(0));
    block(&mut world, receiver);
    for _ in 0..2_000 {
        world.clients[sender].emit("[\"others\"]");
    }
    world.settle();
    assert_eq!(slow_consumers(&world), 1, "entries count beyond their bytes");
    world.finish();
}

#[test]
fn volatile_packets_are_dropped_while_the_client_takes_nothing() {
    let mut world = World::new(unheld(), 2, 1);
    let (sender, receiver) = (world.join(0), world.join(1));
    block(&mut world, receiver);
    world.clients[sender].emit(&event("others", 0));
    world.settle();
    for n in 1..200 {
        world.clients[sender].emit(&event("volatile", n));
    }
    world.clients[sender].emit(&event("others", 200));
    world.settle();
    world.clients[receiver].reading = Reading::All;
    world.settle();
    world.clients[sender].emit("[\"volatile\",201]");
    world.settle();
    let heard = world.clients[receiver].heard();
    assert_eq!(heard, [&event("others", 0), &event("others", 200), "[\"volatile\",201]"]);
    assert_eq!(world.stat(|stats| stats.volatile_dropped.get()), 199);
    assert_eq!(world.clients[sender].heard().len(), 200, "its own are no less");
    world.finish();
}

#[test]
fn text_and_attachments_enter_an_outbox_together_or_not_at_all() {
    seeds(10, |seed| {
        let mut world = World::sliced(small(), 2, seed);
        crowd(&mut world, 6);
        for id in 1..6 {
            world.clients[id].reading = Reading::Slow(40 * id);
            world.clients[id].socket_bytes_max = 100 * id;
        }
        block(&mut world, 5);
        for n in 0..150 {
            let name = ["all", "volatile", "others", "echo-volatile"][n % 4];
            let sender = n % 5;
            let place = |num: usize| format!("{{\"_placeholder\":true,\"num\":{num}}}");
            let list: Vec<_> = (0..=n % 10).map(place).collect();
            let count = list.len();
            let args = list.join(",");
            world.clients[sender].text(&format!("45{count}-[\"{name}\",{n},{args}]"));
            for num in 0..count {
                let data = format!("{n}.{num}.{}", "b".repeat(n * 2));
                world.clients[sender].binary(data.as_bytes());
            }
            if n % 16 == 0 {
                world.settle();
            }
        }
        world.settle();
        world.advance(6_000);
        // Clients refuse whatever is torn; what they got is looked at here.
        let mut seen = 0;
        for event in world.clients.iter().flat_map(|client| &client.events) {
            let n = event.args.split(',').nth(1).expect("the second argument");
            let expected = n.parse::<usize>().expect("its number") % 10 + 1;
            assert_eq!(event.attachments.len(), expected);
            for (num, data) in event.attachments.iter().enumerate() {
                assert!(data.starts_with(format!("{n}.{num}.").as_bytes()));
            }
            seen += 1;
        }
        assert!(seen > 300, "{seen}");
        world.finish();
    });
}

#[test]
fn who_is_blocked_is_still_read() {
    let mut world = World::new(unheld(), 2, 1);
    let (blocked, receiver) = (world.join(0), world.join(1));
    block(&mut world, blocked);
    world.clients[receiver].emit(&event("others", 0));
    world.settle();
    world.clients[blocked].emit("[\"others\",1]");
    world.settle();
    assert_eq!(world.clients[receiver].heard(), ["[\"others\",1]"]);
    // Its pong counts, although it has not seen the ping.
    world.advance(44_000);
    world.clients[blocked].text("3");
    world.settle();
    world.advance(10_000);
    assert_eq!(world.log.borrow().ends_of(blocked), []);
    world.finish();
}

#[test]
fn who_takes_bytes_again_does_not_queue_behind_all_others() {
    let mut world = World::new(Limits { fan_out_few: 0, ..unheld() }, 1, 1);
    crowd(&mut world, 8);
    block(&mut world, 5);
    for n in 0..10 {
        world.clients[0].emit(&event("all", n));
    }
    world.settle();
    world.clients[0].emit(&event("all", 10));
    world.read_all(0);
    world.catch_up(0);
    world.clients[5].reading = Reading::All;
    assert_eq!(written_next(&mut world, 0), Some(5));
    world.settle();
    for id in 0..8 {
        assert_eq!(world.clients[id].heard().len(), 11, "client {id}");
    }
    world.finish();
}
