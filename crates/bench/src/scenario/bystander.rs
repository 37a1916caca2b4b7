//! `bystander`: a few clients exchange echoes while thousands of others get broadcasts. A server
//! that writes a whole broadcast before it looks up again makes the few wait.

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
    /// Clients that exchange echoes.
    #[arg(long, default_value_t = 100)]
    pub echo_clients: usize,
    /// Echoes a second over all of them.
    #[arg(long, default_value_t = 500.0)]
    pub echo_rate: f64,
}

/// Echoes for `--seconds` (20) in quiet, then as long while `--clients` (18,000) others get
/// `--rate` (1) broadcasts a second.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let others = common.clients.unwrap_or(18_000);
    let rate = common.rate.unwrap_or(1.0);
    let window = common.seconds.unwrap_or(20.0);
    let payload_bytes = common.payload_bytes.unwrap_or(150);
    let echoing = options.echo_clients.max(1);
    // Those who echo have a thread of their own: what they wait for is the server, not our
    // reading for the others.
    let mut bench = Bench::new("bystander", common, Plan { express: echoing, ..Plan::default() })?;
    bench.report.setting("clients", figure(others));
    bench.report.setting("echo_clients", figure(echoing));
    bench.report.setting("echoes_per_second", options.echo_rate);
    bench.report.setting("broadcasts_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(echoing + others)?;
    let echo = Stream {
        name: "echo",
        senders: (0..echoing).collect(),
        pace: Pace::PerSecond(options.echo_rate),
        audience: Audience::Sender,
        payload_bytes,
    };
    let broadcast = Stream {
        name: "broadcast",
        senders: vec![echoing],
        pace: Pace::PerSecond(rate),
        audience: Audience::Everyone,
        payload_bytes,
    };
    let quiet = Load { duration: duration(window), streams: vec![echo.clone()], ..Load::default() };
    let loud = Load { streams: vec![echo, broadcast], ..quiet.clone() };
    bench.warm_up(&quiet, common.warmup)?;
    let quiet = bench.measure(quiet)?;
    bench.warm_up(&loud, common.warmup)?;
    let loud = bench.measure(loud)?;
    let p99 = |outcome: &crate::load::Outcome| outcome.stream("echo").latency.percentile_ms(99.0);
    let (quiet_p99, loud_p99) = (p99(&quiet.outcome), p99(&loud.outcome));
    let report = &mut bench.report;
    report.metric("quiet_echo_p99_ms", quiet_p99);
    report.metric("loud_echo_p99_ms", loud_p99);
    if quiet_p99 > 0.0 {
        report.metric("loud_to_quiet_ratio", loud_p99 / quiet_p99);
    }
    for (phase, measured) in [("quiet", &quiet), ("loud", &loud)] {
        report.run(phase, &measured.outcome);
        report.closures_are_faults(&measured.outcome);
    }
    Ok(bench.report)
}
