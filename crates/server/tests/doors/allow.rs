//! Who may begin a session: what the program is asked, and what a client hears of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use relay_server::hub::Limits;
use relay_server::{AllowRequest, Config, Cookie, CookieOptions, HandshakeRequest};
use tokio::sync::Semaphore;

use crate::client::{Client, Reply, ask, ask_websocket, get, post, sid};
use crate::{PATIENCE, Running, at_all_sizes, wait_until};

const REFUSAL: &str = "no \"entry\" ☃";

/// A doorkeeper who goes by what the query says.
struct Keeper {
    asked: Arc<AtomicUsize>,
    /// Those who must wait come in when there are permits.
    gate: Arc<Semaphore>,
}

impl Keeper {
    fn new() -> Self {
        Self { asked: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn rule(&self) -> AllowRequest {
        let (asked, gate) = (self.asked.clone(), self.gate.clone());
        Arc::new(move |request: HandshakeRequest| {
            asked.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            let answer: Pin<Box<dyn Future<Output = Result<(), String>>>> = Box::pin(async move {
                assert!(request.address.is_loopback() && request.headers.contains_key("host"));
                match request.uri.query().and_then(|it| it.rsplit_once("who=")) {
                    Some((_, "nobody")) => Err(REFUSAL.to_owned()),
                    Some((_, "later")) => {
                        gate.acquire().await.expect("it stays open").forget();
                        Ok(())
                    }
                    Some((_, "panic")) => panic!("as the test wished"),
                    _ => Ok(()),
                }
            });
            answer
        })
    }
}

fn check(limits: &Limits, body: impl Fn(&Running, &Keeper) + Sync) {
    at_all_sizes(|shards| {
        let keeper = Keeper::new();
        let configure = |config: &mut Config| {
            config.allow = Some(keeper.rule());
            config.cookie = Some(Cookie::new(&CookieOptions::default()).expect("valid options"));
        };
        let running = Running::start(limits.clone(), shards, &channel().0, configure);
        body(&running, &keeper);
        running.finish();
    });
}

/// The refusal of a WebSocket.
#[track_caller]
fn refused(running: &Running, query: &str) -> Reply {
    match Client::of(ask_websocket(running.address, query)) {
        Ok(_) => panic!("{query} was let in"),
        Err(reply) => reply,
    }
}

fn refusals(running: &Running) -> u64 {
    // Code 4 of Engine.IO: forbidden.
    running.stats.refused[4].load(Ordering::SeqCst)
}

#[test]
fn the_program_refuses_with_its_own_words() {
    check(&Limits::default(), |running, keeper| {
        let polling = get(running.address, "transport=polling&who=nobody");
        assert_eq!(polling.status, 403);
        assert_eq!(polling.field("content-type"), Some("application/json"));
        assert_eq!(polling.body, "{\"code\":4,\"message\":\"no \\\"entry\\\" ☃\"}");
        let websocket = refused(running, "who=nobody");
        assert_eq!((websocket.status, websocket.body.as_str()), (400, REFUSAL));
        assert_eq!(websocket.field("connection"), Some("close"));
        for refusal in [polling, websocket] {
            assert_eq!(refusal.field("set-cookie"), None);
        }
        assert_eq!((keeper.asked(), refusals(running)), (2, 2));
        assert_eq!(running.stat(|it| it.connections_opened.get()), 0);
    });
}

/// The program is asked once a session, and not at all about what is no handshake.
#[test]
fn a_session_that_began_is_not_asked_about_again() {
    check(&Limits::default(), |running, keeper| {
        let address = running.address;
        let sid = sid(&get(address, "transport=polling").body);
        assert_eq!(keeper.asked(), 1);
        let with = format!("transport=polling&sid={sid}");
        assert_eq!(post(address, &with, "40").body, "ok");
        assert!(get(address, &with).body.starts_with("40{\"sid\":\"~"));
        let probe = ask_websocket(address, &format!("sid={sid}&who=nobody")).reply();
        assert_eq!(probe.expect("an answer").status, 101);
        for (query, code) in [
            ("transport=polling&sid=unknown", 1),
            ("transport=carrier-pigeon", 0),
            ("transport=constructor", 0),
        ] {
            let reply = get(address, query);
            assert_eq!(reply.status, 400, "{query}");
            assert!(reply.body.starts_with(&format!("{{\"code\":{code},")), "{}", reply.body);
        }
        assert_eq!(post(address, "transport=polling", "40").status, 400);
        assert_eq!(keeper.asked(), 1);
        assert_eq!(post(address, &with, "1").body, "ok");
    });
}

#[test]
fn a_slow_doorkeeper_delays_nobody_else() {
    let limits = Limits { decision_timeout: PATIENCE, ..Limits::default() };
    check(&limits, |running, keeper| {
        let address = running.address;
        let polling: Vec<_> =
            (0..20).map(|_| ask(address, "transport=polling&who=later", "GET", "")).collect();
        let websockets: Vec<_> = (0..20).map(|_| ask_websocket(address, "who=later")).collect();
        wait_until("all are asked about", || keeper.asked() == 40);
        for n in 0..10 {
            let mut client = Client::open(address);
            client.join();
            client.echo(n);
            let polling = get(address, "transport=polling");
            let with = format!("transport=polling&sid={}", sid(&polling.body));
            assert_eq!(post(address, &with, "1").body, "ok");
        }
        assert_eq!(running.stat(|it| it.connections_opened.get()), 20, "the others wait");
        keeper.gate.add_permits(40);
        for polling in polling {
            let open = polling.reply().expect("an answer");
            assert_eq!(open.status, 200);
            let with = format!("transport=polling&sid={}", sid(&open.body));
            assert_eq!(post(address, &with, "1").body, "ok");
        }
        for websocket in websockets {
            let mut client = Client::of(websocket).unwrap_or_else(|it| panic!("{}", it.body));
            client.join();
            client.echo(1);
        }
        assert_eq!((keeper.asked(), refusals(running)), (60, 0));
    });
}

#[test]
fn a_doorkeeper_who_takes_too_long_refuses() {
    let soon = Duration::from_millis(300);
    let limits = Limits { decision_timeout: soon, ..Limits::default() };
    check(&limits, |running, keeper| {
        let polling = get(running.address, "transport=polling&who=later");
        assert_eq!(polling.status, 403);
        assert_eq!(polling.body, "{\"code\":4,\"message\":\"Forbidden\"}");
        let websocket = refused(running, "who=later");
        assert_eq!((websocket.status, websocket.body.as_str()), (400, "Forbidden"));
        assert_eq!(refusals(running), 2);
        // Too late.
        keeper.gate.add_permits(2);
        let mut client = Client::open(running.address);
        client.join();
        client.echo(1);
        assert_eq!(running.stat(|it| it.connections_opened.get()), 1);
    });
}

#[test]
fn whoever_does_not_wait_for_the_doorkeeper_holds_nothing() {
    let limits = Limits { decision_timeout: PATIENCE, ..Limits::default() };
    check(&limits, |running, keeper| {
        let open = || running.stats.open.load(Ordering::SeqCst);
        let mut gone: Vec<_> =
            (0..10).map(|_| ask_websocket(running.address, "who=later")).collect();
        gone.push(ask(running.address, "transport=polling&who=later", "GET", ""));
        wait_until("all are asked about", || keeper.asked() == 11);
        assert_eq!(open(), 11);
        drop(gone);
        wait_until("their connections are over", || open() == 0);
        assert_eq!(running.stat(|it| it.connections_opened.get()), 0);
    });
}

#[test]
fn a_doorkeeper_who_panics_takes_one_connection_along() {
    check(&Limits::default(), |running, _| {
        for _ in 0..5 {
            let polling = ask(running.address, "transport=polling&who=panic", "GET", "");
            assert!(polling.reply().is_none());
            assert!(ask_websocket(running.address, "who=panic").reply().is_none());
        }
        let mut client = Client::open(running.address);
        client.join();
        client.echo(1);
        drop(client);
        let open = || running.stats.open.load(Ordering::SeqCst);
        wait_until("their connections are over", || open() == 0);
    });
}

/// As the stock server: with the answer that begins a polling session, and with no other.
#[test]
fn the_cookie_comes_with_the_first_answer_alone() {
    check(&Limits::default(), |running, _| {
        let address = running.address;
        let open = get(address, "transport=polling");
        let sid = sid(&open.body);
        let expected = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(open.field("set-cookie"), Some(&*expected));
        let with = format!("transport=polling&sid={sid}");
        let probe = ask_websocket(address, &format!("sid={sid}")).reply().expect("an answer");
        let later = [post(address, &with, "40"), get(address, &with), post(address, &with, "1")];
        let unknown = get(address, "transport=polling&sid=unknown");
        let websocket = Client::open(address).accepted;
        for reply in later.into_iter().chain([probe, unknown, websocket]) {
            assert_eq!(reply.field("set-cookie"), None, "{}", reply.status);
        }
    });
}

#[test]
fn what_a_session_keeps_of_its_request_is_seen_by_the_application() {
    let (thinker, _) = channel();
    let keep = relay_server::Keep::Fields(vec![hyper::header::HOST]);
    let it = Running::start(Limits::default(), 2, &thinker, |config| config.keep = keep);
    let mut client = Client::of(ask_websocket(it.address, "a=b")).ok().expect("it is let in");
    client.join();
    client.send("42[\"knock\"]");
    let told = "42[\"knock\",\"EIO=4&transport=websocket&a=b\",1]";
    assert_eq!(client.next().as_deref(), Some(told));
    let opened = get(it.address, "transport=polling&c");
    let session = format!("transport=polling&sid={}", sid(&opened.body));
    assert_eq!(post(it.address, &session, "40\u{1e}42[\"knock\"]").status, 200);
    let told = get(it.address, &session).body;
    assert!(told.contains("42[\"knock\",\"EIO=4&transport=polling&c\",1]"), "{told}");
    assert_eq!(post(it.address, &session, "1").status, 200);
    drop(client);
    it.finish();
}
