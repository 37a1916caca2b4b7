//! `storm`: all clients lose their connections and return as fast as they can, as they do when a
//! proxy restarts or a network comes back.

use crate::args::Common;
use crate::bench::{Bench, Failure, cpu_us_per, figure, mib};
use crate::clock::seconds;
use crate::latency::Latency;
use crate::report::Report;
use crate::transport::Farewell;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How often all of them leave and return.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Clients that return at a time [default: all].
    #[arg(long)]
    pub at_once: Option<usize>,
}

/// Half of the clients are torn away, half say that they go.
const FAREWELLS: [Farewell; 2] = [Farewell::Abort, Farewell::Close];

/// After connecting and after a storm the server gets this long to finish, in seconds.
const REST_SECONDS: f64 = 1.0;

/// What the rounds add up to.
#[derive(Default)]
struct Sum {
    connect: Latency,
    absence: Latency,
    cpu: u64,
    back: u64,
    failures: u64,
    longest: u64,
    rss_peak: Option<u64>,
}

/// Storms of `--clients` (2,000): half of them abort their connections, half say goodbye; each
/// returns with a connection, the namespace and an acknowledged `identificar`.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(2_000);
    let at_once = options.at_once.unwrap_or(clients).max(1);
    let mut bench = Bench::new("storm", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("at_once", figure(at_once));
    bench.report.setting("rounds", f64::from(options.rounds));
    bench.connect(clients)?;
    bench.rest(REST_SECONDS)?;
    let rss_before = bench.rss_bytes()?;
    let mut sum = Sum { rss_peak: rss_before, ..Sum::default() };
    for round in 1..=options.rounds {
        storm(&mut bench, at_once, round, &mut sum)?;
    }
    let rss_after = bench.rss_bytes()?;
    let per_return = bench.server.as_ref().and_then(|_| cpu_us_per(sum.cpu, sum.back));
    let report = &mut bench.report;
    report.metric("longest_round_ms", seconds(sum.longest) * 1e3);
    #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
    report.metric("failed_attempts", sum.failures as f64);
    report.metric_if("server_cpu_us_per_return", per_return);
    report.metric_if("rss_before_mib", rss_before.map(mib));
    report.metric_if("rss_peak_mib", sum.rss_peak.map(mib));
    report.metric_if("rss_after_mib", rss_after.map(mib));
    report.latency("connect", &sum.connect);
    report.latency("absence", &sum.absence);
    Ok(bench.report)
}

/// One round.
fn storm(bench: &mut Bench, at_once: usize, round: u32, sum: &mut Sum) -> Result<(), Failure> {
    let before = bench.cpu()?;
    let (server, rss_peak) = (bench.server.clone(), &mut sum.rss_peak);
    let on_tick = || {
        let now = server.as_ref().and_then(|server| server.rss_bytes_roughly().ok());
        *rss_peak = (*rss_peak).max(now);
    };
    let outcome = bench.crew.storm(at_once, &FAREWELLS, on_tick).map_err(|e| e.to_string())?;
    bench.rest(REST_SECONDS)?;
    if let (Some(before), Some(after)) = (before, bench.cpu()?) {
        sum.cpu += after.since(&before);
    }
    sum.rss_peak = sum.rss_peak.max(bench.rss_bytes()?);
    let report = &mut bench.report;
    report.busy(outcome.cpu, outcome.took);
    if outcome.back < outcome.clients {
        let lost = outcome.clients - outcome.back;
        report.fault(format!("round {round}: {lost} of {} did not return", outcome.clients));
    }
    if let Some(why) = &outcome.first_failure {
        let failures = outcome.failures;
        report.note(format!("round {round}: {failures} attempts failed; the first: {why}"));
    }
    sum.longest = sum.longest.max(outcome.took);
    sum.failures += outcome.failures;
    sum.back += outcome.back as u64;
    sum.connect.merge(&outcome.connect);
    sum.absence.merge(&outcome.absence);
    Ok(())
}
