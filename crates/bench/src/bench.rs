//! What the scenarios share: clients, the server's process, the report, and the measuring of a
//! run between two looks at the process.

use crate::args::Common;
use crate::clock::Nanos;
use crate::crew::Crew;
use crate::job::dial::DialOutcome;
use crate::load::{Load, Outcome};
use crate::os;
use crate::payload::Template;
use crate::process::{CpuSample, Server};
use crate::report::Report;
use crate::target::{self, Target};
use crate::transport::Plan;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why a scenario could not be carried out; a sentence for the user.
pub type Failure = String;

/// A measurement in progress.
pub struct Bench {
    /// The clients.
    pub crew: Crew,
    /// The server's processes, when their ids were given.
    pub server: Option<Server>,
    /// What was found so far.
    pub report: Report,
    /// Where the server is.
    pub address: SocketAddr,
    connect_rate: f64,
}

/// A run and what it cost the server.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// What the clients saw.
    pub outcome: Outcome,
    /// CPU time of the server, waiting for the last deliveries included.
    pub cpu: Option<Nanos>,
    /// Resident memory before, in bytes.
    pub rss_before: Option<u64>,
    /// The largest resident memory seen, in bytes.
    pub rss_peak: Option<u64>,
    /// Resident memory after, in bytes.
    pub rss_after: Option<u64>,
}

impl Measured {
    /// Microseconds of the server's CPU for each of `count` things.
    #[must_use]
    pub fn cpu_us_per(&self, count: u64) -> Option<f64> {
        cpu_us_per(self.cpu?, count)
    }
}

/// Microseconds for each of `count` things.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a printed figure")]
pub fn cpu_us_per(cpu: Nanos, count: u64) -> Option<f64> {
    (count > 0).then(|| cpu as f64 / 1e3 / count as f64)
}

/// Mebibytes, as they are printed.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a printed figure")]
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A positive number of seconds as a duration.
#[must_use]
pub fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A count as a figure.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a printed figure")]
pub fn figure(count: usize) -> f64 {
    count as f64
}

impl Bench {
    /// Prepares a measurement.
    ///
    /// # Errors
    /// When an option makes no sense or a process cannot be read.
    pub fn new(scenario: &'static str, common: &Common, plan: Plan) -> Result<Self, Failure> {
        common.validate()?;
        os::raise_descriptor_limit().map_err(|e| format!("cannot raise the open files: {e}"))?;
        let mut target = Target::new(&target::Options {
            url: &common.url,
            peers: &common.peers,
            path: &common.path,
            namespace: &common.namespace,
            auth: &common.auth,
            headers: &common.headers,
            source_addresses: common.source_addresses,
        })?;
        target.transport = common.transport;
        let address = target.address;
        let has_express = plan.express > 0;
        target.plan = plan;
        let template = Template::new(&common.namespace, &common.event, &common.template)
            .map_err(|e| e.to_string())?;
        let server = Server::new(&common.pids)
            .map_err(|e| format!("cannot read the process {:?}: {e}", common.pids))?;
        let crew = Crew::new(&Arc::new(target), &Arc::new(template), common.threads)
            .map_err(|e| e.to_string())?;
        let mut report = Report::new(scenario, &common.url, common.transport);
        if has_express {
            report.note(format!("the express thread's priority: {:?}", crew.preference()));
        }
        Ok(Self { crew, server, report, address, connect_rate: common.connect_rate })
    }

    /// Connects until there are `clients`; all must come in.
    ///
    /// # Errors
    /// When one does not.
    pub fn connect(&mut self, clients: usize) -> Result<DialOutcome, Failure> {
        let outcome = self.crew.dial(clients, self.connect_rate).map_err(|e| e.to_string())?;
        match &outcome.first_failure {
            Some(why) => Err(format!("{} clients could not connect: {why}", outcome.failed)),
            None => Ok(outcome),
        }
    }

    /// Carries out a load between two looks at the server's process.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn measure(&mut self, load: Load) -> Result<Measured, Failure> {
        let gone = |e: std::io::Error| format!("cannot read the server's process: {e}");
        let Some(server) = &self.server else {
            let outcome = self.crew.run(load, || {}).map_err(|e| e.to_string())?;
            return Ok(Measured { outcome, ..Measured::default() });
        };
        let rss_before = server.rss_bytes().map_err(gone)?;
        let mut rss_peak = rss_before;
        let cpu_before = server.cpu().map_err(gone)?;
        let on_tick = || rss_peak = rss_peak.max(server.rss_bytes_roughly().unwrap_or(0));
        let outcome = self.crew.run(load, on_tick).map_err(|e| e.to_string())?;
        let cpu = server.cpu().map_err(gone)?.since(&cpu_before);
        let rss_after = server.rss_bytes().map_err(gone)?;
        Ok(Measured {
            outcome,
            cpu: Some(cpu),
            rss_before: Some(rss_before),
            rss_peak: Some(rss_peak.max(rss_after)),
            rss_after: Some(rss_after),
        })
    }

    /// Carries out a load for `seconds` without looking at its outcome.
    ///
    /// # Errors
    /// When the generator's own descriptors fail.
    pub fn warm_up(&mut self, load: &Load, seconds: f64) -> Result<(), Failure> {
        if seconds <= 0.0 {
            return Ok(());
        }
        let load = Load { duration: duration(seconds), ..load.clone() };
        self.crew.run(load, || {}).map(|_| ()).map_err(|e| e.to_string())
    }

    /// Only answers heartbeats for `seconds`.
    ///
    /// # Errors
    /// When the generator's own descriptors fail.
    pub fn rest(&mut self, seconds: f64) -> Result<(), Failure> {
        self.warm_up(&Load::default(), seconds)
    }

    /// CPU time of the server up to now.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu(&self) -> Result<Option<CpuSample>, Failure> {
        let read = |server: &Server| {
            server.cpu().map_err(|e| format!("cannot read the server's process: {e}"))
        };
        self.server.as_ref().map(read).transpose()
    }

    /// Resident memory of the server now.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn rss_bytes(&self) -> Result<Option<u64>, Failure> {
        let read = |server: &Server| {
            server.rss_bytes().map_err(|e| format!("cannot read the server's process: {e}"))
        };
        self.server.as_ref().map(read).transpose()
    }
}
