//! HTTP of the program's own: what it is shown, what it answers, and what becomes of everybody
//! else when it is slow, or panics.

use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use hyper::{Method, Request, Response, StatusCode};
use relay_server::hub::Limits;
use relay_server::{Config, Cors, CorsOptions, HttpBody, HttpBodyError, HttpHook, PeerAddress};
use tower_service::Service;

use crate::client::{Client, ask_websocket, get};
use crate::{PATIENCE, Running, wait_until};

/// Sends a request and reads everything up to the end of the connection.
pub(crate) fn talk(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.write_all(request.as_bytes()).expect("it takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end");
    answer
}

pub(crate) fn fetch(address: SocketAddr, line: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nConnection: close\r\n");
    talk(address, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status")
}

pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

pub(crate) fn answer(status: StatusCode, body: String) -> Option<Response<String>> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    Some(answer)
}

/// A server with this hook, and a runtime that it runs on.
pub(crate) fn with_hook<F>(
    limits: Limits,
    hook: impl Fn(Request<HttpBody>) -> F + Send + Sync + 'static,
    test: impl FnOnce(&Running),
) where
    F: Future<Output = Option<Response<String>>> + Send + 'static,
{
    with(limits, |config, runtime| config.hook = Some(HttpHook::new(runtime, hook)), test);
}

fn with(
    limits: Limits,
    configure: impl FnOnce(&mut Config, tokio::runtime::Handle),
    test: impl FnOnce(&Running),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let (thinker, _) = channel();
    let handle = runtime.handle().clone();
    let running = Running::start(limits, 2, &thinker, |config| configure(config, handle));
    test(&running);
    running.finish();
}

pub(crate) async fn tell(request: Request<HttpBody>) -> Option<Response<String>> {
    let address = request.extensions().get::<PeerAddress>().map(|it| it.0);
    let key = request.headers().get("x-key").cloned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let told = match request.into_body().collect().await {
        Ok(body) => format!("{method} {uri} {key:?} {address:?} {}", body.len()),
        Err(HttpBodyError::TooLarge) => return answer(StatusCode::PAYLOAD_TOO_LARGE, "no".into()),
        Err(error) => panic!("{error}"),
    };
    (uri.path() == "/told").then(|| Response::new(told))
}

/// A body that is made, and never gets further; it says when it is gone.
struct Quiet(Arc<AtomicUsize>);

impl Body for Quiet {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_body_that_nobody_waits_for_is_dropped() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let made = dropped.clone();
    let hook = move |_| ready(Some(Response::new(Quiet(made.clone()))));
    let configure = |config: &mut Config, runtime| config.hook = Some(HttpHook::new(runtime, hook));
    with(Limits::default(), configure, |it| {
        let mut stream = TcpStream::connect(it.address).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes requests");
        let mut head = [0; 12];
        stream.read_exact(&mut head).expect("the head of an answer");
        assert_eq!(&head, b"HTTP/1.1 200");
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        drop(stream);
        wait_until("the body is dropped", || dropped.load(Ordering::SeqCst) == 1);
    });
}

#[test]
fn what_only_looks_like_a_sessions_request_is_the_hooks() {
    let no = |_| ready(answer(StatusCode::FORBIDDEN, String::new()));
    with_hook(Limits::default(), no, |it| {
        for target in [
            "/metrics?sid=a",
            "/metrics?xsid=1",
            "/socket.io/?EIO=4&transport=polling",
            "/socket.io/?EIO=4&transport=polling&sid=",
            "/socket.io/?EIO=4&transport=polling&xsid=a",
            "/socket.io/?EIO=4&transport=polling&t=sid=a",
        ] {
            assert_eq!(status(&fetch(it.address, &format!("GET {target}"), "")), 403, "{target}");
        }
        let unknown = "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";
        assert_eq!(status(&fetch(it.address, unknown, "")), 400);
    });
}

