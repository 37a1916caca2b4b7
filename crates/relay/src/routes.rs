//! `/health`, `/live`, `/ready` and `/metrics`.
//!
//! `/live` says whether every shard runs: if not, the process is to be replaced. `/ready` says
//! whether new sessions are welcome: not while the server ends. `/health` is for people and for
//! what exists already: it is 200 as long as there is an answer at all, with some facts. What Redis
//! said is for whoever looks after the instance: it may name hosts and users.

use std::sync::Arc;
use std::time::Instant;

use relay_gateway::{Gateway, GatewayStats};
use relay_hub::{Instance, Stats};
use relay_redis::cluster::Classic;
use relay_redis::link::State;
use relay_server::{Handle, HttpRequest, HttpResponse, ServerStats, Watch};

use crate::log::Journal;
use crate::metrics;
use crate::process::Process;

/// Whom an answer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// Whoever reaches the public port.
    Anyone,
    /// Whoever reaches the port that is for looking after the instance.
    Operator,
}

/// What the routes read.
#[derive(Clone)]
pub(crate) struct Sources {
    /// The display name.
    pub(crate) name: String,
    /// Whether `/metrics` is answered.
    pub(crate) metrics: bool,
    /// When the process started to serve.
    pub(crate) started: Instant,
    /// The process itself.
    pub(crate) process: Process,
    /// Bounds and memory.
    pub(crate) instance: Arc<Instance>,
    /// How the server is.
    pub(crate) watch: Watch,
    /// A way to the shards.
    pub(crate) handle: Handle<Gateway>,
    /// The server's counters.
    pub(crate) server: Arc<ServerStats>,
    /// One per shard.
    pub(crate) hubs: Vec<Arc<Stats>>,
    /// One per shard.
    pub(crate) gateways: Vec<Arc<GatewayStats>>,
    /// What the instance logs to.
    pub(crate) journal: Option<Journal>,
    /// The cluster, if it is part of one.
    pub(crate) cluster: Option<Classic>,
}

impl Sources {
    /// Answers the program's own routes.
    #[must_use]
    pub(crate) fn answer(&self, request: &HttpRequest<'_>, reader: Reader) -> Option<HttpResponse> {
        match request.path {
            "/health" => Some(HttpResponse {
                status: 200,
                content_type: "application/json",
                body: self.health(reader),
            }),
            "/metrics" if self.metrics => Some(self.metrics()),
            "/live" => Some(plain(self.watch.is_live())),
            "/ready" => Some(plain(self.watch.is_ready())),
            _ => None,
        }
    }

    /// Sockets in `/relay`.
    pub(crate) fn connections(&self) -> u64 {
        self.gateways.iter().map(|it| it.connections.get()).sum()
    }

    fn health(&self, reader: Reader) -> String {
        let (status, redis) = redis(self.cluster.as_ref().map(Classic::state), reader);
        format!(
            r#"{{"status":"{status}","instance":"{}","connections":{},"uptime":{:.3}{redis}}}"#,
            escape(&self.name),
            self.connections(),
            self.started.elapsed().as_secs_f64()
        )
    }

    fn metrics(&self) -> HttpResponse {
        match metrics::text(self) {
            Ok(body) => HttpResponse { status: 200, content_type: metrics::CONTENT_TYPE, body },
            // A scraper takes a 500 for a target that is down: better than half of the truth.
            Err(error) => {
                HttpResponse { status: 500, content_type: "text/plain", body: error.to_string() }
            }
        }
    }
}

/// The status, and what there is to say of Redis. Without its cluster an instance goes on for its
/// own clients: that is no reason to replace it, but one to look.
fn redis(state: Option<State>, reader: Reader) -> (&'static str, String) {
    match state {
        None => ("ok", String::new()),
        Some(State::Up) => ("ok", r#","redis":{"state":"up"}"#.to_owned()),
        Some(State::Connecting) => ("degraded", r#","redis":{"state":"connecting"}"#.to_owned()),
        Some(State::Down { since, error }) => {
            let seconds = since.elapsed().as_secs_f64();
            let error = match reader {
                Reader::Anyone => String::new(),
                Reader::Operator => format!(r#","error":"{}""#, escape(&error)),
            };
            let down = r#","redis":{"state":"down","#;
            ("degraded", format!(r#"{down}"seconds":{seconds:.3}{error}}}"#))
        }
    }
}

/// An answer for machines that look at the status alone.
fn plain(is_so: bool) -> HttpResponse {
    let (status, body) = if is_so { (200, "ok\n") } else { (503, "no\n") };
    HttpResponse { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

/// For a JSON string: no quote, backslash or control character gets through.
fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use relay_redis::link::State;

    use super::{Reader, redis};

    #[test]
    fn what_redis_said_is_for_the_operator() {
        let down = || {
            let error = "ana@redis-1.internal: \"no\"\n".into();
            Some(State::Down { since: Instant::now(), error })
        };
        let (status, operator) = redis(down(), Reader::Operator);
        assert!(operator.ends_with(r#","error":"ana@redis-1.internal: \"no\" "}"#), "{operator}");
        let (public_status, public) = redis(down(), Reader::Anyone);
        assert_eq!([status, public_status], ["degraded"; 2]);
        let digits = |c: char| c.is_ascii_digit();
        assert_eq!(public.replace(digits, ""), r#","redis":{"state":"down","seconds":.}"#);
    }
}
