//! HTTP of the program's own: futures of the program on a runtime of its choosing, and the bodies
//! that pass between them and the shards.
//!
//! No code of the program runs on a shard here: requests and answers cross by channels of one
//! piece each, so that neither side runs ahead of the other.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{AbortHandle, JoinHandle};
use tower_service::Service;

use crate::Shared;
use crate::answer::{Answer, AnswerBody, last};
use crate::http::{Door, own_headers, own_uri};
use crate::reactor::timeout;

/// The address of whoever asks, or on whose behalf a trusted proxy does; among the extensions of a request that a hook gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Why the body of a request broke off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpBodyError {
    /// It has more bytes than [`http_hook_body_bytes_max`](relay_hub::Limits): our limit.
    TooLarge,
    /// The client let itself be waited for longer than [`http_body_timeout`](relay_hub::Limits), in
    /// sum: its fault.
    TimedOut,
    /// The client went away, or sent what is no body.
    Broken,
}

impl std::fmt::Display for HttpBodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::TimedOut => "the body did not arrive in time",
            Self::Broken => "the body broke off",
        })
    }
}

impl std::error::Error for HttpBodyError {}

/// The body of a request that a hook gets: streamed, bounded in bytes and in time.
#[derive(Debug)]
pub struct HttpBody {
    pieces: Receiver<Result<Bytes, HttpBodyError>>,
    hint: SizeHint,
}

impl HttpBody {
    /// All of it.
    ///
    /// # Errors
    /// It broke off, see [`HttpBodyError`].
    pub async fn collect(self) -> Result<Bytes, HttpBodyError> {
        Ok(BodyExt::collect(self).await?.to_bytes())
    }
}

impl Body for HttpBody {
    type Data = Bytes;
    type Error = HttpBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpBodyError>>> {
        self.pieces.poll_recv(cx).map(|piece| piece.map(|it| it.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.hint.exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        // What has passed already is not taken off: only the beginning is known for sure.
        SizeHint::default()
    }
}

/// The body of an answer, any kind of it.
type OwnBody = UnsyncBoxBody<Bytes, Broken>;

/// What a body failed with does not concern the client: it sees the connection end.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer broke off")
    }
}

impl std::error::Error for Broken {}

type Asked = Pin<Box<dyn Future<Output = Option<Response<OwnBody>>> + Send>>;

/// HTTP requests answered by the program, off the shards.
///
/// A panic is a 500 to the client whose request it was, and ends its connection. One that takes
/// longer than [`http_hook_timeout`](relay_hub::Limits) is a 503. When the client goes away the
/// future is dropped.
#[derive(Clone)]
pub struct HttpHook {
    runtime: Handle,
    ask: Arc<dyn Fn(Request<HttpBody>) -> Asked + Send + Sync>,
}

impl std::fmt::Debug for HttpHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpHook")
    }
}

