//! Behind a proxy: whose address the program, its hooks and the application see.

use std::net::IpAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use hyper::{Request, Response};
use relay_server::hub::Limits;
use relay_server::{Config, HandshakeRequest, HttpBody, HttpHook, PeerAddress, TrustedProxies};

use crate::client::{Client, ask_through, get, post, sid};
use crate::{Running, at_all_sizes};

/// What was seen, by whom.
type Seen = Arc<Mutex<Vec<(&'static str, IpAddr)>>>;

/// Clients that claim to come from elsewhere with these header fields are seen as `client` by all.
fn check(trusted: &str, fields: &str, client: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    at_all_sizes(|shards| {
        let seen = Seen::default();
        let (asked, allowed) = (seen.clone(), seen.clone());
        let hook = HttpHook::new(runtime.handle().clone(), move |request: Request<HttpBody>| {
            let PeerAddress(address) = *request.extensions().get().expect("an address");
            asked.lock().expect("no panic").push(("hook", address));
            std::future::ready(None::<Response<String>>)
        });
        let configure = |config: &mut Config| {
            config.trusted_proxies = TrustedProxies::parse(trusted).expect("a list");
            config.hook = Some(hook);
            config.allow = Some(Arc::new(move |request: HandshakeRequest| {
                allowed.lock().expect("no panic").push(("allow", request.address));
                Box::pin(std::future::ready(Ok(())))
            }));
        };
        let it = Running::start(Limits::default(), shards, &channel().0, configure);
        let told = format!("42[\"whence\",\"{client}\"]");

        let mut websocket =
            Client::of(ask_through(it.address, "transport=websocket", fields)).ok().expect("a 101");
        websocket.join();
        websocket.send("42[\"whence\"]");
        assert_eq!(websocket.next().as_ref(), Some(&told), "{trusted} {fields}");

        let opened = ask_through(it.address, "transport=polling", fields).reply().expect("a reply");
        // What a later request says changes nothing.
        let session = format!("transport=polling&sid={}", sid(&opened.body));
        assert_eq!(post(it.address, &session, "40\u{1e}42[\"whence\"]").status, 200);
        let answer = get(it.address, &session).body;
        assert!(answer.contains(&told), "{trusted} {fields}: {answer}");
        assert_eq!(post(it.address, &session, "1").status, 200);

        let client: IpAddr = client.parse().expect("an address");
        let twice = [("hook", client), ("allow", client), ("hook", client), ("allow", client)];
        assert_eq!(*seen.lock().expect("no panic"), twice, "{trusted} {fields}");
        drop(websocket);
        it.finish();
    });
}

#[test]
fn a_named_proxy_is_believed() {
    check("127.0.0.0/8", "X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7");
    check("::1,127.0.0.1", "x-forwarded-for: 6.6.6.6, 2001:db8::1\r\n", "2001:db8::1");
    check("127.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 8.8.8.8\r\n", "8.8.8.8");
}

#[test]
fn nobody_else_is_believed() {
    check("", "X-Forwarded-For: 203.0.113.7\r\n", "127.0.0.1");
    check("10.0.0.0/8", "X-Forwarded-For: 203.0.113.7\r\n", "127.0.0.1");
    check("127.0.0.1", "Forwarded: for=203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\n", "127.0.0.1");
}

#[test]
fn what_is_no_address_counts_for_nothing() {
    check("127.0.0.1", "X-Forwarded-For: 8.8.8.8, \"><script>\r\n", "127.0.0.1");
    check("127.0.0.1", "X-Forwarded-For:\r\n", "127.0.0.1");
    let long = format!("X-Forwarded-For: {}nobody\r\n", "8.8.8.8, ".repeat(1_000));
    check("127.0.0.1", &long, "127.0.0.1");
}
