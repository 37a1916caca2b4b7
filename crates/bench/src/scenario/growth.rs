//! `growth`: whether a delivery costs more when there are more connections. The number of
//! deliveries a second stays the same.

use super::fanout;
use crate::args::Common;
use crate::bench::{Bench, Failure, figure};
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// Numbers of connections, ascending.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 6_000, 18_000])]
    pub sizes: Vec<usize>,
    /// Deliveries a second at each size.
    #[arg(long, default_value_t = 40_000.0)]
    pub deliveries: f64,
}

/// Broadcasts for `--seconds` (10) at each of the sizes.
///
/// # Errors
/// When the server cannot be reached or measured, or the sizes do not ascend.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let window = common.seconds.unwrap_or(10.0);
    if !options.sizes.is_sorted() || options.sizes.contains(&0) {
        return Err("--sizes must be positive and ascend".to_owned());
    }
    let mut bench = Bench::new("growth", common, Plan::default())?;
    bench.report.setting("deliveries_per_second", options.deliveries);
    bench.report.setting("seconds_per_size", window);
    let mut costs = Vec::new();
    for &size in &options.sizes {
        bench.connect(size)?;
        let rate = options.deliveries / figure(size);
        let load = fanout::load(1, rate, window, common.payload_bytes.unwrap_or(150));
        bench.warm_up(&load, common.warmup)?;
        let measured = bench.measure(load)?;
        costs.extend(measured.cpu_us_per(measured.outcome.stream("fanout").counts.received));
        fanout::report(&mut bench.report, &format!("at_{size}"), &measured);
    }
    if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
        bench.report.metric("cost_growth_ratio", last / first);
    }
    Ok(bench.report)
}
