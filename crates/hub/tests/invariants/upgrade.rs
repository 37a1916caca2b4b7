//! From polling to WebSocket: the switch, and that nothing is lost, doubled or late over it.

use std::time::Duration;

use relay_hub::{EndReason, Limits};

use crate::sim::flood::{block, event, held, small};
use crate::sim::script::check;
use crate::sim::{Reading, Style, World, seeds};

#[test]
fn the_stock_dance() {
    check(
        "get
         dial
         < ws alive
         < 1 -
         ws 2probe
         < ws 3probe
         < 1 200 6
         get
         < 2 -
         +99
         < 2 -
         +1
         < 2 200 6
         ws 5
         ws 42[\"others\",1]
         < heard [\"others\",1]
         say [\"others\",2]
         < ws 42[\"others\",2]
         get
         < 3 400/3
         post 42[\"others\",3]
         < 4 400/3
         dial
         < ws alive
         < alive",
    );
}

#[test]
fn messages_go_by_polling_until_the_switch() {
    check(
        "get
         dial
         ws 2probe
         < ws 3probe
         < 1 200 6
         say [\"others\",1]
         get
         < 2 200 42[\"others\",1]
         post 42[\"others\",2]
         < 3 ok
         < heard [\"others\",2]
         say [\"others\",3]
         ws 5
         < ws 42[\"others\",3]",
    );
}

/// As python-engineio: nothing was asked for by GET.
#[test]
fn a_websocket_may_come_before_any_get() {
    check(
        "say [\"others\",1]
         dial
         ws 2probe
         < ws 3probe
         ws 5
         < ws 42[\"others\",1]
         ws 42[\"echo\"]
         < ws 42[\"echo\"]",
    );
}

#[test]
fn what_waits_is_converted_in_order() {
    check(
        "say [\"others\",1]
         ~post 451-[\"echo\",{\"_placeholder\":true,\"num\":0}]␞baGVsbG8=␞42[\"echo\",2]
         dial
         < 1 ok
         ~ws 2probe
         ~ws 5

         < ws 3probe
         < ws 42[\"others\",1]
         < ws 451-[\"echo\",{\"_placeholder\":true,\"num\":0}]
         < ws binary hello
         < ws 42[\"echo\",2]",
    );
}

#[test]
fn bytes_behind_the_switch_are_handled() {
    check(
        "dial
         ~ws 2probe
         ~ws 5
         ~ws 42[\"others\",1]
         ~ws 451-[\"others\",2,{\"_placeholder\":true,\"num\":0}]
         ~ws-binary x

         < ws 3probe
         < heard [\"others\",1]
         < heard [\"others\",2,{\"_placeholder\":true,\"num\":0}]",
    );
}

#[test]
fn a_switch_without_a_probe_is_one() {
    check(
        "say [\"others\",1]
         dial
         ws 5
         < ws 42[\"others\",1]
         get
         < 1 400/3",
    );
}

#[test]
fn what_waits_at_the_switch_is_a_mismatch() {
    check(
        "dial
         ws 2probe
         < ws 3probe
         get
         begin
         ws 5
         < 1 400/3
         < 2 400/3
         body 2 42[\"others\",1]
         say [\"others\",2]
         < ws 42[\"others\",2]",
    );
}

#[test]
fn a_session_that_is_closing_finishes_its_switch() {
    check(
        "dial
         ws 2probe
         < ws 3probe
         post 42[\"echo\",1]␞42[\"shut\"]
         < 1 ok
         < alive
         ws 5
         < ws 42[\"echo\",1]
         < ws 41
         < ws 1
         < ws close
         ws-close
         < ws gone
         < gone
         < end forced_server_close",
    );
    // No WebSocket is let in once it is closing.
    check(
        "post 42[\"shut\"]
         < 1 ok
         dial
         < ws gone
         get
         < 2 200 41
         get
         < 3 200 1
         < gone",
    );
}

#[test]
fn the_heartbeat_begins_anew_at_the_switch() {
    check(
        "+25000
         dial
         ws 2probe
         < ws 3probe
         +9000
         ws 5
         < ws 2
         +24999
         < alive
         +1
         < ws 2
         +19999
         < alive
         +1
         < ws close
         < end ping_timeout",
    );
}

/// Who is held back is not read on either transport, and loses no upgrade over it.
#[test]
fn a_held_sender_goes_over_when_it_is_read_again() {
    let limits = Limits { receiver_stall: Duration::from_secs(3_600), ..small() };
    seeds(5, |seed| {
        let mut world = World::sliced(limits.clone(), 2, seed);
        let (sender, receiver) = (world.join_polling(0, Style::Polls), world.join(1));
        block(&mut world, receiver);
        for n in 0..40 {
            world.clients[sender].emit(&event("others", n));
        }
        world.settle();
        assert_eq!(world.stat(|stats| stats.senders_held_now.get()), 1);
        let poller = world.clients[sender].poller.as_mut().expect("it polls");
        (poller.style, poller.has_tried) = (Style::Upgrades, false);
        world.settle();
        assert_eq!(held(&world), [sender], "its WebSocket is not read either");
        for _ in 0..6 {
            world.clients[receiver].text("3");
            world.settle();
            world.advance(8_000);
        }
        assert_eq!(world.stat(|stats| stats.probes_failed.get()), 0);
        world.clients[receiver].reading = Reading::All;
        world.settle();
        assert_eq!(held(&world), []);
        // It may have begun another GET before it saw that it should not.
        world.advance(100);
        assert!(!world.clients[sender].is_polling(), "it has gone over");
        let all: Vec<_> = (0..40).map(|n| event("others", n)).collect();
        assert_eq!(world.clients[receiver].heard(), all);
        world.finish();
    });
}

/// What came with the handshake of its WebSocket is read even so: its POST is over then, and it
/// stays held, which its heartbeat knows.
#[test]
fn a_held_sender_may_go_over_at_once() {
    let limits = Limits { receiver_stall: Duration::from_secs(3_600), ..small() };
    let mut world = World::new(limits, 1, 1);
    let (sender, receiver) = (world.join_polling(0, Style::Polls), world.join(0));
    block(&mut world, receiver);
    for n in 0..10 {
        world.clients[sender].emit(&event("others", n));
    }
    for n in 0..3 {
        world.clients[sender].emit(&event("echo", n));
    }
    world.clients[sender].reading = Reading::Nothing;
    world.settle();
    assert_eq!(world.clients[sender].unanswered(), (true, true));
    world.goes_over_at_once(sender);
    world.settle();
    assert_eq!(world.clients[sender].unanswered(), (true, false), "it does not look at its GET");
    assert_eq!(world.stat(|stats| stats.upgrades.get()), 1);
    assert_eq!(held(&world), [sender]);
    world.clients[sender].answers_pings = false;
    for _ in 0..6 {
        world.clients[receiver].text("3");
        world.settle();
        world.advance(20_000);
    }
    assert_eq!(world.log.borrow().ends_of(sender), []);
    world.clients[receiver].reading = Reading::All;
    world.settle();
    assert_eq!(held(&world), []);
    world.advance(19_999);
    assert_eq!(world.log.borrow().ends_of(sender), []);
    world.advance(1);
    assert_eq!(world.log.borrow().ends_of(sender), [EndReason::PingTimeout]);
    world.finish();
}

/// Whichever transport they came by: once, and in order, both ways.
#[test]
fn messages_are_seen_once_and_in_order_across_the_upgrade() {
    for shards in [1, 2, 4] {
        seeds(12, |seed| {
            let mut world = World::sliced(Limits::default(), shards, seed);
            let talker = world.join(0);
            let styles = [Style::Upgrades, Style::UpgradesFirst, Style::Polls];
            let ids: Vec<_> =
                (0..9).map(|n| world.open_polling(n % shards, styles[n % 3])).collect();
            for &id in &ids {
                world.clients[id].connect("/");
                if id % 4 == 0 {
                    world.clients[id].reading = Reading::Slow(50);
                }
            }
            for n in 0..60 {
                world.clients[talker].emit(&format!("[\"others\",{n}]"));
                for &id in &ids {
                    world.clients[id].emit(&format!("[\"echo\",{n}]"));
                    world.clients[id].text(&format!(
                        "451-[\"echo\",\"b\",{n},{{\"_placeholder\":true,\"num\":0}}]"
                    ));
                    world.clients[id].binary(&[n; 3]);
                }
                for _ in 0..world.random.up_to(6) {
                    world.step();
                }
            }
            world.settle();
            world.advance(100);
            for &id in &ids {
                let client = &world.clients[id];
                let of = |name: &str| {
                    let all = client.heard().into_iter().map(str::to_owned);
                    all.filter(|args| args.starts_with(name)).collect::<Vec<_>>()
                };
                let numbered = |name: &str, tail: &str| {
                    (0..60).map(|n| format!("{name}{n}{tail}")).collect::<Vec<_>>()
                };
                assert_eq!(
                    of("[\"echo\",\"b\""),
                    numbered("[\"echo\",\"b\",", ",{\"_placeholder\":true,\"num\":0}]")
                );
                let plain: Vec<_> =
                    of("[\"echo\"").into_iter().filter(|it| !it.contains('b')).collect();
                assert_eq!(plain, numbered("[\"echo\",", "]"), "client {id}");
                let others = of("[\"others\"");
                assert_eq!(others, numbered("[\"others\",", "]")[60 - others.len()..]);
                assert_eq!(client.is_polling(), styles[(id - 1) % 3] == Style::Polls, "{id}");
            }
            assert_eq!(world.stat(|stats| stats.upgrades.get()), 6);
            world.finish();
        });
    }
}
