//! What a scenario found, as a table for people and as JSON for programs.
//!
//! A run whose generator fell behind has measured the generator: the report says so first.

use crate::clock::Nanos;
use crate::latency::{Latency, Summary};
use crate::ledger::Counts;
use crate::load::Outcome;
use crate::transport::Transport;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Beyond this p99 of the schedule slip, in milliseconds, the generator has fallen behind.
pub const SLIP_P99_MS_MAX: f64 = 5.0;

/// Beyond this share of a core, the generator has fallen behind.
pub const BUSY_MAX: f64 = 0.95;

/// The findings of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Report {
    scenario: &'static str,
    url: String,
    transport: Transport,
    settings: Vec<(&'static str, f64)>,
    metrics: Vec<(String, f64)>,
    latencies: Vec<(String, Summary)>,
    counts: Vec<(String, Counts)>,
    notes: Vec<String>,
    faults: Vec<String>,
    slip: Latency,
    busy: f64,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(scenario: &'static str, url: &str, transport: Transport) -> Self {
        Self { scenario, url: url.to_owned(), transport, ..Self::default() }
    }

    /// What the scenario was asked to do.
    pub fn setting(&mut self, name: &'static str, value: f64) {
        self.settings.push((name, value));
    }

    /// A figure; its unit is the end of its name.
    pub fn metric(&mut self, name: impl Into<String>, value: f64) {
        self.metrics.push((name.into(), value));
    }

    /// A figure that only a known process has.
    pub fn metric_if(&mut self, name: impl Into<String>, value: Option<f64>) {
        if let Some(value) = value {
            self.metric(name, value);
        }
    }

    /// A distribution of durations.
    pub fn latency(&mut self, name: impl Into<String>, latency: &Latency) {
        self.latencies.push((name.into(), latency.summary()));
    }

    /// Something worth knowing that is no figure.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something that must not happen; it makes the exit code 1.
    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Adds the streams of a run: counts, faults in them, latencies, and the generator's health.
    /// `phase` tells several runs of a scenario apart; it may be empty.
    pub fn run(&mut self, phase: &str, outcome: &Outcome) {
        for stream in &outcome.streams {
            let name = join(phase, stream.name);
            self.latency(&name, &stream.latency);
            self.counts.push((name.clone(), stream.counts));
            if !stream.counts.is_faultless() {
                self.fault(format!("{name}: {}", describe(&stream.counts)));
            }
            if stream.unsent > 0 {
                self.note(format!("{name}: {} messages could not be sent", stream.unsent));
            }
        }
        self.generator(outcome);
        if outcome.cut_short {
            self.note(
                "deliveries were still coming a minute after the last message: they are lost",
            );
        }
        if outcome.unstamped > 0 {
            self.note(format!("{} events had no stamp of ours", outcome.unstamped));
        }
    }

    /// Adds only what a run tells about the generator.
    pub fn generator(&mut self, outcome: &Outcome) {
        for stream in &outcome.streams {
            self.slip.merge(&stream.slip);
        }
        self.busy = self.busy.max(outcome.busy);
    }

    /// Adds what a piece of work tells about the generator: CPU time of the busiest thread, and
    /// the time that passed.
    #[expect(clippy::cast_precision_loss, reason = "a share is printed")]
    pub fn busy(&mut self, cpu: Nanos, took: Nanos) {
        self.busy = self.busy.max(cpu as f64 / took.max(1) as f64);
    }

    /// Makes every ended connection of a run a fault.
    pub fn closures_are_faults(&mut self, outcome: &Outcome) {
        if let Some(first) = outcome.closures.first() {
            let count = outcome.closures.len();
            self.fault(format!("{count} connections ended; the first: {}", first.why));
        }
    }

    /// Whether the generator could not keep its schedule.
    #[must_use]
    pub fn generator_fell_behind(&self) -> bool {
        self.slip.percentile_ms(99.0) > SLIP_P99_MS_MAX || self.busy >= BUSY_MAX
    }

    /// Whether nothing happened that must not.
    #[must_use]
    pub fn is_faultless(&self) -> bool {
        self.faults.is_empty()
    }

    /// A figure by its name.
    #[must_use]
    pub fn find_metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// The deliveries of a stream by its name.
    #[must_use]
    pub fn find_counts(&self, name: &str) -> Option<Counts> {
        self.counts.iter().find(|(n, _)| n == name).map(|(_, counts)| *counts)
    }

    /// The report for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let figures = |list: &[(String, f64)]| -> Map<String, Value> {
            list.iter().map(|(name, value)| (name.clone(), json!(round(*value)))).collect()
        };
        let latencies: Map<String, Value> =
            self.latencies.iter().map(|(name, s)| (name.clone(), latency_json(s))).collect();
        let counts: Map<String, Value> =
            self.counts.iter().map(|(name, c)| (name.clone(), counts_json(c))).collect();
        let settings: Map<String, Value> =
            self.settings.iter().map(|(name, v)| ((*name).to_owned(), json!(v))).collect();
        json!({
            "scenario": self.scenario,
            "url": self.url,
            "transport": self.transport.name(),
            "settings": settings,
            "metrics": figures(&self.metrics),
            "latency": latencies,
            "counts": counts,
            "notes": self.notes,
            "faults": self.faults,
            "generator_fell_behind": self.generator_fell_behind(),
            "generator": {
                "slip": latency_json(&self.slip.summary()),
                "busiest_thread_cores": round(self.busy),
            },
        })
    }

    /// The report for people.
    #[must_use]
    pub fn to_table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} {} ({})", self.scenario, self.url, self.transport.name());
        if self.generator_fell_behind() {
            let _ = writeln!(
                out,
                "!! THE GENERATOR FELL BEHIND: these figures measure it, not the server !!"
            );
        }
        for (name, value) in &self.settings {
            let _ = writeln!(out, "  {name:<44} {value:>14}");
        }
        for (name, value) in &self.metrics {
            let _ = writeln!(out, "  {name:<44} {:>14}", decimal(*value));
        }
        if !self.latencies.is_empty() {
            let _ = writeln!(
                out,
                "  {:<28}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
                "latency, ms", "count", "p50", "p90", "p99", "p99.9", "max"
            );
        }
        let slip = ("schedule slip".to_owned(), self.slip.summary());
        for (name, s) in self.latencies.iter().chain((slip.1.count > 0).then_some(&slip)) {
            let _ = writeln!(
                out,
                "  {name:<28}{:>10}{:>10.3}{:>10.3}{:>10.3}{:>10.3}{:>10.3}",
                s.count, s.p50_ms, s.p90_ms, s.p99_ms, s.p999_ms, s.max_ms
            );
        }
        for (name, counts) in &self.counts {
            let _ = writeln!(out, "  {name}: {}", describe(counts));
        }
        let _ = writeln!(out, "  generator: busiest thread {:.0} % of a core", self.busy * 100.0);
        for note in &self.notes {
            let _ = writeln!(out, "  note: {note}");
        }
        for fault in &self.faults {
            let _ = writeln!(out, "  FAULT: {fault}");
        }
        out
    }
}

