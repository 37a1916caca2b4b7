//! How a server is set up.
//!
//! Does not own what comes of it.

use std::pin::Pin;
use std::sync::Arc;

use relay_engineio::handshake::Enabled;
use relay_hub::{Cluster, Instance};

use crate::cookie::Cookie;
use crate::cors::Cors;
use crate::forwarded::TrustedProxies;
use crate::hook::HttpHook;
use crate::http::{HandshakeRequest, HttpRequest, HttpResponse, ServerStats};
use crate::keep::Keep;
use crate::refused::RefusalObserver;

/// Answers plain HTTP requests that are not the protocol's. Called on a shard's thread: it must
/// not block. `None` is a 404.
pub type HttpHandler = Arc<dyn Fn(&HttpRequest<'_>) -> Option<HttpResponse> + Send + Sync>;

/// Decides whether a session may begin, before anything else is done for it. It may take its time,
/// within a bound; a refusal carries the words that the client gets. It runs on a shard's thread,
/// where there is no runtime: what needs one is spawned on the program's own.
pub type AllowRequest = Arc<
    dyn Fn(HandshakeRequest) -> Pin<Box<dyn Future<Output = Result<(), String>>>> + Send + Sync,
>;

/// How a server is set up.
pub struct Config {
    /// Where clients connect, with the trailing slash.
    pub path: String,
    /// The instance that the shards make up.
    pub instance: Arc<Instance>,
    /// Asked first, about every request but those of sessions that have begun, preflights of the
    /// protocol and the client library; what it answers goes no further.
    pub hook: Option<HttpHook>,
    /// Plain HTTP.
    pub http: HttpHandler,
    /// Asked last, about what would be a 404.
    pub fallback: Option<HttpHook>,
    /// The transports that clients may use.
    pub transports: Enabled,
    /// Who may read answers from a browser, and from which pages a WebSocket may come; `None`
    /// says nothing to browsers and lets WebSockets of any page in.
    pub cors: Option<Cors>,
    /// A cookie for proxies, set by the answer that begins a polling session.
    pub cookie: Option<Cookie>,
    /// Who may begin a session; `None` lets everybody.
    pub allow: Option<AllowRequest>,
    /// Told of handshakes that are refused before there is a session.
    pub refused: Option<RefusalObserver>,
    /// What applications see of the requests that sessions began with.
    pub keep: Keep,
    /// The proxies whose word on the address of a client is taken.
    pub trusted_proxies: TrustedProxies,
    /// Whether the client library is served under the path.
    pub serve_client: bool,
    /// Whether large polling answers are compressed for clients that accept it.
    pub compression: bool,
    /// Counters of the server itself.
    pub stats: Arc<ServerStats>,
    /// The other instances, as each shard sees them, in the order of the shards; without any the
    /// instance is alone. What comes from there goes in through [`Server::remotes`](crate::Server::remotes).
    pub clusters: Vec<Box<dyn Cluster + Send>>,
}

impl Config {
    /// A server of `instance` under `path` with what the stock server has by default: both
    /// transports, no CORS, no cookie, everybody is let in, the client library is served. Nothing
    /// else is answered by HTTP.
    #[must_use]
    pub fn new(path: &str, instance: Arc<Instance>) -> Self {
        Self {
            path: path.to_owned(),
            instance,
            hook: None,
            http: Arc::new(|_| None),
            fallback: None,
            transports: Enabled { polling: true, websocket: true },
            cors: None,
            cookie: None,
            allow: None,
            refused: None,
            keep: Keep::Nothing,
            trusted_proxies: TrustedProxies::default(),
            serve_client: true,
            compression: true,
            stats: Arc::default(),
            clusters: Vec::new(),
        }
    }
}
