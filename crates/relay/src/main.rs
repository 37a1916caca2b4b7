//! The gateway as a program: what the command line asks for, wiring, signals.

use std::io::Write;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Instant;

use listenfd::ListenFd;
use relay::health::{self, Url};
use relay::settings::{self, Command, CommandLine, Loaded};
use relay::{Builder, Log, LogLevel, Relay};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a session takes that is in no budget, roughly.
const SESSION_BYTES: u64 = 1024;

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

/// What was asked for. Whoever reads only the beginning of it has seen enough.
fn print(text: &str) -> Result<(), Vec<String>> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Vec<String> {
    vec![error.to_string()]
}

fn run() -> Result<(), Vec<String>> {
    let line = CommandLine::read(std::env::args_os().skip(1));
    match &line.command {
        Command::Help => print(&settings::help()),
        Command::Version => print(concat!("relay ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Serve => serve(load(&line)?),
        Command::Check => load(&line).and_then(|_| print("ok\n")),
        Command::PrintConfig => print(&load(&line)?.print()),
        Command::Health { url } => {
            let url = match url {
                Some(url) => line.check().map_err(sentences).map(|()| Url::parse(url))?,
                None => load(&line).map(|it| match it.settings.admin_address {
                    Some(admin) => Url::of(Some(admin.ip()), admin.port()),
                    None => Url::of(it.settings.host, it.settings.port),
                })?,
            };
            let url = url.map_err(|it| failed(&it))?;
            let status = url.ask(health::TIMEOUT).map_err(|it| failed(&it))?;
            print(&format!("{url}: status {status}\n"))
        }
    }
}

fn load(line: &CommandLine) -> Result<Loaded, Vec<String>> {
    Loaded::of_process(line).map_err(sentences)
}

fn sentences(wrong: Vec<settings::Wrong>) -> Vec<String> {
    wrong.into_iter().map(|it| it.to_string()).collect()
}

/// The listener that systemd, or another supervisor, keeps open while processes come and go
/// (`LISTEN_FDS`, sd_listen_fds(3)).
fn passed_listener() -> Result<Option<TcpListener>, Vec<String>> {
    let mut passed = ListenFd::from_env();
    match passed.len() {
        0 => Ok(None),
        1 => passed.take_tcp_listener(0).map_err(|error| {
            vec![format!("LISTEN_FDS: what was passed in is no TCP listener: {error}")]
        }),
        count => Err(vec![format!("LISTEN_FDS={count}: one listener is accepted")]),
    }
}

fn serve(loaded: Loaded) -> Result<(), Vec<String>> {
    let memory = loaded.memory();
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let mut builder = Builder::from(loaded.settings).log(Log::stdout());
    let passed = passed_listener()?;
    let was_passed = passed.is_some();
    if let Some(listener) = passed {
        builder = builder.listener(listener);
    }
    let relay = runtime.block_on(builder.start()).map_err(|error| failed(&error))?;
    relay.log(LogLevel::Info, "memory", &[("budget", &memory)]);
    if was_passed {
        let fields = [("ignored", "HOST, PORT"), ("reason", "the listener was passed in")];
        relay.log(LogLevel::Warn, "settings_ignored", &fields);
    }
    std::thread::Builder::new()
        .name("heap".into())
        .spawn({
            let relay = relay.clone();
            move || give_memory_back(&relay)
        })
        .map_err(|error| failed(&error))?;
    let _ = signals.forever().next();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            std::process::exit(1);
        }
    });
    runtime.block_on(relay.stop());
    Ok(())
}

/// Returns freed memory to the system, as long as the process lives.
fn give_memory_back(relay: &Relay) {
    let mut level = relay_heap::Level::default();
    loop {
        std::thread::sleep(relay_heap::INTERVAL);
        let stats = relay.stats();
        if level.falls_to(stats.memory_bytes + SESSION_BYTES * stats.sessions) {
            let began = Instant::now();
            relay_heap::give_back();
            let took = began.elapsed().as_millis().to_string();
            relay.log(LogLevel::Info, "memory_returned", &[("tookMs", &took)]);
        }
    }
}