#[test]
fn a_hook_sees_the_request_and_answers_or_passes_on() {
    let limits = Limits { http_hook_body_bytes_max: 100_000, ..Limits::default() };
    with_hook(limits, tell, |it| {
        let large = "x".repeat(100_000);
        let told = fetch(it.address, "POST /told?a=b", &large);
        assert_eq!(status(&told), 200);
        assert_eq!(body(&told), "POST /told?a=b Some(\"k\") Some(127.0.0.1) 100000");
        assert_eq!(status(&fetch(it.address, "GET /other", "")), 404);
        assert_eq!(status(&fetch(it.address, "POST /other", &format!("{large}x"))), 413);
        assert_eq!(it.stats.hook_bodies_refused.load(Ordering::Relaxed), 1);
        // Clients come in as if it were not there.
        let mut client = Client::open(it.address);
        client.join();
        client.echo(1);
    });
}

#[test]
fn an_answer_comes_before_the_body_was_read() {
    let hook = |_| async { answer(StatusCode::FORBIDDEN, "not you".to_owned()) };
    with_hook(Limits::default(), hook, |it| {
        // Far more than the kernel's buffers hold.
        let refused = fetch(it.address, "POST /x", &"x".repeat(20_000_000));
        assert_eq!((status(&refused), body(&refused)), (403, "not you"));
    });
}

#[test]
fn a_hook_may_refuse_new_sessions_and_is_not_asked_about_old_ones() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let hook = move |request: Request<HttpBody>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let is_known = request.uri().query().is_some_and(|query| query.contains("key=1"));
        ready(if is_known { None } else { answer(StatusCode::UNAUTHORIZED, String::new()) })
    };
    with_hook(Limits::default(), hook, |it| {
        assert_eq!(get(it.address, "transport=polling").status, 401);
        assert!(Client::of(ask_websocket(it.address, "")).is_err_and(|it| it.status == 401));
        let opened = get(it.address, "transport=polling&key=1");
        assert_eq!(opened.status, 200);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        let sid = crate::client::sid(&opened.body);
        let said = crate::client::post(it.address, &format!("transport=polling&sid={sid}"), "1");
        assert_eq!((said.status, asked.load(Ordering::SeqCst)), (200, 3));
        assert!(Client::of(ask_websocket(it.address, "key=1")).is_ok());
    });
}

#[test]
fn browsers_are_told_what_a_hook_refused() {
    let hook = |request: Request<HttpBody>| {
        let is_known = request.headers().contains_key("x-key");
        ready(if is_known { None } else { answer(StatusCode::UNAUTHORIZED, String::new()) })
    };
    let configure = |config: &mut Config, runtime| {
        config.hook = Some(HttpHook::new(runtime, hook));
        config.cors = Cors::new(&CorsOptions::default()).ok();
    };
    with(Limits::default(), configure, |it| {
        let ask = |method: &str, more: &str| {
            let line = format!("{method} /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a");
            let head =
                format!("{line}\r\nOrigin: https://a.com\r\nConnection: close\r\n{more}\r\n");
            talk(it.address, &head).to_ascii_lowercase()
        };
        let allowed = "\r\naccess-control-allow-origin: *\r\n";
        let refused = ask("GET", "");
        assert!(status(&refused) == 401 && refused.contains(allowed), "{refused}");
        // A browser asks first, without its key.
        let preflight = ask("OPTIONS", "Access-Control-Request-Headers: x-key\r\n");
        assert!(status(&preflight) == 204 && preflight.contains(allowed), "{preflight}");
        assert_eq!(status(&ask("POST", "X-Key: k\r\nContent-Length: 0\r\n")), 400);
    });
}

async fn ill(request: Request<HttpBody>) -> Option<Response<String>> {
    match request.uri().path() {
        "/panic" => panic!("on purpose"),
        "/never" => pending().await,
        _ => answer(StatusCode::OK, "well".to_owned()),
    }
}

