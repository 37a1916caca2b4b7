//! Handshakes that are refused: each is told once, with why, and nothing else is.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::{Request, Response, StatusCode};
use relay_server::hub::Limits;
use relay_server::{
    AllowRequest, Config, Cors, CorsOptions, Drain, HandshakeRefused, HandshakeRequest, HttpBody,
    HttpHook, Origin, RefusalReason, TrustedProxies,
};

use crate::client::{Client, ask_through, ask_websocket, get, post, sid};
use crate::hooks::{answer, talk};
use crate::{Running, at_all_sizes, wait_until};

const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAA";

fn observe(config: &mut Config) -> Receiver<HandshakeRefused> {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    config.refused = Some(Arc::new(move |refused: &HandshakeRefused| {
        let _ = tell.lock().expect("no panic").send(*refused);
    }));
    told
}

/// Starts a server and says what was told meanwhile: reason, address, status.
fn check(
    configure: impl Fn(&mut Config) + Sync,
    body: impl Fn(&Running) + Sync,
    expect: &[(RefusalReason, &str, u16)],
) {
    at_all_sizes(|shards| {
        let (thinker, mut told) = (channel().0, None);
        let it = Running::start(Limits::default(), shards, &thinker, |config| {
            configure(config);
            told = Some(observe(config));
        });
        body(&it);
        it.finish();
        let told = told.iter().flat_map(Receiver::try_iter);
        let told: Vec<_> = told.map(|it| (it.reason, it.address.to_string(), it.status)).collect();
        let expect: Vec<_> = expect.iter().map(|it| (it.0, it.1.to_owned(), it.2)).collect();
        assert_eq!(told, expect);
    });
}

const HERE: &str = "127.0.0.1";

#[test]
fn what_the_protocol_refuses() {
    check(
        |_| {},
        |it| {
            let address = it.address;
            get(address, "transport=carrier-pigeon");
            let _ = ask_websocket(address, &format!("sid={UNKNOWN}")).reply();
            get(address, &format!("transport=polling&sid={UNKNOWN}"));
            post(address, "transport=polling", "40");
            get(address, "transport=websocket");
            get(address, "transport=polling&EIO=3");
            let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            let _ = ask_through(address, "transport=websocket", key).reply();
            talk(address, "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
            // None of these is a handshake that is refused.
            talk(address, "GET /elsewhere HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
            talk(address, "GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let with =
                format!("transport=polling&sid={}", sid(&get(address, "transport=polling").body));
            post(address, &with, "40");
            get(address, &with);
            post(address, &with, "1");
            Client::open(address).join();
        },
        &[
            (RefusalReason::TransportUnknown, HERE, 400),
            (RefusalReason::SessionUnknown, HERE, 400),
            (RefusalReason::SessionUnknown, HERE, 400),
            (RefusalReason::BadMethod, HERE, 400),
            (RefusalReason::BadRequest, HERE, 400),
            (RefusalReason::ProtocolVersion, HERE, 400),
            (RefusalReason::BadUpgrade, HERE, 400),
            (RefusalReason::BrokenHttp, HERE, 400),
        ],
    );
}

#[test]
fn whom_the_program_and_the_list_of_origins_refuse() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let hook = |request: Request<HttpBody>| {
        let query = request.uri().query().unwrap_or_default();
        let refused = query.contains("who=stranger");
        let answered = query.contains("who=guest");
        std::future::ready(match (refused, answered) {
            (true, _) => answer(StatusCode::UNAUTHORIZED, String::new()),
            (_, true) => answer(StatusCode::OK, String::new()),
            _ => None::<Response<String>>,
        })
    };
    let allow: AllowRequest = Arc::new(|request: HandshakeRequest| {
        let nobody = request.uri.query().is_some_and(|it| it.contains("who=nobody"));
        Box::pin(std::future::ready(if nobody { Err("no".to_owned()) } else { Ok(()) }))
    });
    let configure = |config: &mut Config| {
        let origin = Origin::List(vec!["https://a.example".to_owned()]);
        let cors = Cors::new(&CorsOptions { origin, ..CorsOptions::default() });
        config.cors = Some(cors.expect("rules"));
        config.hook = Some(HttpHook::new(runtime.handle().clone(), hook));
        config.allow = Some(allow.clone());
        config.trusted_proxies = TrustedProxies::parse("127.0.0.1").expect("a list");
    };
    check(
        configure,
        |it| {
            let from = "Origin: https://b.example\r\nX-Forwarded-For: 192.0.2.7\r\n";
            let _ = ask_through(it.address, "transport=websocket", from).reply();
            let _ = ask_websocket(it.address, "who=nobody").reply();
            get(it.address, "transport=polling&who=nobody");
            get(it.address, "transport=polling&who=stranger");
            get(it.address, "transport=polling&who=guest");
        },
        &[
            (RefusalReason::Origin, "192.0.2.7", 400),
            (RefusalReason::NotAllowed, HERE, 400),
            (RefusalReason::NotAllowed, HERE, 403),
            (RefusalReason::Hook, HERE, 401),
        ],
    );
}

#[test]
fn whom_there_is_no_room_for() {
    check(
        |config| config.stats.connections_max.store(1, Ordering::SeqCst),
        |it| {
            let mut client = Client::open(it.address);
            client.join();
            get(it.address, "transport=polling");
        },
        &[(RefusalReason::Full, HERE, 503)],
    );
}

#[test]
fn whoever_comes_while_the_server_ends() {
    let mut told = None;
    let it = Running::start(Limits::default(), 2, &channel().0, |it| told = Some(observe(it)));
    let address = it.address;
    // Whoever is there holds the end up until the window is over.
    let mut client = Client::open(address);
    client.join();
    let (window, deadline) = (Duration::from_secs(5), crate::PATIENCE);
    let drain = Drain { delay: Duration::ZERO, window, deadline };
    let ending = std::thread::spawn(move || it.server.drain(drain));
    wait_until("a refusal", || get(address, "transport=polling").status == 503);
    drop(client);
    ending.join().expect("it ends");
    let told = told.iter().flat_map(Receiver::try_iter);
    let told: Vec<_> = told.map(|it| (it.reason, it.status)).collect();
    assert_eq!(told, [(RefusalReason::Draining, 503)]);
}
