//! A Socket.IO server for Rust: runs hubs on threads and connects them to the network.
//!
//! Owns listeners, HTTP, the sockets after the 101, and what passes between shards. Does not own
//! protocols (they are sans-IO, below the hub) nor anything an application means.
//!
//! # A server in thirty lines
//! An [`Application`] is asked who may join a namespace and told what clients
//! say. There is one value of it per shard, used by that shard's thread alone, so it needs no lock.
//! Arguments are JSON text, checked and otherwise as they were sent.
//!
//! ```no_run
//! use relay_server::hub::{
//!     Application, Audience, Broadcast, ConnectRequest, Context, Decision, Happening, Limits,
//!     Packet,
//! };
//! use relay_server::{Config, Server, bind, instance};
//!
//! /// Whatever a client says in `chat`, all clients hear.
//! struct Chat;
//!
//! impl Application for Chat {
//!     type Data = ();
//!
//!     fn authorize(&mut self, _request: &ConnectRequest<'_>) -> Decision<()> {
//!         Decision::Admit(())
//!     }
//!
//!     fn handle(&mut self, cx: &mut Context<'_, ()>, happening: Happening<'_>) {
//!         if let Happening::Event { socket, args, ack } = happening
//!             && args.event_name().is("chat")
//!         {
//!             let packet = Packet::new(args.raw().as_bytes(), &[]);
//!             let sent = cx.broadcast(socket, Broadcast::new(packet, Audience::all()));
//!             if let Some(ack) = ack {
//!                 let answer: &[u8] = if sent.is_ok() { b"[true]" } else { b"[false]" };
//!                 let _ = cx.acknowledge(socket, ack, answer, &[]);
//!             }
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (limits, shards) = (Limits::default(), 2);
//! let listeners = bind(None, 3000, shards, &limits)?;
//! let instance = instance(limits, &["/"], shards)?;
//! let config = Config::new("/socket.io/", instance);
//! let server = Server::start(config, listeners, |_shard, _handle| Chat)?;
//! println!("listening on {}", server.address());
//! std::thread::park();
//! # Ok(())
//! # }
//! ```
//!
//! Stock clients of any language connect to it by long-polling, the upgrade or WebSocket, with the
//! default or the msgpack parser. What else there is:
//! - [`Decision::Later`](hub::Decision::Later) and [`Handle::decide`] for a decision that takes its
//!   time, such as a token check over the network;
//! - [`Application::offers`] for namespaces that come and go;
//! - [`Handle::call`] to emit, join or disconnect from any thread, also whole rooms at once
//!   ([`sockets_join`](hub::Context::sockets_join) and its like);
//! - [`Config`] for CORS, the origins of WebSockets, a cookie, who may begin a session, and HTTP of
//!   one's own beside the protocol;
//! - [`Keep`] for what applications see of the requests that sessions began with;
//! - [`HttpHook`] for HTTP that takes its time, and for routers;
//! - [`Config::clusters`] for other instances; [`Limits`] for every bound.

mod admin;
mod answer;
mod body;
mod bundle;
mod compress;
mod config;
mod connection;
mod cookie;
mod cors;
mod descriptors;
mod drain;
mod flush;
mod forwarded;
mod handle;
mod hook;
mod http;
mod inputs;
mod keep;
mod listen;
mod mailbox;
mod patient;
mod polling;
mod pulse;
mod reactor;
mod refused;
mod remotes;
mod shard;
mod upgrade;
mod visit;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use relay_hub::{Alone, Application, Hub, Instance, Limits, Stats};

pub use relay_hub as hub;

pub use admin::AdminServer;
pub use config::{AllowRequest, Config, HttpHandler};
pub use cookie::{Cookie, CookieError, CookieOptions, SameSite};
pub use cors::{Cors, CorsError, CorsOptions, Origin};
pub use descriptors::Descriptors;
pub use drain::Drain;
pub use forwarded::TrustedProxies;
pub use handle::{Busy, Handle};
pub use hook::{HttpBody, HttpBodyError, HttpHook, PeerAddress};
pub use http::{HandshakeRequest, HttpRequest, HttpResponse, ServerStats};
pub use keep::Keep;
pub use listen::{ListenError, adopt, bind};
pub use pulse::{PASS_BUCKETS_MICROS, Passes};
pub use refused::{HandshakeRefused, RefusalObserver, RefusalReason};
pub use relay_engineio::handshake::Enabled;
pub use remotes::Remotes;
pub use watch::Watch;

use drain::{DrainCell, Draining};
use handle::Calls;
use mailbox::Mailbox;
use pulse::Pulse;
use remotes::Inbox;

/// An instance with a random number, see [`Instance::new`].
///
/// # Errors
/// The operating system gives no randomness.
pub fn instance(
    limits: Limits,
    namespaces: &[&str],
    shards: usize,
) -> std::io::Result<Arc<Instance>> {
    let mut number = [0; 2];
    getrandom::fill(&mut number).map_err(std::io::Error::other)?;
    Ok(Instance::new(limits, namespaces, shards, u16::from_be_bytes(number)))
}

