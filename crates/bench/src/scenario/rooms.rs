//! `rooms`: clients are spread over rooms, each message goes to one of them.

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
    /// How many rooms; client i is in room i modulo this.
    #[arg(long, default_value_t = 50)]
    pub rooms: usize,
    /// The event that joins a room: its argument is the room's name, and it is acknowledged.
    #[arg(long, default_value = "unirse")]
    pub join_event: String,
}

/// The default template has no room.
pub(crate) const ROOM_TEMPLATE: &str = r#"{"destino":"$destino","room":"$room"}"#;

/// `--rate` (2,000) messages a second, by `--clients` (1,000) in turn to their own rooms.
///
/// # Errors
/// When the server cannot be reached or measured, or does not acknowledge rooms.
pub fn run(options: &Options) -> Result<Report, Failure> {
    let mut common = options.common.clone();
    if !common.template.contains("$room") {
        common.template = ROOM_TEMPLATE.to_owned();
    }
    let clients = common.clients.unwrap_or(1_000);
    let rooms = options.rooms.clamp(1, clients);
    let rate = common.rate.unwrap_or(2_000.0);
    let window = common.seconds.unwrap_or(10.0);
    let mut bench = Bench::new("rooms", &common, Plan::default())?;
    bench.report.setting("clients", figure(clients));
    bench.report.setting("rooms", figure(rooms));
    bench.report.setting("messages_per_second", rate);
    bench.report.setting("seconds", window);
    bench.connect(clients)?;
    let joined = bench.crew.join_rooms(&options.join_event, rooms).map_err(|e| e.to_string())?;
    if joined < clients {
        return Err(format!(
            "the server acknowledged {joined} of {clients} {:?} events",
            options.join_event
        ));
    }
    let stream = Stream {
        name: "room",
        senders: (0..clients).collect(),
        pace: Pace::PerSecond(rate),
        audience: Audience::Room { rooms },
        payload_bytes: common.payload_bytes.unwrap_or(150),
    };
    let load = Load { duration: duration(window), streams: vec![stream], ..Load::default() };
    bench.warm_up(&load, common.warmup)?;
    let measured = bench.measure(load)?;
    let received = measured.outcome.stream("room").counts.received;
    let report = &mut bench.report;
    let sent = measured.outcome.stream("room").sent;
    report.metric_if("server_cpu_us_per_delivery", measured.cpu_us_per(received));
    report.metric_if("server_cpu_us_per_message", measured.cpu_us_per(sent));
    report.run("", &measured.outcome);
    report.closures_are_faults(&measured.outcome);
    Ok(bench.report)
}
