//! `flood`: one sender broadcasts as fast as its socket takes it. A server that holds it back
//! keeps its memory, its honest receivers, and the latency of another sender's messages.

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure, mib};
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

/// The flooder sends messages of `--payload-bytes` (1,024) to `--clients` (1,000) for
/// `--seconds` (15), and another client `--rate` (1) messages a second.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(1_000).max(2);
    let window = common.seconds.unwrap_or(15.0);
    let rate = common.rate.unwrap_or(1.0);
    let payload_bytes = common.payload_bytes.unwrap_or(1_024);
    // The other sender has a thread of its own; the flooder must not, it would never sleep.
    let mut bench = Bench::new("flood", common, Plan { express: 1, ..Plan::default() })?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("payload_bytes", figure(payload_bytes));
    bench.report.setting("other_messages_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let other = Stream {
        name: "other",
        senders: vec![0],
        pace: Pace::PerSecond(rate),
        audience: Audience::Everyone,
        payload_bytes: 150,
    };
    let flood = Stream {
        name: "flood",
        senders: vec![1],
        pace: Pace::FullSpeed,
        audience: Audience::Everyone,
        payload_bytes,
    };
    let quiet =
        Load { duration: duration(window), streams: vec![other.clone()], ..Load::default() };
    bench.warm_up(&quiet, common.warmup)?;
    let loud = Load { streams: vec![other, flood], ..quiet.clone() };
    let quiet = bench.measure(quiet)?;
    let loud = bench.measure(loud)?;
    let stream = loud.outcome.stream("flood");
    let report = &mut bench.report;
    #[expect(clippy::cast_precision_loss, reason = "printed figures")]
    {
        report.metric("flooder_mib_per_second", mib(stream.bytes_written) / window);
        report.metric("flooder_messages_per_second", stream.sent as f64 / window);
    }
    report.metric("receivers_closed", figure(loud.outcome.closures.len()));
    report.metric_if("server_cpu_us_per_delivery", loud.cpu_us_per(stream.counts.received));
    report.metric_if("rss_before_mib", loud.rss_before.map(mib));
    report.metric_if("rss_peak_mib", loud.rss_peak.map(mib));
    report.metric_if("rss_after_mib", loud.rss_after.map(mib));
    report.run("quiet", &quiet.outcome);
    report.run("loud", &loud.outcome);
    report.closures_are_faults(&loud.outcome);
    Ok(bench.report)
}
