//! `/health` and `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use relay_gateway::GatewayStats;
use relay_hub::{EndReason, Instance, Stats};
use relay_server::{HttpRequest, HttpResponse, ServerStats};

/// What the routes read.
pub struct Sources {
    /// The display name.
    pub name: String,
    /// When the process started to serve.
    pub started: Instant,
    /// Bounds and memory.
    pub instance: Arc<Instance>,
    /// The server's counters.
    pub server: Arc<ServerStats>,
    /// One per shard.
    pub hubs: Vec<Arc<Stats>>,
    /// One per shard.
    pub gateways: Vec<Arc<GatewayStats>>,
}

impl Sources {
    /// Answers the program's own routes.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        let (content_type, body) = match request.path {
            "/health" => ("application/json", self.health()),
            "/metrics" => ("text/plain; version=0.0.4; charset=utf-8", self.metrics()),
            _ => return None,
        };
        Some(HttpResponse { status: 200, content_type, body })
    }

    fn connections(&self) -> u64 {
        self.gateways.iter().map(|it| it.connections.get()).sum()
    }

    fn health(&self) -> String {
        format!(
            r#"{{"status":"ok","instance":"{}","connections":{},"uptime":{:.3}}}"#,
            escape(&self.name),
            self.connections(),
            self.started.elapsed().as_secs_f64()
        )
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let sum = |read: fn(&Stats) -> u64| self.hubs.iter().map(|it| read(it)).sum::<u64>();
        one(&mut out, "relay_connections_total", "gauge", self.connections());
        head(&mut out, "relay_messages_total", "counter");
        let mut messages: BTreeMap<_, u64> = BTreeMap::new();
        let mut refusals: BTreeMap<_, u64> = BTreeMap::new();
        for gateway in &self.gateways {
            for it in gateway.messages() {
                *messages.entry((it.kind, it.destination)).or_default() += it.count;
            }
            for it in gateway.refusals() {
                *refusals.entry((it.event, it.code)).or_default() += it.count;
            }
        }
        for ((kind, destination), count) in messages {
            let kind = label(&kind);
            let _ = writeln!(
                out,
                "relay_messages_total{{type=\"{kind}\",destination=\"{destination}\"}} {count}"
            );
        }
        head(&mut out, "relay_refused_total", "counter");
        for ((event, code), count) in refusals {
            let _ =
                writeln!(out, "relay_refused_total{{event=\"{event}\",code=\"{code}\"}} {count}");
        }
        head(&mut out, "relay_ends_total", "counter");
        for reason in EndReason::ALL {
            let count: u64 = self.hubs.iter().map(|it| it.ends[reason.index()].get()).sum();
            let label = reason.end().label;
            let _ = writeln!(out, "relay_ends_total{{reason=\"{label}\"}} {count}");
        }
        for (name, kind, read) in HUB {
            one(&mut out, name, kind, sum(*read));
        }
        one(&mut out, "relay_memory_held_bytes", "gauge", self.instance.memory().used() as u64);
        one(&mut out, "relay_memory_held_max_bytes", "gauge", self.instance.memory().max() as u64);
        let server = &self.server;
        one(&mut out, "relay_tcp_open", "gauge", server.open.load(Ordering::Relaxed) as u64);
        one(&mut out, "relay_accept_errors_total", "counter", read(&server.accept_errors));
        one(&mut out, "relay_full_total", "counter", read(&server.full));
        one(&mut out, "relay_http_errors_total", "counter", read(&server.http_errors));
        head(&mut out, "relay_handshakes_refused_total", "counter");
        for (code, count) in server.refused.iter().enumerate() {
            let count = read(count);
            let _ = writeln!(out, "relay_handshakes_refused_total{{code=\"{code}\"}} {count}");
        }
        process(&mut out);
        out
    }
}

type HubMetric = (&'static str, &'static str, fn(&Stats) -> u64);

const HUB: &[HubMetric] = &[
    ("relay_engine_connections", "gauge", |it| it.connections.get()),
    ("relay_engine_connections_opened_total", "counter", |it| it.connections_opened.get()),
    ("relay_sockets", "gauge", |it| it.sockets.get()),
    ("relay_rooms", "gauge", |it| it.rooms.get()),
    ("relay_packets_received_total", "counter", |it| it.packets_received.get()),
    ("relay_received_bytes_total", "counter", |it| it.bytes_received.get()),
    ("relay_sent_bytes_total", "counter", |it| it.bytes_sent.get()),
    ("relay_events_total", "counter", |it| it.events.get()),
    ("relay_broadcasts_total", "counter", |it| it.broadcasts.get()),
    ("relay_deliveries_total", "counter", |it| it.deliveries.get()),
    ("relay_volatile_dropped_total", "counter", |it| it.volatile_dropped.get()),
    ("relay_encoded_too_large_total", "counter", |it| it.encoded_too_large.get()),
    ("relay_rooms_refused_total", "counter", |it| it.rooms_refused.get()),
    ("relay_acks_refused_total", "counter", |it| it.acks_refused.get()),
    ("relay_ack_answers_dropped_total", "counter", |it| it.ack_answers_dropped.get()),
    ("relay_senders_held_total", "counter", |it| it.senders_held.get()),
    ("relay_senders_held", "gauge", |it| it.senders_held_now.get()),
    ("relay_reads_held_total", "counter", |it| it.reads_held.get()),
    ("relay_panics_total", "counter", |it| it.panics.get()),
    ("relay_connects_refused_total", "counter", |it| it.connects_refused.get()),
];

fn read(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn head(out: &mut String, name: &str, kind: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}");
}

fn one(out: &mut String, name: &str, kind: &str, value: u64) {
    head(out, name, kind);
    let _ = writeln!(out, "{name} {value}");
}

/// The process's own figures, also under the two names that existing dashboards draw.
fn process(out: &mut String) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s, and 24, in pages of 4 KiB.
    let ticks = field(11) + field(12);
    let resident = field(21) * 4096;
    head(out, "process_cpu_seconds_total", "counter");
    let _ = writeln!(out, "process_cpu_seconds_total {}.{:02}", ticks / 100, ticks % 100);
    one(out, "process_resident_memory_bytes", "gauge", resident);
    // Field 22 counts ticks since the machine started.
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime: f64 =
        uptime.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let booted = now.map_or(0.0, |now| now.as_secs_f64()) - uptime;
    let since_boot = std::time::Duration::from_millis(field(19) * 10).as_secs_f64();
    head(out, "process_start_time_seconds", "gauge");
    let _ = writeln!(out, "process_start_time_seconds {:.2}", booted + since_boot);
    one(out, "process_virtual_memory_bytes", "gauge", field(20));
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count() as u64);
    one(out, "process_open_fds", "gauge", open);
    one(out, "nodejs_heap_size_total_bytes", "gauge", resident);
    one(out, "nodejs_eventloop_lag_seconds", "gauge", 0);
}

/// For a label's value: the three characters that the exposition format escapes.
fn label(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
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