#[test]
fn a_panic_concerns_one_request_alone() {
    with_hook(Limits::default(), ill, |it| {
        assert_eq!(status(&fetch(it.address, "GET /panic", "")), 500);
        assert_eq!(body(&fetch(it.address, "GET /well", "")), "well");
        assert_eq!(it.stats.hook_panics.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn what_takes_too_long_is_given_up() {
    let limits = Limits { http_hook_timeout: Duration::from_millis(200), ..Limits::default() };
    with_hook(limits, ill, |it| {
        assert_eq!(status(&fetch(it.address, "GET /never", "")), 503);
        assert_eq!(it.stats.hooks_overdue.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn the_work_for_a_client_that_went_away_is_dropped() {
    struct Ended(Arc<AtomicUsize>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let (counted, begun) = (ended.clone(), Arc::new(AtomicUsize::new(0)));
    let begins = begun.clone();
    let hook = move |_| {
        let ended = Ended(counted.clone());
        begins.fetch_add(1, Ordering::SeqCst);
        async move {
            let _ended = ended;
            pending().await
        }
    };
    with_hook(Limits::default(), hook, |it| {
        let mut stream = TcpStream::connect(it.address).expect("it listens");
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes requests");
        wait_until("it is asked", || begun.load(Ordering::SeqCst) == 1);
        drop(stream);
        wait_until("it ends", || ended.load(Ordering::SeqCst) == 1);
    });
}

/// A body of pieces that come when they are let through; an empty one is a panic.
struct Pieces(tokio::sync::mpsc::Receiver<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| {
            assert_ne!(piece, Some(""), "on purpose");
            piece.map(|it| Ok(Frame::data(Bytes::from_static(it.as_bytes()))))
        })
    }
}

#[test]
fn an_answer_streams_as_it_is_made_and_breaks_off_if_that_panics() {
    let (ready, streams) = channel();
    let ready = std::sync::Mutex::new(ready);
    let hook = move |_| {
        let (pieces, body) = tokio::sync::mpsc::channel(1);
        ready.lock().expect("nobody panics").send(pieces).expect("somebody waits");
        std::future::ready(Some(Response::new(Pieces(body))))
    };
    let configure = |config: &mut Config, runtime| {
        config.fallback = Some(HttpHook::new(runtime, hook));
    };
    with(Limits::default(), configure, |it| {
        for last in [None, Some("")] {
            let mut stream = TcpStream::connect(it.address).expect("it listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            let request = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            stream.write_all(request).expect("it takes requests");
            let pieces = streams.recv().expect("it is asked");
            let mut told = Vec::new();
            for piece in ["first", "second"] {
                pieces.blocking_send(piece).expect("somebody reads");
                while !told.ends_with(format!("{piece}\r\n").as_bytes()) {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("it comes before the next one");
                    told.push(byte[0]);
                }
            }
            if let Some(last) = last {
                pieces.blocking_send(last).expect("somebody reads");
            }
            drop(pieces);
            let mut rest = String::new();
            stream.read_to_string(&mut rest).expect("it ends");
            let end = if last.is_none() { "0\r\n\r\n" } else { "" };
            assert_eq!(rest, end, "only what was whole ends as if it were");
        }
    });
}

/// A service as a router is one.
#[derive(Clone)]
struct Greeter;

impl Service<Request<HttpBody>> for Greeter {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HttpBody>) -> Self::Future {
        let is_head = request.method() == Method::HEAD;
        let mut greeting = Response::new(format!("hello from {}", request.uri().path()));
        if is_head {
            greeting.headers_mut().insert("x-is", "head".parse().expect("a value"));
        }
        ready(Ok(greeting))
    }
}

#[test]
fn a_service_answers_what_nobody_else_does() {
    let configure = |config: &mut Config, runtime| {
        config.fallback = Some(HttpHook::service(runtime, Greeter));
        config.http = Arc::new(|request| {
            (request.path == "/mine").then(|| relay_server::HttpResponse {
                status: 200,
                content_type: "text/plain",
                body: "mine".to_owned(),
            })
        });
    };
    with(Limits::default(), configure, |it| {
        assert_eq!(body(&fetch(it.address, "GET /mine", "")), "mine");
        let hello = fetch(it.address, "GET /a/b?c", "");
        assert_eq!((status(&hello), body(&hello)), (200, "hello from /a/b"));
        assert!(hello.to_ascii_lowercase().contains("\r\ncontent-length: 15\r\n"), "{hello}");
        let head = fetch(it.address, "HEAD /a/b", "");
        assert!(head.contains("x-is: head") && body(&head).is_empty(), "{head}");
        // What is the protocol's stays the protocol's.
        assert_eq!(status(&fetch(it.address, "GET /socket.io/?EIO=3&transport=x", "")), 400);
        let mut client = Client::open(it.address);
        client.join();
        client.echo(1);
    });
}
