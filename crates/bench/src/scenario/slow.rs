//! `slow`: some receivers stop reading while the server sends much; the others must not notice,
//! and the server must end the slow ones instead of keeping everything for them.

use super::fanout;
use crate::args::Common;
use crate::bench::{Bench, Failure, Measured, duration, figure, mib};
use crate::clock::seconds;
use crate::load::Deaf;
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// Receivers that stop doing anything.
    #[arg(long, default_value_t = 2)]
    pub silent: usize,
    /// Receivers that stop reading but go on to send pongs.
    #[arg(long, default_value_t = 2)]
    pub ponging: usize,
    /// Seconds between two unasked pongs.
    #[arg(long, default_value_t = 3.0)]
    pub pong_seconds: f64,
}

/// Broadcasts of `--payload-bytes` (10,000), `--rate` (100) a second, to `--clients` (200), the
/// slow ones among them: `--seconds` (20) with all reading, then as long with the slow ones deaf,
/// then a look at what is left.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    common.refuse_polling("a receiver that does not read is one that does not poll")?;
    let clients = common.clients.unwrap_or(200);
    let slow = options.silent + options.ponging;
    if slow + 1 >= clients {
        return Err("there must be more clients than slow ones".to_owned());
    }
    let rate = common.rate.unwrap_or(100.0);
    let window = common.seconds.unwrap_or(20.0);
    let payload_bytes = common.payload_bytes.unwrap_or(10_000);
    let mut bench = Bench::new("slow", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("slow_clients", figure(slow));
    bench.report.setting("broadcasts_per_second", rate);
    bench.report.setting("payload_bytes", figure(payload_bytes));
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let load = fanout::load(1, rate, window, payload_bytes);
    bench.warm_up(&load, common.warmup)?;
    let before = bench.measure(load.clone())?;
    // The slow ones have the highest numbers; client 0 sends.
    let first = clients - slow;
    let deaf = Deaf {
        silent: first..first + options.silent,
        ponging: first + options.silent..clients,
        pong_interval: duration(options.pong_seconds),
    };
    let mut slow_load = load.clone();
    slow_load.deaf = deaf.clone();
    let during = bench.measure(slow_load)?;
    let mut short = load;
    short.duration = duration(1.0);
    let after = bench.measure(short)?;
    report_memory(&mut bench.report, &before, &during, &after);
    report_closures(&mut bench.report, &deaf, &during, &after);
    bench.report.run("before", &before.outcome);
    bench.report.run("during", &during.outcome);
    bench.report.closures_are_faults(&before.outcome);
    Ok(bench.report)
}

fn report_memory(report: &mut Report, before: &Measured, during: &Measured, after: &Measured) {
    report.metric_if("rss_before_mib", before.rss_after.map(mib));
    report.metric_if("rss_peak_mib", during.rss_peak.map(mib));
    report.metric_if("rss_after_mib", after.rss_after.map(mib));
    let deliveries = |m: &Measured| m.outcome.stream("fanout").counts.received;
    report.metric_if("before_server_cpu_us_per_delivery", before.cpu_us_per(deliveries(before)));
    report.metric_if("during_server_cpu_us_per_delivery", during.cpu_us_per(deliveries(during)));
}

/// Says what became of each slow receiver, and makes the end of any other a fault.
fn report_closures(report: &mut Report, deaf: &Deaf, during: &Measured, after: &Measured) {
    let numbered = deaf.silent.clone().zip(std::iter::repeat("silent"));
    for (number, kind) in numbered.chain(deaf.ponging.clone().zip(std::iter::repeat("ponging"))) {
        let closed = |m: &Measured| m.outcome.closures.iter().find(|c| c.client == number).cloned();
        if let Some(closure) = closed(during) {
            report.metric(format!("closed_{kind}_{number}_seconds"), seconds(closure.after));
        } else if closed(after).is_some() {
            report.note(format!("{kind} {number}: found closed when it read again"));
        } else {
            report.note(format!("{kind} {number}: never closed"));
        }
    }
    let closures = during.outcome.closures.iter().chain(&after.outcome.closures);
    for closure in closures.filter(|closure| !deaf.contains(closure.client)) {
        report.fault(format!("client {} reads, but: {}", closure.client, closure.why));
    }
}