/// Shared by the shards of a server.
pub(crate) struct Shared {
    pub(crate) path: String,
    pub(crate) instance: Arc<Instance>,
    pub(crate) hook: Option<HttpHook>,
    pub(crate) http: HttpHandler,
    pub(crate) fallback: Option<HttpHook>,
    pub(crate) transports: Enabled,
    pub(crate) cors: Option<Cors>,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) allow: Option<AllowRequest>,
    pub(crate) refused: Option<RefusalObserver>,
    pub(crate) keep: Keep,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) serve_client: bool,
    pub(crate) compression: bool,
    /// The number of the next request of a session.
    pub(crate) requests: AtomicU64,
    pub(crate) stats: Arc<ServerStats>,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) draining: DrainCell,
    /// Shards that have something to do before the server ends.
    pub(crate) unfinished: AtomicUsize,
    /// Somebody was told that this instance goes away.
    pub(crate) leaving: AtomicBool,
    pub(crate) pulses: Vec<Pulse>,
    pub(crate) started: Instant,
}

impl Shared {
    pub(crate) fn limits(&self) -> &Limits {
        self.instance.limits()
    }

    /// Whether new sessions are refused because the server ends.
    pub(crate) fn refuses(&self) -> bool {
        self.draining.get().is_some_and(|draining| draining.refuses(self.now()))
    }

    /// Milliseconds since the server started: the clock of all shards.
    pub(crate) fn now(&self) -> u64 {
        self.millis_at(Instant::now())
    }

    pub(crate) fn millis_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The same in microseconds, and never 0.
    pub(crate) fn micros_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// A running server.
pub struct Server {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
    address: SocketAddr,
    hubs: Vec<Arc<Stats>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts one thread per shard. `make` builds the application of a shard, which may keep the
    /// handle; it runs before the threads do.
    ///
    /// # Errors
    /// What the operating system refused: threads, epoll, randomness.
    pub fn start<A>(
        config: Config,
        listeners: Vec<std::net::TcpListener>,
        mut make: impl FnMut(usize, &Handle<A>) -> A,
    ) -> std::io::Result<Self>
    where
        A: Application + Send + 'static,
    {
        let address = listeners
            .first()
            .ok_or_else(|| std::io::Error::other("a server needs a listener"))?
            .local_addr()?;
        let shards = config.instance.shards();
        let connections_max = &config.stats.connections_max;
        if connections_max.load(Ordering::Relaxed) == 0 {
            let reserved = config.instance.limits().reserved_descriptors;
            let all = Descriptors::raise().connections_max(reserved);
            connections_max.store(all, Ordering::Relaxed);
        }
        let remote_bytes_max = config.instance.limits().remote_bytes_max;
        let mut clusters = config.clusters.into_iter();
        let shared = Arc::new(Shared {
            path: config.path,
            instance: config.instance,
            hook: config.hook,
            http: config.http,
            fallback: config.fallback,
            transports: config.transports,
            cors: config.cors,
            cookie: config.cookie,
            allow: config.allow,
            refused: config.refused,
            keep: config.keep,
            trusted_proxies: config.trusted_proxies,
            serve_client: config.serve_client,
            compression: config.compression,
            requests: AtomicU64::new(0),
            stats: config.stats,
            mailboxes: (0..shards).map(|_| Mailbox::default()).collect(),
            inboxes: (0..shards).map(|_| Inbox::new(remote_bytes_max)).collect(),
            draining: DrainCell::new(),
            unfinished: AtomicUsize::new(shards),
            leaving: AtomicBool::new(false),
            pulses: (0..shards).map(|_| Pulse::default()).collect(),
            started: Instant::now(),
        });
        let calls = (0..shards).map(|_| Calls::default()).collect();
        let handle = Handle { shared: shared.clone(), calls };
        let mut threads = Vec::new();
        let mut hubs = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
            let application = make(index, &handle);
            let stats = Arc::new(Stats::default());
            hubs.push(stats.clone());
            let (shared, calls) = (shared.clone(), handle.calls.clone());
            let cluster = clusters.next().unwrap_or_else(|| Box::new(Alone));
            let run = move || {
                let hub = Hub::new(shared.instance.clone(), index, seed, application, cluster)
                    .with_stats(stats);
                shard::run(index, &shared, calls, hub, listener);
            };
            threads.push(std::thread::Builder::new().name(format!("shard-{index}")).spawn(run)?);
        }
        Ok(Self { shared, threads, address, hubs })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counters of the shards' hubs.
    #[must_use]
    pub fn hubs(&self) -> &[Arc<Stats>] {
        &self.hubs
    }

    /// The way from other instances to the shards.
    #[must_use]
    pub fn remotes(&self) -> Remotes {
        Remotes { shared: self.shared.clone() }
    }

    /// What others ask about the server.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(self.shared.clone())
    }

    /// Closes every connection and ends the threads; returns when they are gone.
    pub fn stop(self) {
        let deadline = self.shared.limits().close_timeout;
        self.drain(Drain::at_once(deadline));
    }

    /// Ends the server in steps; returns when its threads are gone. Requests of live sessions are
    /// served and outboxes written to the end; no socket is told to disconnect, so that clients
    /// come back, to another instance or to the next one.
    pub fn drain(self, drain: Drain) {
        self.shared.leaving.store(true, Ordering::SeqCst);
        let _ = self.shared.draining.set(Draining::new(self.shared.now(), drain));
        for mailbox in &self.shared.mailboxes {
            mailbox.wake();
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        self.shared.inboxes.iter().for_each(Inbox::close);
    }
}
