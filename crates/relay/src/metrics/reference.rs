//! The page of the documentation: written from the definitions, so that nobody has to remember to.

use std::path::Path;

use prometheus::proto::MetricType;

use super::definitions::ALL;
use super::{Definition, Value};

const OPENING: &str = "\
# Metrics

`/metrics` answers the text format 0.0.4 of Prometheus. This page is written from the definitions in
`crates/relay/src/metrics` by a test, which fails when it is stale.

Counters only grow while the process lives. A label whose values come from clients is bounded: `type` in
number and in length (`RELAY_METRIC_TYPES_MAX`, `RELAY_METRIC_TYPE_BYTES_MAX`), what is beyond counts as
`otro`; what `METRICS_TYPES` names has its label whatever came first. Series with labels begin with their
first event. An instance that is alone has no `relay_cluster_` metrics.

| name | type | unit | labels | meaning |
|---|---|---|---|---|
";

fn page() -> String {
    let mut page = OPENING.to_owned();
    for it in ALL.into_iter().flatten() {
        let labels: Vec<_> = labels(it).iter().map(|it| format!("`{it}`")).collect();
        let (name, kind, unit) = (it.name, kind(it), unit(it.name));
        page += &format!("| `{name}` | {kind} | {unit} | {} | {} |\n", labels.join(", "), it.help);
    }
    page
}

fn labels(it: &Definition) -> &'static [&'static str] {
    match it.value {
        Value::Labelled(labels, _) => labels,
        Value::Instance(_)
        | Value::Hubs(_)
        | Value::Process(_)
        | Value::Watch(_)
        | Value::Histogram(_) => &[],
    }
}

fn kind(it: &Definition) -> &'static str {
    match it.kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY | MetricType::UNTYPED => "untyped",
    }
}

/// As the names say.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit_once('_') {
        Some((_, "seconds")) => "seconds",
        Some((_, "bytes")) => "bytes",
        _ => "number",
    }
}

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let fresh = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("docs/metrics.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == fresh,
        "docs/metrics.md is stale: UPDATE_DOCS=1 cargo test -p relay --lib writes it"
    );
}

#[test]
fn what_is_scraped_is_on_the_page() {
    let sources = super::tests::sources();
    for it in ALL.into_iter().flatten() {
        let Value::Labelled(expected, read) = it.value else { continue };
        for series in read(&sources) {
            let names: Vec<_> = series.labels.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected, "{}", it.name);
        }
    }
}
