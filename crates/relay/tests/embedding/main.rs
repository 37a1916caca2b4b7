//! Relay inside a Rust program: what the handle reaches, what the builder changes, how it ends.
//! Clients over real sockets.

mod client;
mod moments;
mod questions;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relay::{
    Builder, CallLimits, Code, CommandError, Drain, Event, Limits, Relay, Room, StartError, User,
};
use relay::{SocketId, Target};

use client::{Client, fetch};

/// Whatever is awaited comes sooner, on any machine that is worth testing on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A builder for tests: a free port on loopback, a quick end.
fn builder(shards: usize) -> Builder {
    let drain = Drain::at_once(Duration::from_secs(5));
    Relay::builder().host(Ipv4Addr::LOCALHOST).port(0).shards(shards).drain(drain)
}

/// Runs a test with an instance, and ends both.
fn with(builder: Builder, test: impl FnOnce(&Relay)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let relay = runtime.block_on(builder.start()).expect("it starts");
    test(&relay);
    runtime.block_on(relay.stop());
    assert_eq!(relay.stats().connections, 0);
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn join(relay: &Relay) -> Client {
    Client::join(relay.local_addr(), "/relay", "").expect("it is let in")
}

/// Several clients on whatever shards; `ana` is the first two of them, the first is in `hall`.
fn three(relay: &Relay) -> [Client; 3] {
    let mut clients = [join(relay), join(relay), join(relay)];
    for client in &mut clients[..2] {
        assert_eq!(client.ask(r#"["identificar","ana"]"#), "431[true]");
    }
    assert_eq!(clients[0].ask(r#"["unirse","hall"]"#), "431[true]");
    clients
}

fn id(client: &Client) -> SocketId {
    SocketId::parse(client.id.as_bytes()).expect("an id")
}

/// Everybody gets what was meant for it, and nothing else: the last event says so.
fn check_reach(relay: &Relay) {
    let mut clients = three(relay);
    let [a, b, c] = clients.each_ref().map(id);
    let ana = || User::from("ana");
    relay.to("hall").emit("n", &1).unwrap();
    relay.to(ana()).emit("n", &2).unwrap();
    relay.to(c).emit("n", &3).unwrap();
    relay.everyone().except(ana()).emit("n", &4).unwrap();
    relay.everyone().except(c).except("hall").emit("n", &5).unwrap();
    relay.to("hall").to(ana()).to(b).emit("n", &6).unwrap();
    relay.to(a).volatile().emit("n", &7).unwrap();
    let event = Event::new("end").unwrap().arg(&[1]).unwrap().binary(vec![1, 2]);
    relay.everyone().send(event).unwrap();
    for (client, expect) in clients.iter_mut().zip([&[1, 2, 6, 7][..], &[2, 5, 6], &[3, 4]]) {
        for n in expect {
            assert_eq!(client.next(), Some(format!("42[\"n\",{n}]")));
        }
        let end = r#"451-["end",[1],{"_placeholder":true,"num":0}]"#;
        assert_eq!(client.next().as_deref(), Some(end));
        assert_eq!(client.next().as_deref(), Some("[1, 2]"));
    }
}

#[test]
fn events_reach_rooms_users_and_sockets_from_any_thread() {
    for shards in [1, 2, 4] {
        with(builder(shards), check_reach);
    }
}

#[test]
fn rooms_are_joined_and_left_and_sockets_sent_away_in_the_order_of_the_calls() {
    for shards in [1, 4] {
        with(builder(shards), |relay| {
            let mut clients = three(relay);
            let b = id(&clients[1]);
            relay.everyone().join("all").unwrap();
            relay.to("all").emit("n", &1).unwrap();
            relay.to(b).leave("all").unwrap();
            relay.to("all").emit("n", &2).unwrap();
            relay.to(User::from("ana")).emit("farewell", &()).unwrap();
            relay.to(User::from("ana")).disconnect().unwrap();
            relay.everyone().emit("n", &3).unwrap();
            let n = |n: u8| format!("42[\"n\",{n}]");
            let (farewell, away) = ("42[\"farewell\",null]".to_owned(), "41".to_owned());
            let expect = [
                vec![n(1), n(2), farewell.clone(), away.clone()],
                vec![n(1), farewell, away],
                vec![n(1), n(2), n(3)],
            ];
            for (client, expect) in clients.iter_mut().zip(expect) {
                for packet in expect {
                    assert_eq!(client.next().map(|it| it.replace("41/relay", "41")), Some(packet));
                }
            }
            wait_until("they are gone", || relay.stats().connections == 1);
        });
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    with(builder(1), |relay| {
        let emit = |target: Target| relay.to(target).emit("n", &1);
        let too_long = "x".repeat(300);
        assert!(matches!(emit("~mine".into()), Err(CommandError::ReservedRoom)));
        assert!(matches!(emit((&*too_long).into()), Err(CommandError::NameTooLong)));
        assert!(matches!(emit(User::from(&*too_long).into()), Err(CommandError::NameTooLong)));
        assert!(matches!(relay.everyone().join("~mine"), Err(CommandError::ReservedRoom)));
        let everyone = || relay.everyone();
        assert!(matches!(everyone().emit("connect", &1), Err(CommandError::Event(_))));
        let large = "x".repeat(5_000_000);
        assert!(matches!(everyone().emit("n", &large), Err(CommandError::Emit(_))));
        let binaries = (0..11).fold(Event::new("n").unwrap(), |it, _| it.binary(vec![0]));
        assert!(matches!(everyone().send(binaries), Err(CommandError::Emit(_))));
        // Whoever is in nobody's room is no error.
        relay.to("nobody").emit("n", &1).unwrap();
        relay.to(Room::from(5)).disconnect().unwrap();
    });
}

#[test]
fn a_closed_connection_is_over_in_all_namespaces() {
    with(builder(2), |relay| {
        let mut clients = three(relay);
        relay.to("hall").emit("farewell", &1).unwrap();
        relay.to("hall").close().unwrap();
        assert_eq!(clients[0].next().as_deref(), Some("42[\"farewell\",1]"));
        assert!(clients[0].next().is_some_and(|it| it.starts_with("41")));
        assert_eq!(clients[0].next(), None);
        relay.everyone().emit("n", &1).unwrap();
        for client in &mut clients[1..] {
            assert_eq!(client.next().as_deref(), Some("42[\"n\",1]"));
        }
    });
}

#[test]
fn whoever_asks_for_too_much_at_a_time_is_told_to_wait() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (gone, begun) = (std::sync::Mutex::new(gone), Arc::new(AtomicBool::new(false)));
    let begins = begun.clone();
    // A shard that does nothing until it is told to.
    let limits = Limits { calls: CallLimits { max: 2, bytes_max: 20_000 }, ..Limits::default() };
    let built = builder(1).limits(limits).connection(move |_| {
        begins.store(true, Ordering::SeqCst);
        let _ = gone.lock().unwrap().recv_timeout(PATIENCE);
    });
    with(built, |relay| {
        let address = relay.local_addr();
        let joining = std::thread::spawn(move || Client::join(address, "/relay", "").unwrap());
        wait_until("the shard waits", || begun.load(Ordering::SeqCst));
        relay.everyone().emit("n", &0).unwrap();
        let large = "x".repeat(30_000);
        assert!(matches!(relay.everyone().emit("n", &large), Err(CommandError::Busy)), "in bytes");
        relay.everyone().emit("n", &1).unwrap();
        assert!(matches!(relay.everyone().emit("n", &2), Err(CommandError::Busy)), "in number");
        go.send(()).unwrap();
        let mut client = joining.join().unwrap();
        for n in 0..2 {
            assert_eq!(client.next(), Some(format!("42[\"n\",{n}]")));
        }
        relay.everyone().emit("n", &3).unwrap();
        assert_eq!(client.next().as_deref(), Some("42[\"n\",3]"));
    });
}

#[test]
fn handles_and_errors_go_from_thread_to_thread() {
    fn is<T: Send + Sync + 'static>() {}
    fn is_send<T: Send>(_: &T) {}
    is::<Relay>();
    is::<relay::Sockets>();
    is::<CommandError>();
    is::<StartError>();
    is::<relay::EventError>();
    is_send(&builder(1).start());
}

#[test]
fn a_stopped_instance_says_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let relay = runtime.block_on(builder(2).start()).unwrap();
    let mut client = join(&relay);
    let address = relay.local_addr();
    // Twice, at once and again: all wait for the same end.
    runtime.block_on(async {
        let other = relay.clone();
        let other = tokio::spawn(async move { other.stop().await });
        relay.stop().await;
        other.await.unwrap();
        relay.stop().await;
    });
    assert_eq!(client.next(), None, "it is not told to stay away");
    assert!(matches!(relay.everyone().emit("n", &1), Err(CommandError::Stopped)));
    assert!(!relay.stats().is_ready);
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens");
}

#[test]
fn what_contradicts_itself_does_not_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = |builder: Builder| runtime.block_on(builder.start()).expect_err("it is wrong");
    let limits = Limits { outbox_bytes_max: 1, ..Limits::default() };
    assert!(matches!(start(builder(1).limits(limits)), StartError::Limits(_)));
    assert!(matches!(start(builder(0)), StartError::Shards(0)));
    assert!(matches!(start(builder(1).namespace("x")), StartError::Namespace(_)));
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = start(builder(1).port(port));
    assert!(matches!(refused, StartError::Listen(_)), "{refused}");
    let waker = std::task::Waker::noop();
    let mut outside = std::pin::pin!(builder(1).start());
    let polled = outside.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(matches!(polled, std::task::Poll::Ready(Err(StartError::NoRuntime))));
}

#[test]
fn the_builder_changes_what_it_says() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let built = builder(2).listener(listener).namespace("/chat").instance_id("one").metrics(false);
    with(built, |relay| {
        assert_eq!(relay.local_addr(), address);
        let mut client = Client::join(address, "/chat", "").unwrap();
        assert_eq!(client.ask(r#"["relay",1]"#), "42[\"relay\",1]");
        assert_eq!(client.next().as_deref(), Some("431[true]"));
        relay.everyone().emit("n", &1).unwrap();
        assert_eq!(client.next().as_deref(), Some("42[\"n\",1]"));
        assert!(Client::join(address, "/relay", "").is_err());
        assert!(fetch(address, "/health").contains("\"instance\":\"one\",\"connections\":1"));
        assert!(fetch(address, "/metrics").starts_with("HTTP/1.1 404 "));
        let stats = relay.stats();
        assert_eq!((&*stats.instance, stats.connections, stats.messages), ("one", 1, 1));
    });
    with(builder(1).namespace("/"), |relay| {
        let mut client = Client::join(relay.local_addr(), "/", "").unwrap();
        assert_eq!(client.ask(r#"["relay",1]"#), "42[\"relay\",1]");
    });
    with(builder(1), |relay| {
        assert!(fetch(relay.local_addr(), "/metrics").contains("relay_connections_total 0"));
    });
    assert_eq!(Code::Forbidden.as_str(), "forbidden");
}
