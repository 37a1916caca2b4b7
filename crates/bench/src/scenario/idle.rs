//! `idle`: memory of connections that do nothing, and the cost of keeping them.

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure, mib};
use crate::clock::seconds;
use crate::load::Load;
use crate::report::Report;
use crate::transport::{Plan, Transport};
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
}

/// After connecting the server gets this long to finish and to give memory back, in seconds.
const REST_SECONDS: f64 = 1.0;

/// The same with clients that poll: a server closes what was kept alive for another POST (Node
/// after 5 s), and such a connection is no part of an idle session.
const POLLING_REST_SECONDS: f64 = 8.0;

/// Holds `--clients` (10,000) connections for `--seconds` (10); with more than a few ping
/// intervals the CPU figure is that of the heartbeats.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(10_000);
    let window = common.seconds.unwrap_or(10.0);
    let mut bench = Bench::new("idle", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("seconds", window);
    let before = bench.rss_bytes()?;
    bench.connect(clients)?;
    let has_polled = common.transport != Transport::Websocket;
    bench.rest(if has_polled { POLLING_REST_SECONDS } else { REST_SECONDS })?;
    let measured = bench.measure(Load { duration: duration(window), ..Load::default() })?;
    let report = &mut bench.report;
    if let (Some(before), Some(after)) = (before, measured.rss_before) {
        report.metric("rss_before_mib", mib(before));
        report.metric("rss_with_clients_mib", mib(after));
        report.metric(
            "rss_kib_per_connection",
            mib(after.saturating_sub(before)) * 1024.0 / figure(clients),
        );
    }
    report.metric_if("rss_peak_mib", measured.rss_peak.map(mib));
    report.metric_if("rss_after_mib", measured.rss_after.map(mib));
    if let Some(cpu) = measured.cpu {
        report.metric("server_cpu_ms_per_second", seconds(cpu) * 1e3 / window);
        report.metric(
            "server_cpu_us_per_connection_second",
            seconds(cpu) * 1e6 / window / figure(clients),
        );
    }
    report.generator(&measured.outcome);
    report.closures_are_faults(&measured.outcome);
    Ok(bench.report)
}
