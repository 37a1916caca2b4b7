//! How an instance is set up.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};

use http::{Request, Response};
use http_body::Body;
use relay_gateway::{
    Admission, Authorize, Denial, Disconnected, Hooks, Identify, Message, NamedTypes, Socket,
    Verdict,
};
use relay_hub::{Bytes, Limits, Refusal};
use relay_server::{Cors, Drain, HttpBody, HttpHook, Keep, TrustedProxies};
use tokio::runtime::Handle;
use tower_service::Service;

use super::Relay;
use super::start::{self, StartError};
use crate::log::Log;
use crate::settings::{Machine, Redis, Settings};

/// A hook that waits for its runtime.
pub(super) type Unbound = Box<dyn FnOnce(Handle) -> HttpHook + Send>;

/// Told when it listens.
type Ready = Box<dyn FnOnce(&Relay) + Send>;

/// What [`Relay::builder`] gives: everything that can be said about an instance before it starts.
/// What is not said is as in the `relay` program without configuration.
#[must_use = "nothing happens before `start`"]
pub struct Builder {
    pub(super) settings: Settings,
    pub(super) listener: Option<TcpListener>,
    pub(super) namespace: String,
    pub(super) metrics: bool,
    pub(super) keep: Option<Keep>,
    pub(super) hooks: Hooks,
    pub(super) ready: Option<Ready>,
    pub(super) http: Option<Unbound>,
    pub(super) service: Option<Unbound>,
    pub(super) log: Option<Log>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .field("namespace", &self.namespace)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Settings::default_on(&Machine::detect()).into()
    }
}

impl From<Settings> for Builder {
    /// An instance with settings from outside, such as those of the `relay` program.
    fn from(settings: Settings) -> Self {
        Self {
            settings,
            listener: None,
            namespace: "/relay".to_owned(),
            metrics: true,
            keep: None,
            hooks: Hooks::new(),
            ready: None,
            http: None,
            service: None,
            log: None,
        }
    }
}

/// Where it listens and what it is.
impl Builder {
    /// The TCP port; 0 lets the system choose. 5000 without it.
    pub fn port(mut self, port: u16) -> Self {
        self.settings.port = port;
        self
    }

    /// The address to listen on. All of them without it, IPv6 and IPv4.
    pub fn host(mut self, host: impl Into<IpAddr>) -> Self {
        self.settings.host = Some(host.into());
        self
    }

    /// Listens here, in the place of host and port.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// A name to show; it need not be unique. Host name and process id without it.
    pub fn instance_id(mut self, name: impl Into<String>) -> Self {
        self.settings.instance = name.into();
        self
    }

    /// Where `/health`, `/live`, `/ready` and `/metrics` are answered; not on the public port then.
    /// They are there, without it. They are answered until the program ends.
    pub fn admin_address(mut self, address: SocketAddr) -> Self {
        self.settings.admin_address = Some(address);
        self
    }

    /// The namespace that clients join, with its `/`. `/relay` without it.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// Threads that serve clients, 1 to 256. One per core of the CPU quota without it.
    pub fn shards(mut self, shards: usize) -> Self {
        self.settings.shards = shards;
        self
    }

    /// Which pages browsers let in; `None` says nothing to browsers. Pages of every origin, with
    /// GET and POST, without it.
    pub fn cors(mut self, cors: impl Into<Option<Cors>>) -> Self {
        self.settings.cors = cors.into();
        self
    }

