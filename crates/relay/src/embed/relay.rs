//! A running instance, for any thread.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use relay_gateway::{Client, Gateway, Rules, Told};
use relay_hub::{Audience, Context, EmitError, Expected, Limits, Room};
use relay_server::{AdminServer, Drain, Handle, Server};
use tokio::sync::{oneshot, watch};

use super::builder::Builder;
use super::sockets::{CommandError, Sockets, Target};
use crate::cluster::Joined;
use crate::routes::Sources;

/// The shard that everything goes through that the program sends, so that it keeps its order.
const HOME: usize = 0;

/// A running instance. Cheap to clone; every clone is the same instance.
///
/// Dropping it stops nothing: an instance runs until [`Relay::stop`], or until the process ends.
#[derive(Clone)]
pub struct Relay {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    server: Mutex<Option<(Server, Option<Joined>)>>,
    shards: Handle<Gateway>,
    pub(super) sources: Sources,
    rules: Arc<Rules>,
    pub(super) drain: Drain,
    address: SocketAddr,
    admin: Option<AdminServer>,
    stopped: watch::Sender<bool>,
    me: Me,
}

/// An instance's own handle, for its hooks; until it has stopped.
#[derive(Clone, Default)]
pub(super) struct Me(Arc<watch::Sender<Option<Relay>>>);

impl Me {
    /// The handle, once there is one: requests may come a moment before.
    pub(super) async fn get(&self) -> Option<Relay> {
        let mut told = self.0.subscribe();
        let me = told.wait_for(Option::is_some).await;
        me.ok().and_then(|me| me.clone())
    }

    fn set(&self, relay: Option<Relay>) {
        // What was there before may be the last of it: it ends here, not under the lock.
        drop(self.0.send_replace(relay));
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

impl Inner {
    /// Ends the server, if nobody does already.
    fn drain(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((server, cluster)) = server {
            self.tell_drain();
            server.drain(self.drain);
            // The clients are gone: nothing more will be said.
            if let Some(cluster) = cluster {
                cluster.leave();
            }
            // The process may end as soon as it is known to have stopped.
            self.tell_stop();
            self.me.set(None);
            self.stopped.send_replace(true);
            // Behind the word that it has stopped, so that no question comes in between.
            self.rules.questions.forget_all();
        }
    }
}

/// What an instance is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The display name.
    pub instance: String,
    /// Since it started.
    pub uptime: Duration,
    /// Sockets now in its namespace.
    pub connections: u64,
    /// Engine.IO connections now open.
    pub sessions: u64,
    /// Rooms that have members now.
    pub rooms: u64,
    /// Messages accepted so far, `relay` and `notificar`.
    pub messages: u64,
    /// Events refused so far.
    pub refused: u64,
    /// Packets put into the outboxes of clients so far.
    pub deliveries: u64,
    /// Bytes that clients make it hold now.
    pub memory_bytes: u64,
    /// Whether new sessions are welcome: not once it has begun to stop.
    pub is_ready: bool,
}

impl Relay {
    /// Everything that can be said about an instance before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn new(
        (server, cluster): (Server, Option<Joined>),
        shards: Handle<Gateway>,
        sources: Sources,
        rules: Arc<Rules>,
        drain: Drain,
        me: Me,
        admin: Option<AdminServer>,
    ) -> Self {
        let address = server.address();
        let server = Mutex::new(Some((server, cluster)));
        let stopped = watch::Sender::new(false);
        let kept = me.clone();
        let inner = Inner { server, shards, sources, rules, drain, address, admin, stopped, me };
        let relay = Self { inner: Arc::new(inner) };
        kept.set(Some(relay.clone()));
        relay
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// Where whoever looks after it asks, if that is not the public port.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.inner.admin.as_ref().map(AdminServer::address)
    }

    /// How many sessions there may be, as the descriptors of the process allow.
    #[must_use]
    pub fn connections_max(&self) -> usize {
        self.inner.sources.server.connections_max.load(Ordering::Relaxed)
    }

