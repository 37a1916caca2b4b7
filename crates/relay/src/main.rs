//! The gateway as a program: settings, wiring, signals.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use relay::memory::Budget;
use relay::process::Process;
use relay::routes::Sources;
use relay::settings::{Settings, variables};
use relay_gateway::{Gateway, GatewayStats, NAMESPACES, TypeNames};
use relay_hub::Limits;
use relay_server::{Config, Descriptors, HttpRequest, Server, ServerStats, bind, instance};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                say(&error);
            }
            ExitCode::FAILURE
        }
    }
}

/// A line for the operator. Where nobody reads it, it is lost: that ends nothing.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "relay: {line}");
}

fn run() -> Result<(), Vec<String>> {
    let failed = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let settings = Settings::read(variables()?.into_iter())?;
    let mut limits = Limits::default();
    let budget = Budget::detect();
    if let Some(bytes_max) = budget.and_then(|it| usize::try_from(it.bytes_max).ok()) {
        limits.memory_bytes_max = bytes_max;
    }
    limits.check().map_err(|broken| vec![broken.to_owned()])?;
    let descriptors = Descriptors::raise();
    let connections_max = descriptors.connections_max(limits.reserved_descriptors);
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| failed(&error))?;
    let listeners = bind(settings.host, settings.port, settings.shards, &limits)
        .map_err(|error| failed(&error))?;

    let memory_bytes_max = limits.memory_bytes_max;
    let types = TypeNames::new(limits.metric_types_max, limits.metric_type_bytes_max);
    let gateways: Vec<_> = (0..settings.shards).map(|_| GatewayStats::new(&types)).collect();
    let instance =
        instance(limits, &NAMESPACES, settings.shards).map_err(|error| failed(&error))?;
    let stats = Arc::new(ServerStats::default());
    stats.connections_max.store(connections_max, Ordering::Relaxed);
    let sources = Arc::new(OnceLock::<Sources>::new());
    let http = {
        let sources = sources.clone();
        Arc::new(move |request: &HttpRequest<'_>| sources.get()?.answer(request))
    };
    let config = Config {
        http,
        cors: settings.cors,
        stats: stats.clone(),
        ..Config::new("/socket.io/", instance.clone())
    };
    let made = gateways.clone();
    let server = Server::start(config, listeners, |shard, _| Gateway::new(made[shard].clone()))
        .map_err(|error| failed(&error))?;
    let _ = sources.set(Sources {
        name: settings.instance,
        started: Instant::now(),
        process: Process::new(),
        instance,
        watch: server.watch(),
        server: stats,
        hubs: server.hubs().to_vec(),
        gateways,
    });
    say(&format!(
        "listening on {} with {} shards, room for {connections_max} connections",
        server.address(),
        settings.shards
    ));
    let budget = budget.map_or_else(
        || format!("{memory_bytes_max} bytes: nothing says how much there is"),
        |it| it.to_string(),
    );
    say(&format!("memory for what clients make it hold: {budget}"));
    let _ = signals.forever().next();
    say("stopping; a second signal ends at once");
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            std::process::exit(1);
        }
    });
    server.drain(settings.drain);
    Ok(())
}