    /// The proxies that are believed in `X-Forwarded-For`. None, without it.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.settings.trusted_proxies = proxies;
        self
    }

    /// Whether `/metrics` is answered. It is, without it.
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// The types of messages that `/metrics` always shows by their names, whatever else clients
    /// send. None, without it.
    pub fn metrics_types(mut self, types: NamedTypes) -> Self {
        self.settings.metrics_types = types;
        self
    }

    /// The cluster that it is part of: all instances on this Redis, and Socket.IO servers for Node
    /// that use `@socket.io/redis-adapter` there. Alone without it.
    pub fn redis(mut self, redis: impl Into<Option<Redis>>) -> Self {
        self.settings.redis = redis.into();
        self
    }

    /// Every bound. The defaults of [`Limits`] without it, and the memory that the machine or the
    /// container allows.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How [`Relay::stop`] ends: at once, but connections are closed over two seconds, without it.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.settings.drain = drain;
        self
    }

    /// Logs what happens, without payloads: `docs/logs.md` has every line. Nothing is logged without
    /// it.
    pub fn log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// What hooks see of the requests that sessions began with. Everything if there is a hook for
    /// [`authorize`](Self::authorize) or [`connection`](Self::connection), without it. It is held
    /// for as long as the session lasts: name the header fields that you need.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = Some(keep);
        self
    }
}

/// The moments. Each hook runs on a shard, at once: it must not block. What takes time is handed
/// over with [`Verdict::later`], or spawned.
impl Builder {
    /// Told once, when the instance listens.
    pub fn ready(mut self, hook: impl FnOnce(&Relay) + Send + 'static) -> Self {
        self.ready = Some(Box::new(hook));
        self
    }

    /// Asked before a client hears that it is in; see [`Hooks::authorize`].
    pub fn authorize<V>(
        mut self,
        hook: impl Fn(&Authorize<'_>) -> V + Send + Sync + 'static,
    ) -> Self
    where
        V: Into<Verdict<Admission, Refusal>>,
    {
        self.hooks = self.hooks.authorize(hook);
        self
    }

    /// Told after a client is in, before anything that it says; see [`Hooks::connection`].
    pub fn connection(
        mut self,
        hook: impl Fn(&mut Socket<'_, '_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks = self.hooks.connection(hook);
        self
    }

    /// Asked before a client counts as whom it says it is; see [`Hooks::identify`].
    pub fn identify<V>(mut self, hook: impl Fn(&Identify<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.hooks = self.hooks.identify(hook);
        self
    }

    /// Asked about every `relay`, before it goes anywhere; see [`Hooks::message`].
    pub fn message<V>(mut self, hook: impl Fn(&Message<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.hooks = self.hooks.message(hook);
        self
    }

    /// Asked about every `notificar`, before it goes anywhere; see [`Hooks::notify`].
    pub fn notify<V>(mut self, hook: impl Fn(&Message<'_>) -> V + Send + Sync + 'static) -> Self
    where
        V: Into<Verdict<(), Denial>>,
    {
        self.hooks = self.hooks.notify(hook);
        self
    }

    /// Told when a client is gone; see [`Hooks::disconnected`].
    pub fn disconnected(
        mut self,
        hook: impl Fn(&Disconnected<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks = self.hooks.disconnected(hook);
        self
    }
}

/// HTTP beside the protocol.
impl Builder {
    /// Asked first about every HTTP request but those of sessions that have begun, preflights of the
    /// protocol and the client library: it answers, or passes on with `None`. Runs on the program's runtime; see [`HttpHook`]. The [`Relay`] is
    /// among the extensions of the request, and a [`PeerAddress`](relay_server::PeerAddress).
    pub fn http<F, B>(
        mut self,
        hook: impl Fn(Request<HttpBody>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Response<B>>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
    {
        self.http = Some(Box::new(|runtime| HttpHook::new(runtime, hook)));
        self
    }

    /// A tower service, such as a router of axum, for every HTTP request that nobody else answers:
    /// neither the protocol nor `/health`, `/live`, `/ready` and `/metrics`. The [`Relay`] is among
    /// the extensions of the request.
    pub fn http_service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<HttpBody>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
    {
        self.service = Some(Box::new(|runtime| HttpHook::service(runtime, service)));
        self
    }

    /// Starts the instance; it listens when this returns. Must be called within a runtime of tokio
    /// whose timers are enabled: the program's futures run there.
    ///
    /// # Errors
    /// See [`StartError`]: the port is taken, the limits contradict each other, there is no runtime.
    #[expect(clippy::unused_async, reason = "backbones that must be dialled will be awaited here")]
    pub async fn start(self) -> Result<Relay, StartError> {
        start::start(self)
    }
}
