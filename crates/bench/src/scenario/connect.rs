//! `connect`: what a new connection costs and how long it takes, from the first SYN to the
//! answer to CONNECT.

use crate::args::Common;
use crate::bench::{Bench, Failure, cpu_us_per, figure};
use crate::clock::seconds;
use crate::latency::Latency;
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How often all clients connect anew.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
}

/// After connecting and after closing the server gets this long to finish, in seconds.
const REST_SECONDS: f64 = 0.5;

/// Connects `--clients` (2,000) in each of several rounds.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(2_000);
    let mut bench = Bench::new("connect", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("rounds", f64::from(options.rounds));
    let (mut upgrade, mut join) = (Latency::new(), Latency::new());
    let (mut took, mut cpu, mut joined) = (0, 0, 0);
    for _ in 0..options.rounds {
        let before = bench.cpu()?;
        let outcome = bench.connect(clients)?;
        bench.rest(REST_SECONDS)?;
        if let (Some(before), Some(after)) = (before, bench.cpu()?) {
            cpu += after.since(&before);
        }
        bench.report.busy(outcome.cpu, outcome.took);
        upgrade.merge(&outcome.upgrade);
        join.merge(&outcome.join);
        took += outcome.took;
        joined += outcome.joined as u64;
        bench.crew.hang_up().map_err(|e| e.to_string())?;
        std::thread::sleep(crate::bench::duration(REST_SECONDS));
    }
    let per_connection = bench.server.as_ref().and_then(|_| cpu_us_per(cpu, joined));
    let report = &mut bench.report;
    report.metric_if("server_cpu_us_per_connection", per_connection);
    report.metric(
        "connections_per_second",
        figure(clients) * f64::from(options.rounds) / seconds(took.max(1)),
    );
    report.latency("upgrade", &upgrade);
    report.latency("join", &join);
    Ok(bench.report)
}
