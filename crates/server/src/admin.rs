//! A door of its own for whoever looks after an instance: plain HTTP on another address, on a
//! thread that the shards cannot hold up.
//!
//! Does not own what is answered.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use relay_hub::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::HttpHandler;
use crate::http::{HttpRequest, HttpResponse};
use crate::listen::{ListenError, bind};

/// Connections at a time; others wait in the backlog. Scrapers, probes and a few people.
const CONNECTIONS_MAX: usize = 64;

/// Nobody who looks after an instance keeps a connection for longer.
const CONNECTION_MAX: Duration = Duration::from_secs(300);

/// A door that is open until it is dropped.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl AdminServer {
    /// Opens a port and answers there what `http` answers, and 404 otherwise.
    ///
    /// # Errors
    /// The port is taken, the address is not ours, or there is no thread to be had.
    pub fn start(
        address: SocketAddr,
        limits: &Limits,
        http: HttpHandler,
    ) -> Result<Self, ListenError> {
        let failed = |error| ListenError { address, error };
        let opened = bind(Some(address.ip()), address.port(), 1, limits)?;
        let listener = opened.into_iter().next().ok_or(failed(io::ErrorKind::NotFound.into()))?;
        let bound = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let head_timeout = limits.http_head_timeout;
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, http, head_timeout) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(serve);
        Ok(Self { address: bound, thread: Some(thread.map_err(failed)?), stop: Some(stop) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, http: HttpHandler, head_timeout: Duration) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = seats.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, http.clone(), head_timeout, seat));
            }
            // No descriptors: somebody gives one back.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(
    stream: tokio::net::TcpStream,
    http: HttpHandler,
    head_timeout: Duration,
    _seat: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&http, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever is wrong with a connection is its peer's business.
    let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
}

fn answer(http: &HttpHandler, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let asked = HttpRequest { method: request.method().as_str(), path: request.uri().path() };
    let made = http(&asked).unwrap_or_else(|| HttpResponse {
        status: 404,
        content_type: "text/plain; charset=utf-8",
        body: "not found\n".to_owned(),
    });
    let mut answer = Response::new(Full::new(made.body.into()));
    *answer.status_mut() =
        StatusCode::from_u16(made.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(made.content_type);
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}

#[cfg(test)]
mod tests {
    use super::AdminServer;
    use crate::http::HttpResponse;
    use relay_hub::Limits;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::Arc;

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    #[test]
    fn it_answers_until_it_is_dropped() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let known = |path: &str| HttpResponse {
            status: 200,
            content_type: "text/plain",
            body: path.to_owned(),
        };
        let http = Arc::new(move |request: &crate::HttpRequest<'_>| {
            (request.path == "/live").then(|| known(request.path))
        });
        let admin = AdminServer::start(any, &Limits::default(), http.clone()).expect("a port");
        let address = admin.address();
        let answer = ask(address, "/live?x");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/live"), "{answer}");
        assert!(ask(address, "/").starts_with("HTTP/1.1 404"));
        // Silent connections do not keep others out.
        let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(address)).collect();
        assert!(ask(address, "/live").starts_with("HTTP/1.1 200"));
        let taken = AdminServer::start(address, &Limits::default(), http);
        assert!(taken.is_err_and(|it| it.to_string().contains("cannot listen on")));
        drop(admin);
        drop(silent);
        assert!(TcpStream::connect(address).is_err());
    }
}
