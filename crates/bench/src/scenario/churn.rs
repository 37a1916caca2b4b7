//! `churn`: clients come, talk, and leave in every way there is, round after round; at the end
//! nothing of them may be left.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::args::Common;
use crate::bench::{Bench, Failure, duration, figure, mib};
use crate::load::{Audience, Load, Stream};
use crate::pacer::Pace;
use crate::report::Report;
use crate::scenario::rooms::ROOM_TEMPLATE;
use crate::transport::{Farewell, Plan};
use crate::trend::Trend;
use clap::Args;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: the options have their own")]
    pub common: Common,
    /// How many rooms; client i is in room i modulo this.
    #[arg(long, default_value_t = 50)]
    pub rooms: usize,
    /// Seconds that the clients of a round talk.
    #[arg(long, default_value_t = 5.0)]
    pub talk: f64,
    /// Seconds for the server to notice who has vanished, when all have left.
    #[arg(long, default_value_t = 75.0)]
    pub settle: f64,
}

/// A third is torn away, a third says that it goes, a third is never heard of again.
const FAREWELLS: [Farewell; 3] = [Farewell::Abort, Farewell::Close, Farewell::Vanish];

/// Rounds until memory has found its level: these count for no trend.
const FIRST_ROUNDS: usize = 10;

/// A server answers a scrape within this.
const SCRAPE_MAX: Duration = Duration::from_secs(5);

/// Rounds of `--clients` (600) for `--seconds` (60): all join rooms, talk at `--rate` (1,000)
/// messages a second, leave and return. Compares the server's gauges at `/metrics`, where it has
/// any, before the first and after the last client.
///
/// # Errors
/// When the server cannot be reached or measured.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let mut common = options.common.clone();
    if !common.template.contains("$room") {
        common.template = ROOM_TEMPLATE.to_owned();
    }
    let clients = common.clients.unwrap_or(600);
    let window = duration(common.seconds.unwrap_or(60.0));
    let mut bench = Bench::new("churn", &common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("seconds", window.as_secs_f64());
    let before = gauges(bench.address);
    let load = talk(options, clients);
    bench.connect(clients)?;
    let (begun, mut rounds, mut failures) = (Instant::now(), 0, 0);
    let (mut rss, mut peak) = (Trend::default(), 0);
    while begun.elapsed() < window {
        round(&mut bench, options, &load, &mut failures)?;
        rounds += 1;
        let now = bench.rss_bytes()?.unwrap_or(0);
        peak = peak.max(now);
        if rounds > FIRST_ROUNDS {
            rss.add(begun.elapsed().as_secs_f64() / 3600.0, mib(now));
        }
    }
    bench.crew.hang_up().map_err(|e| e.to_string())?;
    std::thread::sleep(duration(options.settle));
    let report = &mut bench.report;
    report.metric("rounds", figure(rounds));
    report.metric("sessions", figure(rounds * clients));
    #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
    report.metric("failed_attempts", failures as f64);
    if let Some(slope) = rss.slope() {
        report.metric("rss_slope_mib_per_hour", slope.per_unit);
        report.metric("rss_slope_standard_error", slope.standard_error);
    }
    if bench.server.is_some() {
        bench.report.metric("rss_peak_mib", mib(peak));
        let after = bench.rss_bytes()?;
        bench.report.metric_if("rss_after_mib", after.map(mib));
    }
    compare(&mut bench.report, before, gauges(bench.address));
    Ok(bench.report)
}

/// What the clients say to their rooms.
fn talk(options: &Options, clients: usize) -> Load {
    let common = &options.common;
    let stream = Stream {
        name: "room",
        senders: (0..clients).collect(),
        pace: Pace::PerSecond(common.rate.unwrap_or(1_000.0)),
        audience: Audience::Room { rooms: options.rooms.clamp(1, clients) },
        payload_bytes: common.payload_bytes.unwrap_or(150),
    };
    Load { duration: duration(options.talk), streams: vec![stream], ..Load::default() }
}

fn round(
    bench: &mut Bench,
    options: &Options,
    load: &Load,
    failures: &mut u64,
) -> Result<(), Failure> {
    let clients = load.streams[0].senders.len();
    let rooms = options.rooms.clamp(1, clients);
    let joined = bench.crew.join_rooms("unirse", rooms).map_err(|e| e.to_string())?;
    if joined < clients {
        bench.report.fault(format!("{joined} of {clients} joined a room"));
    }
    let outcome = bench.crew.run(load.clone(), || {}).map_err(|e| e.to_string())?;
    let counts = &outcome.stream("room").counts;
    if counts.lost + counts.duplicated + counts.out_of_order > 0 {
        bench.report.fault(format!("a round: {counts:?}"));
    }
    bench.report.closures_are_faults(&outcome);
    let storm = bench.crew.storm(clients, &FAREWELLS, || {}).map_err(|e| e.to_string())?;
    if storm.back < storm.clients {
        bench.report.fault(format!("{} of {} did not return", storm.clients - storm.back, clients));
    }
    *failures += storm.failures;
    Ok(())
}

/// A gauge that has not come back to where it was is something left behind.
fn compare(report: &mut Report, before: Option<Gauges>, after: Option<Gauges>) {
    let (Some(before), Some(after)) = (before, after) else {
        return report.note("the server has no /metrics: whether anything is left was not seen");
    };
    for (name, now) in after {
        let was = before.get(&name).copied().unwrap_or(0.0);
        report.metric(format!("left: {name}"), now - was);
        if (now - was).abs() > f64::EPSILON {
            report.fault(format!("{name} was {was} and is {now}"));
        }
    }
}

/// Names and values.
type Gauges = BTreeMap<String, f64>;

/// What the server's gauges say; `None` if there is no `/metrics`.
fn gauges(address: SocketAddr) -> Option<Gauges> {
    let mut stream = TcpStream::connect_timeout(&address, SCRAPE_MAX).ok()?;
    stream.set_read_timeout(Some(SCRAPE_MAX)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.starts_with("HTTP/1.1 200").then(|| parse(&text))
}

/// The gauges that follow the clients: not those of the process, nor bounds.
fn parse(text: &str) -> Gauges {
    let mut found = Gauges::new();
    let mut gauge = "";
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            gauge = declared.strip_suffix(" gauge").unwrap_or("");
            continue;
        }
        let follows =
            gauge.starts_with("relay_") && !gauge.contains("_max") && !line.starts_with('#');
        if let Some((name, value)) = line.rsplit_once(' ')
            && follows
            && name.split('{').next() == Some(gauge)
            && let Ok(value) = value.parse()
        {
            found.insert(name.to_owned(), value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn gauges_of_the_gateway_are_found() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# HELP relay_sockets Sockets.\n# TYPE relay_sockets gauge\n\
            relay_sockets 3\n# TYPE relay_x_max gauge\nrelay_x_max 9\n# TYPE process_y gauge\n\
            process_y 1\n# TYPE relay_n counter\nrelay_n 4\n# TYPE relay_z gauge\nrelay_z{a=\"b\"} 0.5\n";
        let found: Vec<_> = parse(text).into_iter().collect();
        assert_eq!(
            found,
            [("relay_sockets".to_owned(), 3.0), ("relay_z{a=\"b\"}".to_owned(), 0.5)]
        );
    }
}
