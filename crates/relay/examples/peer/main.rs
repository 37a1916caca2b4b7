//! A Socket.IO server in a cluster that does what its clients tell it, for `tests/interop`: there a
//! server for Node does the same, and each is to reach what the other has.
//!
//! `cargo run --example peer -- --listen 127.0.0.1:3000 --redis redis://127.0.0.1:6379 --name a
//! --shards 2 --parser notepack`. It prints `ready` when it is part of the cluster. What clients may say stands in
//! [`told`].

mod told;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use relay::Limits;
use relay::cluster::Prepared;
use relay::settings::Redis;
use relay_redis::classic::Parser;
use relay_redis::link::State;
use relay_server::{Config, Server, bind, instance};

use told::Peer;

struct Options {
    listen: SocketAddr,
    redis: String,
    name: String,
    shards: usize,
    parser: Parser,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|it| serve(&it)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
        redis: "redis://127.0.0.1:6379".to_owned(),
        name: "peer".to_owned(),
        shards: 1,
        parser: Parser::default(),
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--listen" => options.listen = value.parse().map_err(|_| "an address".to_owned())?,
            "--redis" => options.redis = value,
            "--name" => options.name = value,
            "--parser" => {
                let named = Parser::ALL.into_iter().find(|it| it.name() == value);
                options.parser = named.ok_or_else(|| "a parser".to_owned())?;
            }
            "--shards" => options.shards = value.parse().map_err(|_| "a number".to_owned())?,
            unknown => return Err(format!("{unknown} is not known here")),
        }
    }
    Ok(options)
}

fn serve(options: &Options) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let (limits, shards) = (Limits::default(), options.shards);
    let redis = Redis::at(&options.redis).map_err(|it| words(&it))?;
    let redis = Redis { parser: options.parser, ..redis };
    let (host, port) = (options.listen.ip(), options.listen.port());
    let listeners = bind(Some(host), port, shards, &limits).map_err(|it| words(&it))?;
    let cluster = Prepared::new(redis, &limits).map_err(|it| words(&it))?;
    let instance = instance(limits, &["/"], shards).map_err(|it| words(&it))?;
    let config = Config { clusters: cluster.ports(shards), ..Config::new("/socket.io/", instance) };
    let name = options.name.clone();
    let make = |_, _: &_| Peer::new(&name);
    let server = Server::start(config, listeners, make).map_err(|it| words(&it))?;
    let joined = cluster.join(&server).map_err(|it| words(&it))?;
    while joined.classic().state() != State::Up {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = writeln!(std::io::stdout(), "ready");
    // Whoever started it closes its input to end it.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    server.stop();
    joined.leave();
    Ok(())
}