    /// How many threads serve clients.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.shards.shards()
    }

    /// The bounds that it runs with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.inner.sources.instance.limits()
    }

    /// What it is doing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let sources = &self.inner.sources;
        let hubs = |read: fn(&relay_hub::Stats) -> u64| {
            sources.hubs.iter().map(|hub| read(hub)).sum::<u64>()
        };
        let gateways = || sources.gateways.iter();
        Stats {
            instance: sources.name.clone(),
            uptime: sources.started.elapsed(),
            connections: sources.connections(),
            sessions: hubs(|it| it.connections.get()),
            rooms: hubs(|it| it.rooms.get()),
            messages: gateways().flat_map(|it| it.messages()).map(|it| it.count).sum(),
            refused: gateways().flat_map(|it| it.refusals()).map(|it| it.count).sum(),
            deliveries: hubs(|it| it.deliveries.get()),
            memory_bytes: hubs(|it| it.memory_bytes.get()),
            is_ready: sources.watch.is_ready(),
        }
    }

    /// Every socket of the namespace, to be reached; on other instances too.
    pub fn everyone(&self) -> Sockets {
        Sockets::new(self.clone(), None)
    }

    /// The sockets of a room, of a user, or one socket, to be reached; on other instances too.
    pub fn to(&self, target: impl Into<Target>) -> Sockets {
        Sockets::new(self.clone(), Some(target.into()))
    }

    /// Stops it; returns when its threads are gone. New sessions are refused, requests under way
    /// are answered, what waits for clients is written, connections are closed. Clients are not
    /// told to stay away: they come back, to another instance or the next one. How long that may
    /// take is a matter of [`Builder::drain`]. To stop what is stopped already waits for the same.
    pub async fn stop(&self) {
        let inner = self.inner.clone();
        let drain = move || inner.drain();
        // Threads are joined there: nothing of the program's runtime waits for them.
        if std::thread::Builder::new().name("relay-stop".into()).spawn(drain).is_err() {
            self.inner.drain();
        }
        // The sender is ours: it cannot be gone.
        let _ = self.inner.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Asks something in the namespace, in the order of the calls, and waits for what becomes of it.
    /// It holds `bytes` besides the audience.
    pub(super) async fn ask(
        &self,
        audience: Audience,
        bytes: usize,
        ask: impl FnOnce(&mut Context<'_, Client>, &str, Audience, u64) -> Result<(), EmitError>
        + Send
        + 'static,
    ) -> Result<Told, CommandError> {
        let (tell, told) = oneshot::channel();
        let rules = self.inner.rules.clone();
        // Whoever asked may not wait any more.
        let token = rules.questions.expect(move |what| drop(tell.send(what)));
        let asked = self.act(audience, bytes, move |cx, namespace, audience| {
            if let Err(error) = ask(cx, namespace, audience, token) {
                rules.questions.settle(token, Told::Failed(error));
            }
        });
        if asked.is_err() || *self.inner.stopped.borrow() {
            self.inner.rules.questions.forget(token);
        }
        asked?;
        told.await.map_err(|_| CommandError::Stopped)
    }

    /// Somebody will join a room, as far as other instances are concerned from now on.
    pub(super) fn expect_join(&self, room: &Room) -> Expected {
        let rooms = std::slice::from_ref(room);
        self.inner.sources.instance.expect_join(&self.inner.rules.namespace, rooms)
    }

    /// Does something in the namespace, in the order of the calls. It holds `bytes` besides the
    /// audience.
    pub(super) fn act(
        &self,
        audience: Audience,
        bytes: usize,
        act: impl FnOnce(&mut Context<'_, Client>, &str, Audience) + Send + 'static,
    ) -> Result<(), CommandError> {
        if *self.inner.stopped.borrow() {
            return Err(CommandError::Stopped);
        }
        let rules = self.inner.rules.clone();
        let bytes = bytes.saturating_add(audience.bytes());
        let act = move |cx: &mut Context<'_, Client>| act(cx, &rules.namespace, audience);
        let called = self.inner.shards.call_holding(HOME, bytes, act);
        called.map_err(|_| CommandError::Busy)
    }
}
