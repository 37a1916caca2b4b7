//! The generator against the floor, and against a server that speaks long-polling, with a few
//! clients and no look at the time they take.

mod engine;

use clap::Parser;
use engine::Engine;
use relay_bench::args::{Cli, Command};
use relay_bench::floor::Floor;
use relay_bench::report::Report;
use relay_bench::scenario;
use std::sync::atomic::Ordering;

/// Starts a floor on a free port; it ends with the test's process.
fn floor(batch: bool) -> String {
    let floor = Floor::bind(([127, 0, 0, 1], 0).into(), batch).expect("a free port");
    let address = floor.local_address().expect("a bound listener has an address");
    std::thread::spawn(move || floor.serve());
    format!("ws://{address}")
}

/// Runs a scenario with `arguments` against `url`.
fn run(scenario: &str, url: &str, arguments: &str) -> Report {
    let quick = ["--seconds", "0.2", "--warmup", "0.05", "--connect-rate", "5000", "--url", url];
    let words = ["relay-bench", scenario].into_iter().chain(quick);
    let cli = Cli::try_parse_from(words.chain(arguments.split_ascii_whitespace()))
        .expect("valid arguments");
    let report = match cli.command {
        Command::Connect(o) => scenario::connect::run(&o),
        Command::Idle(o) => scenario::idle::run(&o),
        Command::Echo(o) => scenario::echo::run(&o),
        Command::Fanout(o) => scenario::fanout::run(&o),
        Command::Bystander(o) => scenario::bystander::run(&o),
        Command::Order(o) => scenario::order::run(&o),
        Command::Slow(o) => scenario::slow::run(&o),
        Command::Growth(o) => scenario::growth::run(&o),
        Command::Flood(o) => scenario::flood::run(&o),
        Command::Storm(o) => scenario::storm::run(&o),
        Command::Rooms(_) | Command::Churn(_) | Command::Stall(_) | Command::Floor(_) => {
            Err("not here".to_owned())
        }
    };
    report.expect("the server serves it")
}

/// Runs a scenario that must be faultless and checks how much of `stream` was delivered.
fn check(scenario: &str, url: &str, arguments: &str, stream: &str, expected: u64) {
    let report = run(scenario, url, arguments);
    assert!(report.is_faultless(), "{}", report.to_table());
    let counts = report.find_counts(stream).unwrap_or_default();
    assert_eq!((counts.expected, counts.received), (expected, expected), "{}", report.to_table());
}

fn check_all(url: &str) {
    check("echo", url, "--clients 5 --rate 250", "echo", 50);
    check("echo", url, "--clients 5 --rate 250 --threads 2", "echo", 50);
    check("fanout", url, "--clients 5 --senders 2 --rate 250", "fanout", 250);
    check("fanout", url, "--clients 5 --senders 5 --rate 250 --threads 3", "fanout", 250);
    check("order", url, "--clients 6 --senders 3 --rate 300", "order", 360);
    check("growth", url, "--sizes 2,4 --deliveries 1000", "at_4_fanout", 200);
    let echoes = "--clients 8 --rate 25 --echo-clients 3 --echo-rate 150";
    check("bystander", url, echoes, "loud_echo", 30);
    check("bystander", url, echoes, "loud_broadcast", 55);
    let slow = "--clients 6 --rate 50 --silent 1 --ponging 1 --payload-bytes 300";
    check("slow", url, slow, "during_fanout", 40);
}

#[test]
fn every_delivery_is_accounted_for() {
    check_all(&floor(false));
}

#[test]
fn batching_changes_no_account() {
    check_all(&floor(true));
}

#[test]
fn connections_are_made() {
    let report = run("connect", &floor(false), "--clients 20 --rounds 2 --source-addresses 4");
    assert!(report.is_faultless(), "{}", report.to_table());
    assert!(report.find_metric("connections_per_second").is_some_and(|rate| rate > 0.0));
    let pid = std::process::id().to_string();
    let report = run("idle", &floor(false), &format!("--clients 20 --pid {pid}"));
    assert!(report.is_faultless(), "{}", report.to_table());
    assert!(report.find_metric("server_cpu_ms_per_second").is_some());
}

#[test]
fn polling_loses_nothing() {
    // Connections that last, and connections that end under the client again and again.
    for requests_max in [usize::MAX, 3] {
        let (engine, url) = Engine::start(requests_max);
        let url = &url;
        let check = |scenario, arguments: &str, stream, expected| {
            check(scenario, url, &format!("--transport polling {arguments}"), stream, expected);
        };
        check("echo", "--clients 5 --rate 250", "echo", 50);
        check("fanout", "--clients 5 --senders 2 --rate 100", "fanout", 100);
        check("fanout", "--clients 5 --rate 100 --sender-transport websocket", "fanout", 100);
        check("order", "--clients 6 --senders 3 --rate 150 --threads 2", "order", 180);
        assert_eq!(engine.upgraded.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_refused_post_is_a_fault() {
    let (_, url) = Engine::start(usize::MAX);
    // The server takes 300 bytes at once, but a single message is sent whatever its size.
    let report = run("echo", &url, "--clients 2 --rate 20 --payload-bytes 500 --transport polling");
    assert!(report.to_table().contains("a Post was refused: 413"), "{}", report.to_table());
}

#[test]
fn upgrades_lose_nothing() {
    let (engine, url) = Engine::start(usize::MAX);
    check("echo", &url, "--clients 5 --rate 250 --transport upgrade", "echo", 50);
    check("fanout", &url, "--clients 5 --rate 100 --transport upgrade", "fanout", 100);
    let connected = run("connect", &url, "--clients 10 --rounds 2 --transport upgrade");
    assert!(connected.is_faultless(), "{}", connected.to_table());
    assert_eq!(engine.upgraded.load(Ordering::SeqCst), 30);
}

#[test]
fn everybody_returns_from_a_storm() {
    let check = |url: &str, transport: &str| {
        let arguments = format!("--clients 20 --rounds 2 --threads 2 --transport {transport}");
        let report = run("storm", url, &arguments);
        assert!(report.is_faultless(), "{}", report.to_table());
        assert_eq!(report.find_metric("failed_attempts"), Some(0.0), "{}", report.to_table());
    };
    check(&floor(false), "websocket");
    for transport in ["websocket", "polling", "upgrade"] {
        let (engine, url) = Engine::start(usize::MAX);
        check(&url, transport);
        // All come once, and twice again.
        assert_eq!(engine.opened.load(Ordering::SeqCst), 60, "{transport}");
        // Of the goodbyes of half of them, the network may lose some: an end is not waited for.
        assert!(engine.left.load(Ordering::SeqCst) > 0, "{transport}");
    }
}

#[test]
fn a_flood_is_counted() {
    let report = run("flood", &floor(true), "--clients 3 --payload-bytes 1000 --rate 20");
    let counts = report.find_counts("loud_flood").unwrap_or_default();
    assert!(counts.received > 0 && counts.lost == 0, "{}", report.to_table());
}

#[test]
fn a_missing_server_is_a_failure() {
    let arguments = ["relay-bench", "echo", "--clients", "2", "--url", "ws://127.0.0.1:1"];
    let Command::Echo(options) = Cli::try_parse_from(arguments).expect("valid arguments").command
    else {
        panic!("not echo");
    };
    let failure = scenario::echo::run(&options).expect_err("nobody listens on port 1");
    assert!(failure.contains("could not connect"), "{failure}");
}
