//! Servers for conformance tools: what they echo is what such tools expect.
//!
//! - `--websocket`: a bare RFC 6455 echo of text and binary on any path.
//! - `--engineio`: an Engine.IO server that echoes every message, on `/engine.io/`.
//! - `--socketio`: a Socket.IO server on `/socket.io/` with the namespaces `/` and `/custom`.
//!
//! `cargo run --release --example conformance -- --socketio --listen 127.0.0.1:3000`. The flags
//! stand in [`Options`].

mod echo;
mod websocket;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// What the command line says.
pub(crate) struct Options {
    /// `--listen ADDRESS:PORT`.
    pub(crate) listen: SocketAddr,
    /// `--path P`, with the trailing slash.
    pub(crate) path: Option<String>,
    /// `--ping-interval-ms N`.
    pub(crate) ping_interval: Duration,
    /// `--ping-timeout-ms N`.
    pub(crate) ping_timeout: Duration,
    /// `--max-payload BYTES`.
    pub(crate) max_payload_bytes: usize,
    /// `--connect-timeout-ms N`.
    pub(crate) connect_timeout: Duration,
    /// `--shards N`.
    pub(crate) shards: usize,
    /// `--cors-origin LIST`, as in `CORS_ORIGIN`; `false` for none.
    pub(crate) cors_origin: String,
    /// `--cors-methods LIST`, as in `CORS_METHODS`.
    pub(crate) cors_methods: Option<String>,
    /// `--cors-credentials`.
    pub(crate) cors_credentials: bool,
}

#[derive(Clone, Copy)]
enum Mode {
    WebSocket,
    EngineIo,
    SocketIo,
}

fn main() -> ExitCode {
    let run = options(std::env::args().skip(1)).and_then(|(mode, options)| match mode {
        Mode::WebSocket => websocket::serve(&options),
        Mode::EngineIo => echo::engineio(&options),
        Mode::SocketIo => echo::socketio(&options),
    });
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<(Mode, Options), String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 9001)),
        path: None,
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        max_payload_bytes: 1_000_000,
        connect_timeout: Duration::from_secs(45),
        shards: 1,
        cors_origin: "*".to_owned(),
        cors_methods: None,
        cors_credentials: false,
    };
    let mut mode = None;
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} wants a value"));
        match flag.as_str() {
            "--websocket" => mode = Some(Mode::WebSocket),
            "--engineio" => mode = Some(Mode::EngineIo),
            "--socketio" => mode = Some(Mode::SocketIo),
            "--listen" => options.listen = parsed(&flag, &value()?, "ADDRESS:PORT")?,
            "--path" => options.path = Some(value()?),
            "--ping-interval-ms" => options.ping_interval = millis(&flag, &value()?)?,
            "--ping-timeout-ms" => options.ping_timeout = millis(&flag, &value()?)?,
            "--connect-timeout-ms" => options.connect_timeout = millis(&flag, &value()?)?,
            "--max-payload" => options.max_payload_bytes = parsed(&flag, &value()?, "bytes")?,
            "--shards" => options.shards = parsed(&flag, &value()?, "a number")?,
            "--cors-origin" => options.cors_origin = value()?,
            "--cors-methods" => options.cors_methods = Some(value()?),
            "--cors-credentials" => options.cors_credentials = true,
            unknown => return Err(format!("{unknown} is not known here")),
        }
    }
    let mode = mode.ok_or("say --websocket, --engineio or --socketio")?;
    Ok((mode, options))
}

fn parsed<T: std::str::FromStr>(flag: &str, value: &str, wanted: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} wants {wanted}"))
}

fn millis(flag: &str, value: &str) -> Result<Duration, String> {
    parsed(flag, value, "milliseconds").map(Duration::from_millis)
}
