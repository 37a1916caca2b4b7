//! From a builder to a running instance.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use relay_gateway::{Fact, Gateway, GatewayStats, NamedTypes, Questions, Rules, TypeNames};
use relay_hub::Limits;
use relay_redis::link::Turn;
use relay_server::{
    AdminServer, Config, Descriptors, Handle, HandshakeRefused, HttpHandler, HttpHook, HttpRequest,
    Keep, ListenError, RefusalObserver, Server, ServerStats, adopt, bind, instance,
};

use super::background::Runtime;
use super::builder::Unbound;
use super::relay::Me;
use super::{Builder, Relay};
use crate::cluster::{Joined, Prepared};
use crate::log::{Journal, Log};
use crate::process::Process;
use crate::routes::{Reader, Sources};
use crate::settings::Settings;

/// Why an instance did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It was not started within a runtime of tokio.
    NoRuntime,
    /// Two limits contradict each other: a sentence about them.
    Limits(&'static str),
    /// The name of a namespace begins with `/`.
    Namespace(String),
    /// The number of shards is 0, or above 256.
    Shards(usize),
    /// The port is taken, or the address is not ours.
    Listen(ListenError),
    /// What else the operating system refused: threads, epoll, randomness.
    System(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("it must be started within a runtime of tokio"),
            Self::Limits(rule) => f.write_str(rule),
            Self::Namespace(name) => write!(f, "a namespace begins with a slash: {name}"),
            Self::Shards(shards) => write!(f, "there are 1 to 256 shards, not {shards}"),
            Self::Listen(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoRuntime | Self::Limits(_) | Self::Namespace(_) | Self::Shards(_) => None,
            Self::Listen(error) => Some(error),
            Self::System(error) => Some(error),
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

fn check(builder: &Builder) -> Result<(), StartError> {
    let (settings, namespace) = (&builder.settings, &builder.namespace);
    settings.limits.check().map_err(StartError::Limits)?;
    if !(1..=relay_hub::SHARDS_MAX).contains(&settings.shards) {
        return Err(StartError::Shards(settings.shards));
    }
    if !namespace.starts_with('/') {
        return Err(StartError::Namespace(namespace.clone()));
    }
    Ok(())
}

/// Opens the port, or takes the listener that is there.
fn listeners(
    settings: &Settings,
    own: Option<TcpListener>,
) -> Result<Vec<TcpListener>, StartError> {
    let (shards, limits) = (settings.shards, &settings.limits);
    Ok(match own {
        Some(listener) => adopt(&listener, shards, limits)?,
        None => bind(settings.host, settings.port, shards, limits)?,
    })
}

/// Counters that know how many sessions the descriptors allow.
fn counters(limits: &Limits) -> Arc<ServerStats> {
    let stats = Arc::new(ServerStats::default());
    let connections_max = Descriptors::raise().connections_max(limits.reserved_descriptors);
    stats.connections_max.store(connections_max, Ordering::Relaxed);
    stats
}

/// Answers the program's own routes. Whoever asks a moment before everything is there waits for it.
fn routes(sources: Arc<OnceLock<Option<Sources>>>, reader: Reader) -> HttpHandler {
    Arc::new(move |request: &HttpRequest<'_>| sources.wait().as_ref()?.answer(request, reader))
}

/// Those of each shard's gateway, with the same labels.
fn gateway_counters(named: &NamedTypes, limits: &Limits, shards: usize) -> Vec<Arc<GatewayStats>> {
    let (types_max, type_bytes_max) = (limits.metric.types_max, limits.metric.type_bytes_max);
    let types = TypeNames::new(named, types_max, type_bytes_max);
    (0..shards).map(|_| GatewayStats::new(&types)).collect()
}

/// A hook on its runtime. The requests that it gets bear the handle of the instance.
fn bound(unbound: Unbound, runtime: &tokio::runtime::Handle, me: &Me) -> HttpHook {
    let me = me.clone();
    unbound(runtime.clone()).prepared(move |mut request| {
        let me = me.clone();
        async move {
            if let Some(relay) = me.get().await {
                request.extensions_mut().insert(relay);
            }
            request
        }
    })
}

/// Starts the threads, and joins the cluster.
fn run(
    config: Config,
    listeners: Vec<TcpListener>,
    (cluster, journal): (Option<Prepared>, Option<&Journal>),
    mut make: impl FnMut(usize, &Handle<Gateway>) -> Gateway,
) -> Result<(Server, Option<Joined>, Handle<Gateway>), StartError> {
    let (mut handle, shards) = (None, config.instance.shards());
    let server = Server::start(config, listeners, |shard, shards| {
        handle.get_or_insert_with(|| shards.clone());
        make(shard, shards)
    })?;
    let handle = handle.ok_or(StartError::Shards(shards))?;
    let journal = journal.cloned();
    let tell = move |turn: Turn| journal.iter().for_each(|it| it.record_turn(&turn));
    let joined = cluster.map(|it| it.join_telling(&server, tell)).transpose()?;
    Ok((server, joined, handle))
}

pub(super) fn start(mut builder: Builder) -> Result<Relay, StartError> {
    check(&builder)?;
    let (settings, log) = (&builder.settings, builder.log.take());
    let how = (settings.log_format, settings.log_level);
    let start = |log: Log| log.start(how, &settings.limits, &settings.instance);
    let journal = log.map(start).transpose()?;
    let ended = journal.clone();
    let begun = begin(builder, journal);
    begun.inspect(Relay::tell_ready).inspect_err(|_| ended.iter().for_each(Journal::finish))
}

/// A gateway that the log hears of, if there is one that wants to.
fn observed(gateway: Gateway, journal: Option<&Journal>) -> Gateway {
    match journal.and_then(Journal::observer) {
        Some(observer) => gateway.observed_by(observer),
        None => gateway,
    }
}

/// Tells the log of handshakes that are refused, if there is one that wants to hear of them.
fn doorkeeper(journal: Option<&Journal>) -> Option<RefusalObserver> {
    let observer = journal.and_then(Journal::observer)?;
    Some(Arc::new(move |refused: &HandshakeRefused| {
        let HandshakeRefused { address, reason, status } = *refused;
        let (reason, code) = (reason.as_str(), reason.code());
        observer.observe(&Fact::HandshakeRefused { address, reason, code, status });
    }))
}

fn begin(builder: Builder, journal: Option<Journal>) -> Result<Relay, StartError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
    let Builder {
        settings, listener, namespace, metrics, keep, hooks, ready, http, service, ..
    } = builder;
    let stats = counters(&settings.limits);
    let listeners = listeners(&settings, listener)?;
    let (limits, shards) = (settings.limits, settings.shards);
    let gateways = gateway_counters(&settings.metrics_types, &limits, shards);
    let (thoughts_max, patience) = (limits.decisions_max, limits.decision_timeout);
    let namespaces: &[&str] = if namespace == "/" { &["/"] } else { &["/", &namespace] };
    let instance = instance(limits, namespaces, shards)?;
    let sources = Arc::new(OnceLock::<Option<Sources>>::new());
    let me = Me::default();
    let routes = |reader| routes(sources.clone(), reader);
    let admin = settings.admin_address;
    let open = |it| AdminServer::start(it, instance.limits(), routes(Reader::Operator));
    let admin = admin.map(open).transpose()?;
    let cluster = match settings.redis {
        Some(redis) => Some(Prepared::new(redis, instance.limits())?),
        None => None,
    };
    let sees = if hooks.see_handshakes() { Keep::Everything } else { Keep::Nothing };
    let config = Config {
        hook: http.map(|hook| bound(hook, &runtime, &me)),
        http: match &admin {
            Some(_) => Arc::new(|_: &HttpRequest<'_>| None),
            None => routes(Reader::Anyone),
        },
        fallback: service.map(|service| bound(service, &runtime, &me)),
        cors: settings.cors,
        trusted_proxies: settings.trusted_proxies,
        refused: doorkeeper(journal.as_ref()),
        keep: keep.unwrap_or(sees),
        stats: stats.clone(),
        clusters: cluster.as_ref().map(|it| it.ports(shards)).unwrap_or_default(),
        ..Config::new("/socket.io/", instance.clone())
    };
    let questions = Questions::default();
    let rules = Arc::new(Rules { namespace: namespace.into(), hooks, thoughts_max, questions });
    let (made, observers) = (gateways.clone(), journal.clone());
    let run = run(config, listeners, (cluster, journal.as_ref()), |shard, shards| {
        let background =
            Arc::new(Runtime { runtime: runtime.clone(), shards: shards.clone(), patience });
        let gateway = Gateway::new(made[shard].clone()).with_rules(rules.clone(), background);
        observed(gateway, observers.as_ref())
    });
    // Nobody waits any longer.
    let (server, joined, handle) = run.inspect_err(|_| drop(sources.set(None)))?;
    let facts = Sources {
        name: settings.instance,
        metrics,
        started: Instant::now(),
        process: Process::new(),
        instance,
        watch: server.watch(),
        handle: handle.clone(),
        server: stats,
        hubs: server.hubs().to_vec(),
        gateways,
        journal,
        cluster: joined.as_ref().map(|it| it.classic().clone()),
    };
    let _ = sources.set(Some(facts.clone()));
    let relay = Relay::new((server, joined), handle, facts, rules, settings.drain, me, admin);
    if let Some(ready) = ready {
        ready(&relay);
    }
    Ok(relay)
}
