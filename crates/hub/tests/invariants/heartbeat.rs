//! Heartbeats, exact to the millisecond.

use relay_hub::{EndReason, Limits};

use crate::sim::{World, seeds};

/// The defaults, in milliseconds.
const INTERVAL: u64 = 25_000;
const TIMEOUT: u64 = 20_000;

fn world() -> (World, usize) {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join(0);
    (world, id)
}

fn timeouts(world: &World) -> u64 {
    world.stat(|stats| stats.ends[EndReason::PingTimeout.index()].get())
}

#[test]
fn a_ping_at_the_interval_and_the_next_one_after_the_pong() {
    let (mut world, id) = world();
    for ping in 1..=5 {
        world.advance(INTERVAL - 1);
        assert_eq!(world.clients[id].pings, ping - 1);
        world.advance(1);
        assert_eq!(world.clients[id].pings, ping);
    }
    world.finish();
}

#[test]
fn the_interval_begins_at_the_pong() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL + 3_000);
    world.clients[id].text("3");
    world.settle();
    world.advance(INTERVAL - 1);
    assert_eq!(world.clients[id].pings, 1);
    world.advance(1);
    assert_eq!(world.clients[id].pings, 2);
    world.finish();
}

#[test]
fn who_does_not_answer_ends_at_the_timeout() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL + TIMEOUT - 1);
    assert_eq!((timeouts(&world), world.clients[id].closed), (0, None));
    world.advance(1);
    assert_eq!((timeouts(&world), world.clients[id].closed), (1, Some(None)));
    assert_eq!(world.log.borrow().ends_of(id), [EndReason::PingTimeout]);
    world.finish();
}

#[test]
fn another_packet_restarts_the_timeout_once() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL + 10_000);
    world.clients[id].emit("[\"echo\"]");
    world.settle();
    world.advance(15_000);
    world.clients[id].emit("[\"echo\"]");
    world.settle();
    world.advance(4_999);
    assert_eq!(timeouts(&world), 0);
    world.advance(1);
    assert_eq!(timeouts(&world), 1, "twenty seconds after the first packet");
    world.finish();
}

#[test]
fn part_of_a_packet_is_no_sign_of_life() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL);
    for second in 0..20 {
        let first = if second == 0 { 0x01 } else { 0x00 };
        world.clients[id].send_raw(&[first, 0x81, 0, 0, 0, 0, b'4']);
        world.settle();
        world.advance(1_000);
    }
    assert_eq!(timeouts(&world), 1);
    world.finish();
}

/// After a stall of the process the kernel may hold the pong: it is read before the judgement.
#[test]
fn nobody_ends_over_bytes_that_were_not_read() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL);
    world.advance_with(TIMEOUT + 60_000, |client| client == id);
    assert_eq!(timeouts(&world), 0);
    world.clients[id].text("3");
    world.settle();
    world.advance(INTERVAL - 1);
    assert_eq!((timeouts(&world), world.clients[id].pings), (0, 1));
    world.advance(1);
    assert_eq!(world.clients[id].pings, 2);
    world.finish();
}

#[test]
fn nobody_ends_over_bytes_that_were_not_read_but_then_they_are() {
    let (mut world, id) = world();
    world.clients[id].answers_pings = false;
    world.advance(INTERVAL);
    world.advance_with(TIMEOUT + 60_000, |client| client == id);
    world.advance(1);
    assert_eq!(timeouts(&world), 1, "there was nothing to read after all");
    world.finish();
}

#[test]
fn unsolicited_pongs_are_free() {
    let (mut world, id) = world();
    for _ in 0..1_000 {
        world.clients[id].text("3");
    }
    world.settle();
    world.advance(INTERVAL);
    assert_eq!(world.clients[id].pings, 1);
    world.finish();
}

#[test]
fn many_connections_keep_their_own_times() {
    seeds(3, |seed| {
        let mut world = World::sliced(Limits::default(), 4, seed);
        let mut born = Vec::new();
        for n in 0..40 {
            let pause = world.random.up_to(2_000) as u64;
            world.advance(pause);
            born.push(world.now);
            world.join(n % 4);
        }
        for _ in 0..200 {
            let pause = world.random.up_to(700) as u64;
            world.advance(pause);
            for (id, &born) in born.iter().enumerate() {
                let pings = (world.now - born) / INTERVAL;
                assert_eq!(world.clients[id].pings as u64, pings, "client {id}");
            }
        }
        world.finish();
    });
}
