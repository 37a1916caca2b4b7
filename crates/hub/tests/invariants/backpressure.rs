//! Who is held back, who is ended, and who is not, when somebody takes less than is sent.

use relay_hub::{EndReason, Limits};

use crate::sim::{Reading, World, seeds};

/// Bounds in the proportions of the defaults, a hundredth of their size.
fn small() -> Limits {
    Limits {
        payload_bytes_max: 10_000,
        message_bytes_max: 20_000,
        encoded_bytes_max: 40_000,
        outbox_bytes_max: 80_000,
        order_bytes_per_shard: 160_000,
        sender_window_bytes: 10_000,
        memory_bytes_max: 20_000_000,
        memory_step_bytes: 1_000,
        read_bytes: 1_000,
        ..Limits::default()
    }
}

/// No sender is held.
fn unheld() -> Limits {
    Limits { sender_window_bytes: usize::MAX / 2, ..small() }
}

/// An event of about a thousand bytes.
fn event(name: &str, n: usize) -> String {
    format!("[\"{name}\",{n},\"{}\"]", "x".repeat(980))
}

fn crowd(world: &mut World, clients: usize) {
    for n in 0..clients {
        world.join(n % world.instance.shards());
    }
}

/// A client that reads nothing and whose socket holds little.
fn block(world: &mut World, id: usize) {
    world.clients[id].reading = Reading::Nothing;
    world.clients[id].socket_bytes_max = 500;
}

fn held(world: &World) -> Vec<usize> {
    let clients = world.clients.iter();
    clients.filter(|client| client.held).map(|client| client.id).collect()
}

fn slow_consumers(world: &World) -> u64 {
    world.stat(|stats| stats.ends[EndReason::SlowConsumer.index()].get())
}

// ---- credit in the order ---------------------------------------------------------------------

#[test]
fn a_shard_without_credit_is_woken_and_no_two_shards_wait_for_each_other() {
    for shards in [2, 4] {
        seeds(5, |seed| {
            let credit = small().message_bytes_max + small().read_bytes + 500;
            let limits = Limits { order_bytes_per_shard: credit, ..unheld() };
            let mut world = World::new(limits, shards, seed);
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

// ---- slow consumers --------------------------------------------------------------------------

#[test]
fn a_slow_consumer_ends_and_delays_nobody() {
    for shards in [1, 2, 4] {
        seeds(5, |seed| {
            let mut world = World::new(unheld(), shards, seed);
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
        let mut world = World::new(small(), 2, seed);
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

// ---- senders ---------------------------------------------------------------------------------

/// A sender floods 16 receivers of which the last `blocked` take nothing.
fn flood(shards: usize, seed: u64, blocked: usize) -> World {
    let mut world = World::new(small(), shards, seed);
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
        // It takes a little: what comes now counts again.
        world.clients[receiver].reading = Reading::Slow(100);
        world.client_reads(receiver);
        world.clients[receiver].reading = Reading::Nothing;
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
