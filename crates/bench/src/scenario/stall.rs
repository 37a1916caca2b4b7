//! `stall`: the server is stopped (SIGSTOP) and continued, as a paused virtual machine is. What
//! its kernel received meanwhile tells it that the clients are alive.

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure};
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How long the server is stopped, in seconds; beyond pingInterval + pingTimeout a server
    /// that judges its deadlines first loses everybody.
    #[arg(long, default_value_t = 50.0)]
    pub stall_seconds: f64,
}

/// Connects `--clients` (1,000), stops the server, continues it, and counts who is left after
/// another `--seconds` (10). The clients go on to answer heartbeats all the time.
///
/// # Errors
/// When the server cannot be reached, or its process id was not given.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(1_000);
    let after_seconds = common.seconds.unwrap_or(10.0);
    let mut bench = Bench::new("stall", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("stall_seconds", options.stall_seconds);
    let Some(server) = bench.server.clone() else {
        return Err("the scenario needs --pid: it stops that process".to_owned());
    };
    bench.connect(clients)?;
    bench.rest(common.warmup)?;
    let stopped = server.stop().map_err(|e| format!("cannot stop the server: {e}"))?;
    bench.rest(options.stall_seconds)?;
    drop(stopped);
    let load = crate::load::Load { duration: duration(after_seconds), ..Default::default() };
    let after = bench.measure(load)?;
    let report = &mut bench.report;
    report.metric("connected_after", figure(after.outcome.connected));
    report.metric("lost_connections", figure(clients.saturating_sub(after.outcome.connected)));
    report.closures_are_faults(&after.outcome);
    report.generator(&after.outcome);
    Ok(bench.report)
}
