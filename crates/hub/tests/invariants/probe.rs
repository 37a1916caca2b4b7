//! A WebSocket that probes for an upgrade: what it may say, how long, and that its end is not the
//! session's.

use std::time::Duration;

use relay_hub::Limits;
use relay_websocket::Opcode;

use crate::sim::script::{check, check_with};
use crate::sim::{Reading, Style, World};

#[test]
fn every_probe_is_answered() {
    check(
        "dial
         ws 2probe
         < ws 3probe
         ws 2probe
         < ws 3probe
         ws-ping hello
         < ws pong hello
         ws 5
         < alive",
    );
}

#[test]
fn a_probe_that_says_anything_else_is_closed_and_the_session_goes_on() {
    for said in ["ws 2", "ws 3", "ws 40", "ws 42[\"others\",1]", "ws 2probe2", "ws-binary 5"] {
        check(&format!(
            "get
             dial
             ~{said}
             ws 5
             < ws close
             < 1 -
             say [\"others\",1]
             < 1 200 42[\"others\",1]
             ws-close
             < ws gone
             dial
             ws 2probe
             < ws 3probe
             ws 5
             < alive"
        ));
    }
    // What is no frame at all.
    for raw in ["c1 81 00 00 00 00 35", "81 01 35"] {
        check(&format!(
            "get
             dial
             ws-raw {raw}
             < ws gone
             < 1 -
             < alive"
        ));
    }
}

#[test]
fn a_refused_websocket_that_does_not_go_is_dropped() {
    check(
        "dial
         ws 40
         < ws close
         +4999
         < ws alive
         +1
         < ws gone
         < alive",
    );
}

#[test]
fn a_probe_that_dies_changes_nothing() {
    for dies in ["ws-ends", "ws-close"] {
        check(&format!(
            "dial
             ws 2probe
             < ws 3probe
             get
             {dies}
             < ws gone
             +100
             say [\"others\",1]
             < 1 200 42[\"others\",1]
             dial
             ws 2probe
             < ws 3probe
             < alive"
        ));
    }
}

#[test]
fn half_a_frame_of_a_probe_is_charged_and_given_back() {
    // That what is charged is what is held is looked at after every step.
    for ends in ["ws-ends", "+10000", "post 1", "post 42[\"shut\"]", "stop"] {
        let answer = if ends.starts_with("post") { "< 1 ok" } else { "" };
        let refusal = if ends == "+10000" { "< ws close" } else { "" };
        check(&format!(
            "dial
             ws-raw 81 fe 10 00 00 00 00 00 34 34 34 34
             < ws alive
             ws-raw 34 34 34 34
             < ws alive
             ~{ends}
             ws-raw 34 34 34 34
             {answer}
             {refusal}"
        ));
    }
}

#[test]
fn a_probe_has_ten_seconds() {
    check(
        "dial
         +9999
         < ws alive
         +1
         < ws close
         ws-close
         < ws gone
         < alive",
    );
    check(
        "dial
         ws 2probe
         < ws 3probe
         +9999
         ws 5
         say [\"others\",1]
         < ws 42[\"others\",1]
         +1
         < ws alive",
    );
    check_with(
        &Limits { upgrade_timeout: Duration::from_millis(50), ..Limits::default() },
        "dial
         get
         ws 2probe
         < ws 3probe
         < 1 200 6
         +50
         < ws close
         get
         +100
         < 2 -",
    );
}

#[test]
fn a_second_probe_is_refused_and_the_first_goes_on() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.open_polling(0, Style::Scripted);
    assert!(world.probe(id), "the first");
    assert!(!world.probe(id), "the second");
    world.clients[id].send(Opcode::Text, b"2probe");
    world.settle();
    assert!(!world.probe(id), "it has probed");
    world.clients[id].send(Opcode::Text, b"5");
    world.settle();
    assert!(!world.probe(id), "it is upgraded");
    assert_eq!(world.clients[id].frames, ["3probe"]);
    assert_eq!(world.stat(|stats| stats.upgrades.get()), 1);
    world.finish();
}

#[test]
fn the_session_ends_while_its_websocket_probes() {
    check(
        "get
         dial
         ws 2probe
         < ws 3probe
         < 1 200 6
         get
         post 42[\"shut\"]
         < 3 ok
         < 2 200 41
         get
         < 4 200 1
         < ws gone
         < gone",
    );
    check(
        "get
         dial
         get
         < 1 200 1
         < 2 400
         < ws gone
         < end transport_error",
    );
    check(
        "dial
         post 1
         < 1 ok
         < ws gone
         < gone
         < end transport_close",
    );
    check(
        "dial
         +25000
         < ws close
         get
         < 1 200 2
         +11000
         dial
         +8999
         < ws alive
         +1
         < ws gone
         < gone
         < end ping_timeout",
    );
}

/// What waits for a WebSocket that probes is bounded, and one that takes less is given up.
#[test]
fn a_probe_that_reads_nothing_is_given_up() {
    for socket_bytes_max in [4, 1_000_000] {
        let mut world = World::new(Limits::default(), 1, 1);
        let id = world.open_polling(0, Style::Scripted);
        world.clients[id].socket_bytes_max = socket_bytes_max;
        assert!(world.probe(id));
        world.clients[id].reading = Reading::Nothing;
        for _ in 0..600 {
            world.clients[id].send(Opcode::Text, b"2probe");
        }
        // All of it is read before a byte of the answers is written.
        world.read_all(id);
        world.settle();
        assert!(world.clients[id].link.dropped && !world.clients[id].dropped);
        assert_eq!(world.stat(|stats| stats.probes_failed.get()), 1);
        world.finish();
    }
}
