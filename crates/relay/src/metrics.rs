//! Every metric that a scrape shows: name, type, meaning, and where its value is read.
//!
//! Nothing is counted here. The shards count for themselves, without a thought for who reads; a
//! scrape takes what they have at that moment. The text format is the library's.

mod cluster;
mod definitions;
mod hub;
#[cfg(test)]
mod reference;
mod series;
mod shards;

use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Error, TextEncoder};
use relay_hub::Stats;
use relay_server::Watch;

use crate::process::Figures;
use crate::routes::Sources;

use definitions::ALL;

/// The media type of what [`text`] writes.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric. Its name and its labels are a contract with dashboards.
struct Definition {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    value: Value,
}

/// Where a metric's value comes from.
enum Value {
    /// The instance has one.
    Instance(fn(&Sources) -> u64),
    /// Each shard's hub has one: they add up.
    Hubs(fn(&Stats) -> u64),
    /// The operating system tells.
    Process(fn(&Figures) -> f64),
    /// The server tells how it is.
    Watch(fn(&Watch) -> f64),
    /// One for each combination of these labels that occurred.
    Labelled(&'static [&'static str], fn(&Sources) -> Vec<Series>),
    /// How values are spread, if there are any.
    Histogram(fn(&Sources) -> Option<Histogram>),
}

/// How many values fell below each upper end, but not below the one before it.
struct Histogram {
    buckets: Vec<(f64, u64)>,
    /// All values, those beyond the last end too.
    count: u64,
    sum: f64,
}

