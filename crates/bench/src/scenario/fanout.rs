//! `fanout`: one or a few senders, everybody receives.

use crate::args::Common;
use crate::bench::{Bench, Failure, Measured, duration, figure, mib};
use crate::clock::seconds;
use crate::load::{Audience, Load, Stream};
use crate::pacer::Pace;
use crate::report::Report;
use crate::transport::{Plan, Transport};
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How many of the clients send.
    #[arg(long, default_value_t = 1)]
    pub senders: usize,
    /// Transport of the clients that send, if it is another one.
    #[arg(long, value_enum)]
    pub sender_transport: Option<Transport>,
}

/// A load of `rate` broadcasts a second by the first `senders` clients.
pub(crate) fn load(senders: usize, rate: f64, window: f64, payload_bytes: usize) -> Load {
    let stream = Stream {
        name: "fanout",
        senders: (0..senders).collect(),
        pace: Pace::PerSecond(rate),
        audience: Audience::Everyone,
        payload_bytes,
    };
    Load { duration: duration(window), streams: vec![stream], ..Load::default() }
}

/// Reports a measured broadcast load; `phase` as in [`Report::run`].
pub(crate) fn report(report: &mut Report, phase: &str, measured: &Measured) {
    let prefix = if phase.is_empty() { String::new() } else { format!("{phase}_") };
    let received = measured.outcome.stream("fanout").counts.received;
    report.metric_if(format!("{prefix}server_cpu_us_per_delivery"), measured.cpu_us_per(received));
    let took = seconds(measured.outcome.last_delivery.max(1));
    #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
    report.metric(format!("{prefix}deliveries_per_second"), received as f64 / took);
    report.metric_if(format!("{prefix}server_rss_peak_mib"), measured.rss_peak.map(mib));
    report.run(phase, &measured.outcome);
    report.closures_are_faults(&measured.outcome);
}

/// `--rate` (40) broadcasts a second to `--clients` (1,000).
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(1_000);
    let rate = common.rate.unwrap_or(40.0);
    let window = common.seconds.unwrap_or(10.0);
    let senders = options.senders.clamp(1, clients);
    let apart = options.sender_transport.map(|transport| (senders, transport));
    let mut bench = Bench::new("fanout", common, Plan { apart, ..Plan::default() })?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("senders", figure(senders));
    bench.report.setting("broadcasts_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let load = load(senders, rate, window, common.payload_bytes.unwrap_or(150));
    bench.warm_up(&load, common.warmup)?;
    let measured = bench.measure(load)?;
    report(&mut bench.report, "", &measured);
    Ok(bench.report)
}
