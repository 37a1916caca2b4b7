//! Sessions that poll: what each request is answered, and when.

use std::time::Duration;

use relay_hub::{EndReason, Limits};

use crate::sim::script::check;
use crate::sim::{Reading, Style, World, seeds};

#[test]
fn a_get_waits_until_there_is_something() {
    check(
        "get
         < 1 -
         +24999
         < 1 -
         say [\"others\",1]
         < 1 200 42[\"others\",1]
         say [\"others\",2]
         say [\"others\",3]
         get
         < 2 200 42[\"others\",2]␞42[\"others\",3]
         get
         < 3 -
         < alive",
    );
}

#[test]
fn a_post_is_answered_when_its_packets_are_handled() {
    check(
        "post 42[\"others\",1]␞427[\"echo\"]␞42[\"others\",2]
         < 1 ok
         < heard [\"others\",1]
         < heard [\"others\",2]
         get
         < 2 200 42[\"echo\"]␞437[\"echo\"]
         get
         post 3␞6␞5␞0{}␞42[\"echo\",1]
         < 4 ok
         < 3 200 42[\"echo\",1]
         begin
         < 5 -
         body 5 42[\"others\",3]
         < 5 ok
         < heard [\"others\",3]
         < alive",
    );
}

#[test]
fn requests_that_cannot_be() {
    // Of another revision, of another method: the session lives on.
    check(
        "get
         eio3
         < 2 400/3
         put
         < 3 500
         < 1 -
         begin
         large 4
         < 4 413
         < 1 -
         post 42[\"others\",1]
         < heard [\"others\",1]
         < 5 ok
         < alive",
    );
    // A type that no client sends.
    check(
        "get
         octets
         < 2 400
         < 1 200 1
         < end transport_error
         < gone
         get
         < 3 400/1",
    );
}

#[test]
fn one_get_and_one_post_at_a_time() {
    check(
        "get
         get
         < 2 400
         < 1 200 1
         < end transport_error
         get
         < 3 400/1",
    );
    check(
        "get
         begin
         begin
         < 3 400
         < 2 400/1
         < 1 200 1
         < end transport_error
         body 2 42[\"others\",1]
         body 3 42[\"others\",2]
         < gone",
    );
}

#[test]
fn a_request_that_is_taken_back_ends_the_session() {
    check(
        "get
         abort 1
         < end transport_error
         < gone
         get
         < 2 400/1",
    );
    check(
        "get
         begin
         abort 2
         < 1 200 1
         < end transport_error
         < gone",
    );
    // An answer was on its way: nothing is taken back.
    check(
        "get
         say [\"others\",1]
         < 1 200 42[\"others\",1]
         abort 1
         < alive",
    );
}

/// It may be closing when it takes its GET back: what is left waits for the next one.
#[test]
fn a_get_of_a_closing_session_may_be_taken_back() {
    seeds(8, |seed| {
        let mut world = World::sliced(Limits::default(), 1, seed);
        let id = world.join_polling(0, Style::Polls);
        world.clients[id].reading = Reading::Nothing;
        world.clients[id].text("42[\"echo\"]");
        world.settle();
        world.clients[id].text("42[\"shut\"]");
        world.settle();
        assert_eq!(world.log.borrow().ends_of(id), [EndReason::ForcedServerClose]);
        assert!(!world.clients[id].dropped, "its last packets wait");
        // In one pass, so that nothing is written in between.
        world.request_and_abort(id);
        world.clients[id].reading = Reading::All;
        world.settle();
        assert!(world.clients[id].told_the_end && world.clients[id].dropped);
        assert_eq!(world.clients[id].put_out, ["/"]);
        world.finish();
    });
}

#[test]
fn a_client_closes_by_post() {
    check(
        "get
         post 1
         < 2 ok
         < 1 200 6
         < end transport_close
         < gone
         get
         < 3 400/1",
    );
    check(
        "post 42[\"others\",1]␞1␞42[\"others\",2]␞nonsense
         < 1 ok
         < heard [\"others\",1]
         < end transport_close
         < gone",
    );
}

#[test]
fn packets_before_a_bad_one_are_handled() {
    for bad in ["7", "", "hello", "b?", "\u{feff}4"] {
        check(&format!(
            "get
             post 42[\"others\",1]␞{bad}␞42[\"others\",2]
             < 2 400
             < heard [\"others\",1]
             < 1 200 1
             < end parse_error
             < gone
             get
             < 3 400/1"
        ));
    }
    // The first half of what Socket.IO does not allow was a packet of Engine.IO.
    check(
        "get
         post 42{}␞42[\"others\",1]
         < 2 ok
         < 1 200 1
         < end protocol_error",
    );
    check(
        "get
         post 2
         < 2 ok
         < 1 200 1
         < end transport_error",
    );
}

#[test]
fn what_is_no_utf_8_is_replaced() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join_polling(0, Style::Polls);
    let poller = world.clients[id].poller.as_mut().expect("it polls");
    poller.push(b"42[\"echo\",\"\xff\"]".to_vec());
    world.settle();
    assert_eq!(world.clients[id].heard(), ["[\"echo\",\"\u{fffd}\"]"]);
    world.finish();
}

#[test]
fn a_stop_reaches_who_polls() {
    check(
        "get
         stop
         < 1 200 1
         < end server_shutting_down
         < gone",
    );
    check(
        "stop
         < end server_shutting_down
         < alive
         get
         < 1 200 1
         < gone",
    );
}

#[test]
fn the_connection_outlives_its_sockets() {
    check(
        "get
         post 42[\"out\"]
         < 2 ok
         < 1 200 41
         < end server_namespace_disconnect
         post 42[\"late\"]
         < 3 ok
         < alive",
    );
    check(
        "post 41
         < 1 ok
         < end client_namespace_disconnect
         < alive",
    );
}

#[test]
fn pings_wait_for_a_get() {
    check(
        "get
         +25000
         < 1 200 2
         post 3
         < 2 ok
         +25000
         get
         < 3 200 2
         +19999
         < alive
         +1
         < gone
         < end ping_timeout
         get
         < 4 400/1",
    );
    // Whoever waits then is told.
    check(
        "+25000
         get
         < 1 200 2
         get
         begin
         +20000
         < 2 200 1
         < 3 400/1
         < gone
         < end ping_timeout",
    );
    // Another packet restarts the time-out, once.
    check(
        "+25000
         +10000
         post 42[\"others\",1]
         < 1 ok
         < heard [\"others\",1]
         +19999
         < alive
         post 42[\"others\",2]
         < 2 ok
         < heard [\"others\",2]
         +1
         < gone
         < end ping_timeout",
    );
}

/// Requests come before timers do: the deadline is looked at when one asks.
#[test]
fn a_get_after_its_time_finds_nothing() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join_polling(0, Style::Polls);
    world.clients[id].answers_pings = false;
    world.advance(25_000);
    assert_eq!(world.clients[id].pings, 1);
    world.now += 20_000;
    world.judge(id);
    assert_eq!(world.log.borrow().ends_of(id), [EndReason::PingTimeout]);
    world.settle();
    assert!(world.clients[id].told_the_end && world.clients[id].dropped);
    world.finish();
}

#[test]
fn who_joins_nothing_in_time_is_told() {
    let limits = Limits { ping_interval: Duration::from_secs(600), ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    let id = world.open_polling(0, Style::Polls);
    world.clients[id].text("40/unknown,");
    world.settle();
    assert_eq!(world.clients[id].refusals.len(), 1);
    world.advance(44_999);
    assert!(!world.clients[id].told_the_end);
    world.advance(1);
    assert!(world.clients[id].told_the_end && world.clients[id].dropped);
    assert_eq!(world.stat(|stats| stats.ends[EndReason::ConnectTimeout.index()].get()), 1);
    world.finish();
}

/// The answer of a handshake is the open packet alone; what comes next comes with a GET.
#[test]
fn the_open_packet_names_the_upgrade_if_there_is_one() {
    for (allow_upgrades, upgrades) in [(true, "[\"websocket\"]"), (false, "[]")] {
        let mut world = World::new(Limits { allow_upgrades, ..Limits::default() }, 1, 1);
        let id = world.open_polling(0, Style::Polls);
        let open = &world.clients[id].open;
        assert!(open.contains(&format!("\"upgrades\":{upgrades},")), "{open}");
        assert!(open.starts_with("{\"sid\":\"") && open.ends_with("\"maxPayload\":1000000}"));
        world.finish();
    }
}