/// Labels, in the order in which they are written, and the value.
struct Series {
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// What a scrape gets.
///
/// # Errors
/// The encoder's: a definition has no name.
pub(crate) fn text(sources: &Sources) -> Result<String, Error> {
    let figures = sources.process.figures();
    let families: Vec<_> = ALL
        .into_iter()
        .flatten()
        .map(|it| family(it, sources, &figures))
        // The format knows no metric without a value.
        .filter(|it| !it.get_metric().is_empty())
        .collect();
    TextEncoder::new().encode_to_string(&families)
}

fn family(it: &Definition, sources: &Sources, figures: &Figures) -> MetricFamily {
    let one = |value| vec![Series { labels: Vec::new(), value }];
    let series = match &it.value {
        Value::Instance(read) => one(read(sources) as f64),
        Value::Hubs(read) => one(sources.hubs.iter().map(|hub| read(hub)).sum::<u64>() as f64),
        Value::Process(read) => one(read(figures)),
        Value::Watch(read) => one(read(&sources.watch)),
        Value::Labelled(labels, read) => {
            let series = read(sources);
            let named = |it: &Series| it.labels.iter().map(|(name, _)| name).eq(*labels);
            debug_assert!(series.iter().all(named), "the labels of {}", it.name);
            series
        }
        Value::Histogram(_) => Vec::new(),
    };
    let mut family = MetricFamily::default();
    family.set_name(it.name.to_owned());
    family.set_help(it.help.to_owned());
    family.set_field_type(it.kind);
    let mut metrics: Vec<_> = series.into_iter().map(|series| metric(it.kind, series)).collect();
    if let Value::Histogram(read) = &it.value {
        metrics.extend(read(sources).map(histogram));
    }
    family.set_metric(metrics);
    family
}

fn histogram(it: Histogram) -> Metric {
    let mut counted = 0;
    let bucket = |(end, count): (f64, u64)| {
        counted += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(end);
        bucket.set_cumulative_count(counted);
        bucket
    };
    let buckets = it.buckets.into_iter().map(bucket).collect();
    let mut histogram = prometheus::proto::Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(it.count);
    histogram.set_sample_sum(it.sum);
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    metric
}

fn metric(kind: MetricType, series: Series) -> Metric {
    let pair = |(name, value): (&str, String)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value);
        pair
    };
    let mut metric = Metric::from_label(series.labels.into_iter().map(pair).collect());
    if kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(series.value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(series.value);
        metric.set_gauge(gauge);
    }
    metric
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::time::Instant;

    use prometheus::core::Desc;
    use prometheus::proto::MetricType;
    use relay_gateway::{Gateway, GatewayStats, NAMESPACES, NamedTypes, TypeNames};
    use relay_hub::{Instance, Limits, Stats};
    use relay_server::{Config, Server, ServerStats, bind};

    use super::definitions::ALL;
    use super::series::pairs;
    use super::text;
    use crate::process::Process;
    use crate::routes::Sources;

    /// Two shards that counted 2 and 3 of whatever is asked for here.
    pub(super) fn sources() -> Sources {
        let types = TypeNames::new(&NamedTypes::default(), 1, 8);
        let gateways: Vec<_> = (0..2).map(|_| GatewayStats::new(&types)).collect();
        let hubs: Vec<_> = (0..2).map(|_| Arc::new(Stats::default())).collect();
        for (count, (gateway, hub)) in (2..).zip(gateways.iter().zip(&hubs)) {
            gateway.connections.set(count);
            hub.deliveries.set(count);
            hub.connections.set(count);
            hub.held[1].set(count);
            hub.ends[0].set(count);
        }
        let instance = Instance::new(Limits::default(), &NAMESPACES, 2, 0);
        let listeners = bind(Some(Ipv4Addr::LOCALHOST.into()), 0, 2, instance.limits()).unwrap();
        let config = Config::new("/socket.io/", instance.clone());
        let made = gateways.clone();
        let mut handle = None;
        let server = Server::start(config, listeners, |it, shards| {
            handle = Some(shards.clone());
            Gateway::new(made[it].clone())
        });
        let server = server.unwrap();
        let watch = server.watch();
        server.stop();
        Sources {
            watch,
            handle: handle.unwrap(),
            name: String::new(),
            metrics: true,
            started: Instant::now(),
            process: Process::new(),
            instance,
            server: Arc::new(ServerStats::default()),
            hubs,
            gateways,
            journal: None,
            cluster: None,
        }
    }

    #[test]
    fn every_name_is_valid_single_and_says_what_it_is() {
        let mut seen = HashSet::new();
        for it in ALL.into_iter().flatten() {
            let described = Desc::new(it.name.into(), it.help.into(), Vec::new(), HashMap::new());
            assert!(described.is_ok(), "{described:?}");
            assert!(seen.insert(it.name), "{} is there twice", it.name);
            // The one gauge whose name says otherwise is the contract's.
            let total = it.name.ends_with("_total") && it.name != "relay_connections_total";
            assert_eq!(total, it.kind == MetricType::COUNTER, "{}", it.name);
        }
    }

    #[test]
    fn shards_add_up_and_stand_under_their_names() {
        let text = text(&sources()).unwrap_or_default();
        for lines in [
            "# TYPE relay_connections_total gauge\nrelay_connections_total 5\n",
            "# TYPE relay_deliveries_total counter\nrelay_deliveries_total 5\n",
            "# TYPE relay_ends_total counter\nrelay_ends_total{reason=\"client_namespace_disconnect\"} 5\n",
            "# TYPE relay_shard_connections gauge\nrelay_shard_connections{shard=\"0\"} 2\n\
             relay_shard_connections{shard=\"1\"} 3\n",
            "\nrelay_memory_bytes{kind=\"partial\"} 5\n",
            "\nrelay_memory_bytes{kind=\"calls\"} 0\nrelay_memory_bytes{kind=\"remotes\"} 0\n",
            "\nrelay_shard_busy_seconds_total{shard=\"1\"} ",
            "\nrelay_shard_pass_max_seconds{shard=\"1\"} ",
            "\nrelay_handshakes_refused_total{code=\"5\"} 0\n",
            "# TYPE nodejs_eventloop_lag_seconds gauge\nnodejs_eventloop_lag_seconds ",
            "# TYPE nodejs_heap_size_total_bytes gauge\nnodejs_heap_size_total_bytes ",
        ] {
            assert!(text.contains(lines), "{lines} is missing in\n{text}");
        }
    }

    #[test]
    fn a_histogram_adds_up_to_everything_there_is() {
        let buckets = vec![(0.5, 2), (1.0, 1)];
        let metric = super::histogram(super::Histogram { buckets, count: 7, sum: 9.5 });
        let histogram = metric.get_histogram();
        let counts: Vec<_> = histogram
            .get_bucket()
            .iter()
            .map(prometheus::proto::Bucket::cumulative_count)
            .collect();
        assert_eq!((counts, histogram.get_sample_count()), (vec![2, 3], 7));
    }

    #[test]
    fn the_same_labels_of_two_shards_are_one_series() {
        let counts = [(("b", "x"), 1), (("a", "x"), 2), (("b", "x"), 4)];
        let series: Vec<_> = pairs(["type", "destination"], counts.into_iter())
            .into_iter()
            .map(|it| (it.labels, it.value))
            .collect();
        let labels = |a: &str| vec![("type", a.to_owned()), ("destination", "x".to_owned())];
        assert_eq!(series, [(labels("a"), 2.0), (labels("b"), 5.0)]);
    }
}
