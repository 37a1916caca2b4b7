//! The command line: every option with its unit and default in one place.

use crate::scenario;
use crate::transport::Transport;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Loads a Socket.IO server over WebSocket or long-polling and reports latency, losses and what it
/// cost.
///
/// Messages are sent on a fixed schedule and their latency counts from the scheduled time, so
/// that a server which falls behind cannot slow its own measurement down.
#[derive(Debug, Parser)]
#[command(name = "relay-bench", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios, and the floor to compare with.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Cost and latency of new connections.
    Connect(scenario::connect::Options),
    /// Memory of connections that do nothing, and the cost of their heartbeats.
    Idle(scenario::idle::Options),
    /// Messages that go back to their sender.
    Echo(scenario::echo::Options),
    /// Messages of one or a few senders to everybody.
    Fanout(scenario::fanout::Options),
    /// Messages to the members of a room.
    Rooms(scenario::rooms::Options),
    /// What receivers that read nothing do to the others.
    Slow(scenario::slow::Options),
    /// What a broadcast to thousands does to the echoes of a few.
    Bystander(scenario::bystander::Options),
    /// Whether all receivers see the broadcasts of several senders in the same order.
    Order(scenario::order::Options),
    /// Cost per delivery at growing numbers of connections.
    Growth(scenario::growth::Options),
    /// One sender at full speed to everybody.
    Flood(scenario::flood::Options),
    /// Which connections survive when the server is stopped and continued.
    Stall(scenario::stall::Options),
    /// How fast all clients return that have lost their connections at once.
    Storm(scenario::storm::Options),
    /// Whether anything is left of clients that come and go.
    Churn(scenario::churn::Options),
    /// Serve as the floor: a bare epoll server that does as little as possible.
    Floor(crate::floor::Options),
}

/// What all scenarios have in common.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The server, as ws://host:port.
    #[arg(long, default_value = "ws://127.0.0.1:5000")]
    pub url: String,
    /// A further instance of the same cluster; may be repeated. Client i talks to instance i modulo
    /// their number.
    #[arg(long = "peer")]
    pub peers: Vec<String>,
    /// How the clients reach it.
    #[arg(long, value_enum, default_value_t)]
    pub transport: Transport,
    /// Path of the Engine.IO endpoint.
    #[arg(long, default_value = "/socket.io/")]
    pub path: String,
    /// Namespace to join.
    #[arg(long, default_value = "/relay")]
    pub namespace: String,
    /// Event to send.
    #[arg(long, default_value = "relay")]
    pub event: String,
    /// JSON object to send with the event; "$destino" becomes yo, nosotros or room, and "$room"
    /// the room's name. The members seq, from, t and pad are added.
    #[arg(long, default_value = r#"{"destino":"$destino"}"#)]
    pub template: String,
    /// JSON object to send with the CONNECT packet (the client library's auth).
    #[arg(long, default_value = "")]
    pub auth: String,
    /// A further header of every request, as "Name: value"; may be repeated.
    #[arg(long = "header")]
    pub headers: Vec<String>,
    /// Number of clients [default: depends on the scenario].
    #[arg(long)]
    pub clients: Option<usize>,
    /// Messages sent a second, over all senders [default: depends on the scenario].
    #[arg(long)]
    pub rate: Option<f64>,
    /// Measured time in seconds [default: depends on the scenario].
    #[arg(long)]
    pub seconds: Option<f64>,
    /// The same load before the measurement, in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
    /// Bytes of a message, padding included [default: depends on the scenario].
    #[arg(long)]
    pub payload_bytes: Option<usize>,
    /// New connections a second.
    #[arg(long, default_value_t = 2000.0)]
    pub connect_rate: f64,
    /// Loopback addresses to connect from: one has some 28,000 ports.
    #[arg(long, default_value_t = 1)]
    pub source_addresses: u8,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Process id of the server, to measure its CPU time and memory; may be repeated.
    #[arg(long = "pid")]
    pub pids: Vec<u32>,
    /// Write the report as JSON to this file; "-" is the standard output, without the table.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Common {
    /// Checks what the parser cannot.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn validate(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| match value {
            v if v.is_finite() && v > 0.0 => Ok(()),
            _ => Err(format!("--{name} must be a positive number")),
        };
        positive("connect-rate", self.connect_rate)?;
        positive("rate", self.rate.unwrap_or(1.0))?;
        positive("seconds", self.seconds.unwrap_or(1.0))?;
        if !self.warmup.is_finite() || self.warmup < 0.0 {
            return Err("--warmup must not be negative".to_owned());
        }
        if self.threads == 0 || self.clients == Some(0) {
            return Err("--threads and --clients must not be 0".to_owned());
        }
        Ok(())
    }

    /// For scenarios that make no sense over polling, for the reason `why`.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn refuse_polling(&self, why: &str) -> Result<(), String> {
        match self.transport {
            Transport::Polling => Err(format!("not with --transport polling: {why}")),
            Transport::Websocket | Transport::Upgrade => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn echo(arguments: &[&str]) -> Result<Common, String> {
        let all = ["relay-bench", "echo"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).map_err(|e| e.to_string())?;
        let Command::Echo(options) = cli.command else { return Err("not echo".to_owned()) };
        options.common.validate()?;
        Ok(options.common)
    }

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let common = echo(&[]).unwrap();
        assert_eq!(common.url, "ws://127.0.0.1:5000");
        assert_eq!((common.clients, common.rate, common.threads), (None, None, 1));
        assert_eq!(common.template, r#"{"destino":"$destino"}"#);
    }

    #[test]
    fn values() {
        let common =
            echo(&["--clients", "7", "--rate", "2.5", "--pid", "1", "--pid", "2"]).unwrap();
        assert_eq!((common.clients, common.rate), (Some(7), Some(2.5)));
        assert_eq!(common.pids, [1, 2]);
        let polling = echo(&["--transport", "polling"]).unwrap();
        assert!(polling.refuse_polling("why").is_err());
        assert!(common.refuse_polling("why").is_ok());
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            ["--rate", "0"],
            ["--rate", "-1"],
            ["--rate", "NaN"],
            ["--rate", "fast"],
            ["--clients", "0"],
            ["--threads", "0"],
            ["--seconds", "0"],
            ["--warmup", "-1"],
            ["--source-addresses", "300"],
            ["--transport", "pigeon"],
            ["--unknown", "1"],
        ] {
            assert!(echo(&arguments).is_err(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["relay-bench", "nothing"]).is_err());
    }
}
