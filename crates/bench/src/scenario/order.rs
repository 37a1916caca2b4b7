//! `order`: several senders on different connections broadcast at the same instants; all
//! receivers must see one and the same sequence.

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure};
use crate::load::{Audience, Load, Sequence, Stream};
use crate::pacer::Pace;
use crate::report::Report;
use crate::transport::Plan;
use clap::Args;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How many of the clients send.
    #[arg(long, default_value_t = 8)]
    pub senders: usize,
}

/// `--rate` (800) broadcasts a second by the senders together, to `--clients` (64).
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let common = &options.common;
    let clients = common.clients.unwrap_or(64);
    let senders = options.senders.clamp(1, clients);
    let rate = common.rate.unwrap_or(800.0);
    let window = common.seconds.unwrap_or(10.0);
    let mut bench = Bench::new("order", common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("senders", figure(senders));
    bench.report.setting("broadcasts_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let stream = Stream {
        name: "order",
        senders: (0..senders).collect(),
        pace: Pace::Together(rate),
        audience: Audience::Everyone,
        payload_bytes: common.payload_bytes.unwrap_or(150),
    };
    let load = Load {
        duration: duration(window),
        streams: vec![stream],
        record_order: true,
        ..Load::default()
    };
    bench.warm_up(&load, common.warmup)?;
    let measured = bench.measure(load)?;
    let orders = distinct(&measured.outcome.sequences);
    let report = &mut bench.report;
    report.metric("distinct_sequences", figure(orders.len()));
    if let Some(difference) = first_difference(&orders) {
        report.fault(difference);
    }
    report.run("", &measured.outcome);
    report.closures_are_faults(&measured.outcome);
    Ok(bench.report)
}

/// One receiver of each different sequence.
fn distinct(sequences: &[Sequence]) -> Vec<&Sequence> {
    let mut by_hash: BTreeMap<u64, &Sequence> = BTreeMap::new();
    for sequence in sequences {
        let mut hasher = DefaultHasher::new();
        sequence.messages.hash(&mut hasher);
        by_hash.entry(hasher.finish()).or_insert(sequence);
    }
    let mut distinct: Vec<_> = by_hash.into_values().collect();
    distinct.sort_by_key(|sequence| sequence.client);
    distinct
}

/// Where the second of the sequences leaves the first.
fn first_difference(distinct: &[&Sequence]) -> Option<String> {
    let [one, other, ..] = distinct else { return None };
    let at = one.messages.iter().zip(&other.messages).take_while(|(a, b)| a == b).count();
    let message = |sequence: &Sequence| match sequence.messages.get(at) {
        Some((sender, seq)) => format!("message {seq} of sender {sender}"),
        None => "nothing more".to_owned(),
    };
    Some(format!(
        "the receivers saw {} different sequences; at position {at} client {} saw {}, client {} {}",
        distinct.len(),
        one.client,
        message(one),
        other.client,
        message(other)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequences: &[&[(u32, u32)]], count: usize, difference: Option<&str>) {
        let sequences: Vec<Sequence> = sequences
            .iter()
            .enumerate()
            .map(|(client, messages)| Sequence { client, messages: messages.to_vec() })
            .collect();
        let orders = distinct(&sequences);
        assert_eq!(orders.len(), count);
        let found = first_difference(&orders);
        match difference {
            Some(part) => assert!(found.as_ref().is_some_and(|f| f.contains(part)), "{found:?}"),
            None => assert_eq!(found, None),
        }
    }

    #[test]
    fn sequences_are_compared() {
        check(&[], 0, None);
        check(&[&[(0, 0), (1, 0)], &[(0, 0), (1, 0)]], 1, None);
        check(
            &[&[(0, 0), (1, 0)], &[(0, 0), (1, 0)], &[(1, 0), (0, 0)]],
            2,
            Some(
                "at position 0 client 0 saw message 0 of sender 0, client 2 message 0 of sender 1",
            ),
        );
        check(&[&[(0, 0), (1, 0)], &[(0, 0)]], 2, Some("at position 1"));
        check(&[&[], &[(0, 0)]], 2, Some("nothing more"));
    }
}
