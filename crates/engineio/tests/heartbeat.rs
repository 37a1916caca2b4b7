//! The heartbeat on a virtual clock: scripts of what happens when, and what must be due.

use relay_engineio::{Action, Heartbeat, HeartbeatConfig};

const CONFIG: HeartbeatConfig = HeartbeatConfig { ping_interval_ms: 300, ping_timeout_ms: 200 };

enum Step {
    /// A pong arrives.
    Pong,
    /// Another packet arrives.
    Other,
    Pause,
    Resume,
    /// The caller asks what is due, which must be this.
    Poll(Action),
}

use Step::*;

/// Runs steps at their times; the deadline afterwards must be `deadline`.
fn check(steps: &[(u64, Step)], deadline: u64) {
    let mut heartbeat = Heartbeat::new(1000, &CONFIG);
    for (now, step) in steps {
        match step {
            Pong => heartbeat.on_packet(*now, &CONFIG, true),
            Other => heartbeat.on_packet(*now, &CONFIG, false),
            Pause => heartbeat.pause(*now),
            Resume => heartbeat.resume(*now),
            Poll(expected) => assert_eq!(heartbeat.poll(*now, &CONFIG), *expected, "at {now}"),
        }
    }
    assert_eq!(heartbeat.deadline(), deadline);
}

#[test]
fn a_ping_follows_the_opening_and_each_pong_by_an_interval() {
    check(&[], 1300);
    check(&[(1299, Poll(Action::None)), (1300, Poll(Action::SendPing))], 1500);
    check(&[(1300, Poll(Action::SendPing)), (1310, Pong)], 1610);
    check(&[(1300, Poll(Action::SendPing)), (1310, Pong), (1610, Poll(Action::SendPing))], 1810);
}

#[test]
fn a_late_caller_gives_the_peer_its_whole_time() {
    check(&[(5000, Poll(Action::SendPing))], 5200);
    check(&[(5000, Poll(Action::SendPing)), (5000, Poll(Action::None))], 5200);
}

#[test]
fn silence_ends_exactly_at_the_time_out() {
    check(
        &[
            (1300, Poll(Action::SendPing)),
            (1499, Poll(Action::None)),
            (1500, Poll(Action::TimedOut)),
            (1501, Poll(Action::TimedOut)),
        ],
        1500,
    );
}

#[test]
fn an_unsolicited_pong_restarts_the_interval() {
    check(&[(1200, Pong)], 1500);
    check(&[(1200, Pong), (1201, Pong), (1202, Pong)], 1502);
}

#[test]
fn other_packets_restart_the_time_out_once_per_ping() {
    check(&[(1100, Other)], 1300);
    check(&[(1300, Poll(Action::SendPing)), (1450, Other)], 1650);
    check(&[(1300, Poll(Action::SendPing)), (1450, Other), (1600, Other)], 1650);
    check(
        &[
            (1300, Poll(Action::SendPing)),
            (1450, Other),
            (1640, Pong),
            (1940, Poll(Action::SendPing)),
            (2000, Other),
        ],
        2200,
    );
}

#[test]
fn the_time_out_stands_still_while_the_connection_is_not_read() {
    let pause = || [(1300, Poll(Action::SendPing)), (1350, Pause), (1351, Pause)];
    check(&pause(), u64::MAX);
    let [a, b, c] = pause();
    check(&[a, b, c, (9000, Poll(Action::None)), (9000, Resume)], 9150);
    let [a, b, c] = pause();
    check(&[a, b, c, (9000, Resume), (9100, Resume)], 9150);
}

#[test]
fn pings_go_on_while_the_connection_is_not_read() {
    check(&[(1100, Pause)], 1300);
    check(&[(1100, Pause), (1200, Resume)], 1300);
    check(&[(1100, Pause), (1300, Poll(Action::SendPing)), (4000, Poll(Action::None))], u64::MAX);
    check(&[(1100, Pause), (1300, Poll(Action::SendPing)), (4000, Resume)], 4200);
}

#[test]
fn packets_that_were_read_before_the_pause_still_count() {
    check(&[(1300, Poll(Action::SendPing)), (1350, Pause), (1360, Other), (2000, Resume)], 2200);
    check(&[(1300, Poll(Action::SendPing)), (1350, Pause), (1360, Pong), (2000, Resume)], 1660);
}

#[test]
fn the_end_of_time_does_not_overflow() {
    let mut heartbeat = Heartbeat::new(u64::MAX - 1, &CONFIG);
    heartbeat.on_packet(u64::MAX, &CONFIG, true);
    assert_eq!(heartbeat.poll(u64::MAX, &CONFIG), Action::SendPing);
}