/// `phase` and `name` as one name.
fn join(phase: &str, name: &str) -> String {
    if phase.is_empty() { name.to_owned() } else { format!("{phase}_{name}") }
}

fn describe(counts: &Counts) -> String {
    let Counts { expected, received, lost, duplicated, out_of_order, stray } = counts;
    format!(
        "{received} of {expected} delivered, {lost} lost, {duplicated} twice, \
         {out_of_order} out of order, {stray} to strangers"
    )
}

fn counts_json(counts: &Counts) -> Value {
    json!({
        "expected": counts.expected,
        "received": counts.received,
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "out_of_order": counts.out_of_order,
        "stray": counts.stray,
    })
}

fn latency_json(summary: &Summary) -> Value {
    json!({
        "count": summary.count,
        "p50_ms": round(summary.p50_ms),
        "p90_ms": round(summary.p90_ms),
        "p99_ms": round(summary.p99_ms),
        "p999_ms": round(summary.p999_ms),
        "max_ms": round(summary.max_ms),
    })
}

/// Six decimals: more are noise.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn decimal(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;
    use crate::load::StreamOutcome;

    fn outcome(counts: Counts, slip_ms: u64, busy: f64) -> Outcome {
        let mut stream = StreamOutcome { name: "echo", counts, ..StreamOutcome::default() };
        stream.slip.record(slip_ms * MILLISECOND);
        stream.latency.record(2 * MILLISECOND);
        Outcome { streams: vec![stream], busy, ..Outcome::default() }
    }

    fn check(counts: Counts, slip_ms: u64, busy: f64, faultless: bool, behind: bool) {
        let mut report = Report::new("echo", "ws://x", Transport::Websocket);
        report.run("", &outcome(counts, slip_ms, busy));
        assert_eq!(report.is_faultless(), faultless);
        assert_eq!(report.generator_fell_behind(), behind);
        assert_eq!(report.to_json()["generator_fell_behind"], json!(behind));
        assert_eq!(report.to_table().contains("FELL BEHIND"), behind);
        assert_eq!(report.to_table().contains("FAULT"), !faultless);
    }

    #[test]
    fn verdicts() {
        let good = Counts { expected: 1, received: 1, ..Counts::default() };
        check(good, 1, 0.5, true, false);
        check(good, 6, 0.5, true, true);
        check(good, 1, 0.95, true, true);
        check(Counts { lost: 1, ..good }, 1, 0.5, false, false);
        check(Counts { duplicated: 1, ..good }, 1, 0.5, false, false);
        check(Counts { out_of_order: 1, ..good }, 1, 0.5, false, false);
        check(Counts { stray: 1, ..good }, 1, 0.5, false, false);
    }

    #[test]
    fn json_names() {
        let mut report = Report::new("echo", "ws://x", Transport::Websocket);
        report.metric("server_cpu_us_per_message", 1.25);
        report.metric_if("server_rss_bytes", None);
        report.run("quiet", &outcome(Counts::default(), 1, 0.1));
        let json = report.to_json();
        assert_eq!(json["metrics"], json!({ "server_cpu_us_per_message": 1.25 }));
        assert_eq!(json["latency"]["quiet_echo"]["count"], json!(1));
        assert_eq!(json["counts"]["quiet_echo"]["lost"], json!(0));
    }
}
