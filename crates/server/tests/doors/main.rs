//! The doors of a running server, through real sockets: decisions that take their time, calls from
//! other threads, who may begin a session, the cookie.

mod allow;
mod bodies;
mod calls;
mod client;
mod cluster;
mod decisions;
mod delivery;
mod hooks;
mod proxies;
mod refusals;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use relay_server::hub::{
    Application, ConnectRequest, Context, Decision, Happening, Instance, Limits, Stats, Ticket,
};
use relay_server::{Config, Handle, Server, ServerStats, bind, instance};

/// Whatever is awaited comes sooner, on any machine that is worth testing on.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says everything back; thinks about whoever says that it is slow.
struct Echo {
    /// Where somebody thinks.
    thinker: Sender<(Ticket, Instant)>,
}

impl Application for Echo {
    type Data = ();

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<()> {
        if request.auth.is_some_and(|auth| auth.contains("\"slow\":true")) {
            let asked = (request.ticket, Instant::now());
            self.thinker.send(asked).expect("somebody thinks");
            return Decision::Later;
        }
        Decision::Admit(())
    }

    fn handle(&mut self, cx: &mut Context<'_, ()>, happening: Happening<'_>) {
        if let Happening::Event { socket, args, .. } = happening {
            if args.event_name().is("knock") {
                let head = cx.handshake(socket).and_then(|it| it.head).expect("it is kept");
                let told = format!(r#"["knock","{}",{}]"#, head.query, head.fields.len());
                let _ = cx.emit(socket, told.as_bytes(), &[], false);
            }
            if args.event_name().is("whence") {
                let address = cx.handshake(socket).expect("it is kept").address;
                let told = format!(r#"["whence","{address}"]"#);
                let _ = cx.emit(socket, told.as_bytes(), &[], false);
                return;
            }
            // A client that is gone hears nothing.
            let _ = cx.emit(socket, args.raw().as_bytes(), &[], false);
        }
    }
}

/// A server and the ways to it.
struct Running {
    server: Server,
    handle: Handle<Echo>,
    instance: Arc<Instance>,
    stats: Arc<ServerStats>,
    address: SocketAddr,
}

impl Running {
    fn start(
        limits: Limits,
        shards: usize,
        thinker: &Sender<(Ticket, Instant)>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        limits.check().expect("the bounds agree with each other");
        let host = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let listeners = bind(host, 0, shards, &limits).expect("a port");
        let instance = instance(limits, &["/"], shards).expect("randomness");
        let mut config = Config::new("/socket.io/", instance.clone());
        configure(&mut config);
        let stats = config.stats.clone();
        let mut handles = Vec::new();
        let server = Server::start(config, listeners, |_, handle| {
            handles.push(handle.clone());
            Echo { thinker: thinker.clone() }
        });
        let server = server.expect("threads");
        let handle = handles.remove(0);
        Self { address: server.address(), server, handle, instance, stats }
    }

    /// A counter or gauge of the hubs, all shards together.
    fn stat(&self, of: impl Fn(&Stats) -> u64) -> u64 {
        self.server.hubs().iter().map(|hub| of(hub)).sum()
    }

    /// Everybody leaves: nothing is left of anybody.
    fn finish(self) {
        wait_until("all connections are gone", || self.stat(|it| it.connections.get()) == 0);
        assert_eq!(self.stat(|it| it.sockets.get()), 0, "gauge: sockets");
        assert_eq!(self.stat(|it| it.decisions.get()), 0, "gauge: decisions");
        let (instance, shards) = (self.instance, self.handle.shards());
        self.server.stop();
        assert_eq!(instance.namespace_count(), 1);
        let step = instance.limits().memory_step_bytes;
        assert!(instance.memory().used() < step * shards, "bytes are held");
    }
}

/// Waits for something that other threads do.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// At one, two and four shards.
fn at_all_sizes(body: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for shards in [1, 2, 4] {
            let body = &body;
            scope.spawn(move || body(shards));
        }
    });
}
