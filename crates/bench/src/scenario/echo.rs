//! `echo`: every message goes back to its sender.

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure};
use crate::load::{Audience, Load, Stream};
use crate::pacer::Pace;
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
}

/// `--rate` (5,000) messages a second over `--clients` (200).
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(200);
    let rate = common.rate.unwrap_or(5_000.0);
    let window = common.seconds.unwrap_or(10.0);
    let mut bench = Bench::new("echo", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("messages_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let stream = Stream {
        name: "echo",
        senders: (0..clients).collect(),
        pace: Pace::PerSecond(rate),
        audience: Audience::Sender,
        payload_bytes: common.payload_bytes.unwrap_or(150),
    };
    let load = Load { duration: duration(window), streams: vec![stream], ..Load::default() };
    bench.warm_up(&load, common.warmup)?;
    let measured = bench.measure(load)?;
    let received = measured.outcome.stream("echo").counts.received;
    let report = &mut bench.report;
    report.metric_if("server_cpu_us_per_message", measured.cpu_us_per(received));
    report.run("", &measured.outcome);
    report.closures_are_faults(&measured.outcome);
    Ok(bench.report)
}
