//! The moments of an instance, as a program sees them: its futures run on its own runtime.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use relay::http::{Request, Response};
use relay::{Admission, Code, Denial, HttpBody, Refusal, Verdict};

use crate::client::{Client, fetch};
use crate::{builder, with};

#[test]
fn every_moment_has_its_turn() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let say = move |what: String| tell.lock().unwrap().send(what).unwrap();
    let say = std::sync::Arc::new(say);
    let [ready, connection, notify, gone] = [(); 4].map(|()| say.clone());
    let built = builder(2)
        .ready(move |relay| ready(format!("ready {}", relay.local_addr().port() > 0)))
        .authorize(|asked| {
            let (token, q) = (asked.handshake().auth_text("token"), asked.handshake().query("q"));
            Verdict::later(async move {
                // The program's own timers run.
                tokio::time::sleep(Duration::from_millis(1)).await;
                match token {
                    Some(token) => Ok(Admission::with(format!("{token} {q:?}"))),
                    None => Err(Refusal::new("no token")),
                }
            })
        })
        .connection(move |socket| connection(format!("connection {:?}", socket.state::<String>())))
        .identify(|who| match who.claimed() {
            Some(_) => Ok(()),
            None => Err(Denial::from(Code::BadUser)),
        })
        .message(|_| {
            Verdict::later(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Err(Denial::new(Code::Limited, "enough"))
            })
        })
        .notify(move |message| {
            notify(format!("notify {} {:?}", message.json(), message.user()));
            Ok(())
        })
        .disconnected(move |gone_one| gone(format!("gone: {}", gone_one.reason())));
    with(built, |relay| {
        let next = || told.recv_timeout(crate::PATIENCE).expect("it is told");
        assert_eq!(next(), "ready true");
        let refused = Client::join(relay.local_addr(), "/relay", "").err();
        assert_eq!(refused.as_deref(), Some(r#"44{"message":"no token"}"#));
        let mut client =
            Client::join(relay.local_addr(), "/relay", r#"{"token":"t"}"#).expect("it is let in");
        assert_eq!(next(), r#"connection Some("t Some(\"1\")")"#);
        assert!(client.ask(r#"["identificar",{}]"#).contains("bad_user"));
        assert_eq!(client.ask(r#"["identificar",5]"#), "431[true]");
        let limited = r#"431[false,{"code":"limited","message":"enough"}]"#;
        assert_eq!(client.ask(r#"["relay",{}]"#), limited);
        assert_eq!(client.ask(r#"["notificar",1]"#), "42[\"notificar\",1]");
        assert_eq!(next(), "notify 1 Some(Number(5.0))");
        drop(client);
        assert_eq!(next(), "gone: transport close");
    });
}

#[test]
fn a_panic_elsewhere_ends_the_connection_of_whoever_caused_it() {
    let built = builder(2)
        .authorize(|asked| {
            let is_ill = asked.handshake().auth_text("token").is_some();
            Verdict::<(), _>::later(async move {
                assert!(!is_ill, "on purpose");
                Ok(())
            })
        })
        .message(|_| Verdict::later(async { panic!("on purpose") }));
    with(built, |relay| {
        let address = relay.local_addr();
        let mut well = Client::join(address, "/relay", "").expect("it is let in");
        let mut ill = Client::join(address, "/relay", "").expect("it is let in");
        ill.send(r#"42/relay,1["relay",1]"#);
        assert_eq!(ill.next(), None);
        assert!(catch_unwind(|| Client::join(address, "/relay", r#"{"token":"t"}"#)).is_err());
        assert_eq!(well.ask(r#"["unirse","x"]"#), "431[true]");
    });
}

#[test]
fn http_of_the_program_stands_before_and_behind_relays_own() {
    async fn before(request: Request<HttpBody>) -> Option<Response<String>> {
        (request.uri().path() == "/health").then(|| Response::new("mine".to_owned()))
    }
    with(builder(1).http(before), |relay| {
        assert!(fetch(relay.local_addr(), "/health").ends_with("\r\n\r\nmine"));
        assert!(fetch(relay.local_addr(), "/ready").ends_with("\r\n\r\nok\n"));
        assert!(fetch(relay.local_addr(), "/other").starts_with("HTTP/1.1 404 "));
    });
}