impl HttpHook {
    /// A hook that answers, or passes a request on with `None`. It runs on `runtime`. Whoever asks
    /// is a [`PeerAddress`] among the extensions of the request.
    #[must_use]
    pub fn new<F, B>(
        runtime: Handle,
        hook: impl Fn(Request<HttpBody>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Response<B>>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
    {
        let hook = Arc::new(hook);
        let ask = move |request| {
            let hook = hook.clone();
            // What the hook does before its first wait happens on the runtime too.
            let asked = async move { hook(request).await.map(|answer| answer.map(own)) };
            Box::pin(asked) as Asked
        };
        Self { runtime, ask: Arc::new(ask) }
    }

    /// A tower service that answers everything, such as a router of axum.
    #[must_use]
    pub fn service<S, B>(runtime: Handle, service: S) -> Self
    where
        S: Service<Request<HttpBody>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
    {
        Self::new(runtime, move |request| {
            let mut service = service.clone();
            async move {
                let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
                let Ok(answer) = service.call(request).await;
                Some(answer)
            }
        })
    }

    /// The same, with something done to each request before, such as an extension that is added to
    /// it.
    #[must_use]
    pub fn prepared<F>(
        self,
        prepare: impl Fn(Request<HttpBody>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Request<HttpBody>> + Send + 'static,
    {
        let Self { runtime, ask } = self;
        let prepare = Arc::new(prepare);
        let ask = move |request| {
            let (prepare, ask) = (prepare.clone(), ask.clone());
            Box::pin(async move { ask(prepare(request).await).await }) as Asked
        };
        Self { runtime, ask: Arc::new(ask) }
    }

    /// Asks the hook; `None` if it passes the request on. What it does not read of the body stays.
    pub(crate) async fn ask(
        &self,
        door: &Rc<Door>,
        head: &Parts,
        body: &mut Incoming,
        address: IpAddr,
    ) -> Option<Answer> {
        let shared = &door.shared;
        let awaited = Awaited::new(door);
        let (pieces, read) = mpsc::channel(1);
        let mut request = Request::new(HttpBody { pieces: read, hint: Body::size_hint(body) });
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = own_uri(&head.uri);
        *request.version_mut() = head.version;
        *request.headers_mut() = own_headers(&head.headers);
        request.extensions_mut().insert(PeerAddress(address));
        let asked = self.runtime.spawn((self.ask)(request));
        let _guard = Guard(asked.abort_handle());
        let answered =
            timeout(shared.limits().http_hook_timeout, with_body(asked, body, pieces, shared));
        let stats = &shared.stats;
        match answered.await {
            Some(Ok(answer)) => {
                answer.map(|answer| answer.map(|body| stream(&self.runtime, body, awaited)))
            }
            Some(Err(panicked)) => {
                if panicked.is_panic() {
                    stats.hook_panics.fetch_add(1, Ordering::Relaxed);
                }
                Some(last(StatusCode::INTERNAL_SERVER_ERROR))
            }
            None => {
                stats.hooks_overdue.fetch_add(1, Ordering::Relaxed);
                Some(last(StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }
}

/// An answer that somebody waits for: a server that ends waits too.
struct Awaited(Rc<Door>);

impl Awaited {
    fn new(door: &Rc<Door>) -> Self {
        door.requests.set(door.requests.get() + 1);
        Self(door.clone())
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
    }
}

/// Ends the program's work for a client that is gone.
struct Guard(AbortHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for the answer; hands the body over meanwhile, as it is asked for.
async fn with_body<T>(
    mut asked: JoinHandle<T>,
    body: &mut Incoming,
    pieces: Sender<Result<Bytes, HttpBodyError>>,
    shared: &Shared,
) -> Result<T, tokio::task::JoinError> {
    let passed = async {
        if let Err(error) = pass(body, &pieces, shared).await {
            let _ = pieces.send(Err(error)).await;
        }
        drop(pieces);
    };
    let mut passed = pin!(passed);
    tokio::select! {
        biased;
        answered = &mut asked => return answered,
        () = &mut passed => {}
    }
    asked.await
}

async fn pass(
    body: &mut Incoming,
    pieces: &Sender<Result<Bytes, HttpBodyError>>,
    shared: &Shared,
) -> Result<(), HttpBodyError> {
    let mut left = shared.limits().http_hook_body_bytes_max;
    let mut patience = shared.limits().http_body_timeout;
    loop {
        // Nothing is read before somebody wants it. Who does not want the rest leaves it.
        let Ok(place) = pieces.reserve().await else { return Ok(()) };
        // The client has no part in how long the hook takes: its time runs while it owes bytes.
        let asked = Instant::now();
        let frame = timeout(patience, body.frame()).await;
        let Some(frame) = frame.ok_or(HttpBodyError::TimedOut)? else { return Ok(()) };
        patience = patience.saturating_sub(asked.elapsed());
        let Ok(piece) = frame.map_err(|_| HttpBodyError::Broken)?.into_data() else { continue };
        let Some(rest) = left.checked_sub(piece.len()) else {
            shared.stats.hook_bodies_refused.fetch_add(1, Ordering::Relaxed);
            return Err(HttpBodyError::TooLarge);
        };
        left = rest;
        place.send(Ok(piece));
    }
}

fn own<B>(body: B) -> OwnBody
where
    B: Body<Data = Bytes> + Send + 'static,
{
    body.map_err(|_| Broken).boxed_unsync()
}

/// The body of an answer as a shard may write it: made on the program's runtime, piece by piece.
fn stream(runtime: &Handle, mut body: OwnBody, awaited: Awaited) -> AnswerBody {
    let hint = body.size_hint();
    if body.is_end_stream() {
        return AnswerBody::default();
    }
    let (pieces, read) = mpsc::channel(1);
    runtime.spawn(async move {
        loop {
            let piece = tokio::select! {
                biased;
                // The client is gone: nobody waits for what the program has yet to make.
                () = pieces.closed() => return,
                piece = body.frame() => piece,
            };
            let is_last = !matches!(piece, Some(Ok(_)));
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    AnswerBody::Streamed(Streamed { pieces: read, hint, is_over: false, _awaited: awaited })
}

/// An answer's body on its way from the program.
pub(crate) struct Streamed {
    /// `None` is the end. A channel that ends without it is that of a body that panicked.
    pieces: Receiver<Option<Result<Frame<Bytes>, Broken>>>,
    /// Of all of it; hyper looks at it once.
    hint: SizeHint,
    is_over: bool,
    _awaited: Awaited,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = std::task::ready!(self.pieces.poll_recv(cx)).unwrap_or(Some(Err(Broken)));
        self.is_over = !matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
