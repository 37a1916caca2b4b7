//! Configuration: one declaration of every setting, read from four places.
//!
//! Owns what a setting is (`table`), which text it accepts (`kind`, `units`), where it may be
//! written (`sources`), how strong each place is, and what must hold between settings. Does not
//! own the limits themselves, which are the hub's, nor what a setting does.
//!
//! The command line goes ahead of the environment, that ahead of `.env`, that ahead of the TOML
//! file. Everything that is wrong anywhere ends the start, all at once; a wrong value is wrong
//! even where a stronger one hides it.
//!
//! A variable without a value counts as not set, as in Node's `process.env.PORT || 5000`: a
//! `compose.yaml` that passes on what its own environment lacks sets nothing here. Its name is
//! checked all the same.

mod kind;
mod print;
mod redis;
mod reference;
mod relations;
mod sources;
mod table;
mod units;
mod wrong;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use relay_gateway::NamedTypes;
use relay_hub::Limits;
use relay_redis::classic::{DEFAULT_PREFIX, Parser};
use relay_redis::cluster::Permission;
use relay_server::{Cors, Drain, TrustedProxies};

use crate::log::{LogFormat, LogLevel};
use crate::memory::Budget;

use sources::Given;

pub use self::redis::Redis;
pub use reference::{help, reference};
pub use sources::{Command, CommandLine};
pub use table::Setting;
pub use wrong::{Named, Source, Wrong};

/// Within the 30 s that Kubernetes and systemd's users give a process; a load balancer that asks
/// `/ready` needs a `DRAIN_DELAY` of its own choosing.
const DRAIN: Drain = Drain {
    delay: Duration::ZERO,
    window: Duration::from_secs(2),
    deadline: Duration::from_secs(25),
};

/// What the defaults depend on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Cores of the CPU quota.
    pub cores: usize,
    /// The memory that there is; `None` if nothing says.
    pub budget: Option<Budget>,
    /// The default of the display name.
    pub name: String,
}

impl Machine {
    /// The machine, or the container, that this process runs on.
    #[must_use]
    pub fn detect() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            budget: Budget::detect(),
            name: format!("{}-{}", host.trim(), std::process::id()),
        }
    }
}

/// What the table writes to, each value checked for itself.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    config: String,
    port: u16,
    host: Option<IpAddr>,
    admin_address: Option<SocketAddr>,
    shards: usize,
    instance_id: String,
    metrics_types: String,
    trusted_proxies: String,
    cors_origin: String,
    cors_methods: String,
    cors_credentials: bool,
    redis_url: String,
    redis_ca_file: String,
    redis_prefix: String,
    /// The place of the word.
    redis_parser: usize,
    redis_peers_may: String,
    drain: Drain,
    /// The place of the word.
    log_format: usize,
    log_level: usize,
    limits: Limits,
}

impl Values {
    fn default_on(machine: &Machine) -> Self {
        let mut limits = Limits::default();
        let budget = machine.budget.and_then(|it| usize::try_from(it.bytes_max).ok());
        limits.memory_bytes_max = budget.unwrap_or(limits.memory_bytes_max);
        Self {
            config: String::new(),
            port: 5000,
            host: None,
            admin_address: None,
            shards: machine.cores.clamp(1, relay_hub::SHARDS_MAX),
            instance_id: machine.name.clone(),
            metrics_types: String::new(),
            trusted_proxies: String::new(),
            cors_origin: "*".to_owned(),
            cors_methods: "GET,POST".to_owned(),
            cors_credentials: false,
            redis_url: String::new(),
            redis_ca_file: String::new(),
            redis_prefix: DEFAULT_PREFIX.to_owned(),
            redis_parser: Parser::default() as usize,
            redis_peers_may: Permission::ALL.map(Permission::name).join(","),
            drain: DRAIN,
            log_format: LogFormat::default() as usize,
            log_level: LogLevel::default() as usize,
            limits,
        }
    }
}

/// The settings of one instance, consistent with each other.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TCP port; 0 lets the system choose.
    pub port: u16,
    /// The address to listen on; `None` is all of them.
    pub host: Option<IpAddr>,
    /// Where whoever looks after the instance asks; `None` is the public port.
    pub admin_address: Option<SocketAddr>,
    /// Threads that serve clients, 1 to 256.
    pub shards: usize,
    /// The display name.
    pub instance: String,
    /// The types of messages that metrics always show by their names.
    pub metrics_types: NamedTypes,
    /// The proxies that are believed whose address a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Which pages browsers let in; `None` says nothing to browsers.
    pub cors: Option<Cors>,
    /// The cluster that it is part of; `None` if it is alone.
    pub redis: Option<Redis>,
    /// How it ends when it is told to.
    pub drain: Drain,
    /// How the program logs.
    pub log_format: LogFormat,
    /// What it logs.
    pub log_level: LogLevel,
    /// Every bound.
    pub limits: Limits,
}

impl Settings {
    /// What an instance on this machine runs with if nobody says anything.
    #[must_use]
    pub fn default_on(machine: &Machine) -> Self {
        let values = Values::default_on(machine);
        // The defaults agree with each other: a test says so.
        let cors = relations::cors(&values).unwrap_or_default();
        Self::new(&values, cors, None)
    }

    fn new(values: &Values, cors: Option<Cors>, authorities: Option<&[u8]>) -> Self {
        Self {
            port: values.port,
            host: values.host,
            admin_address: values.admin_address,
            shards: values.shards,
            instance: values.instance_id.clone(),
            // Whatever was wrong in these was refused as it was read.
            metrics_types: NamedTypes::parse(&values.metrics_types).unwrap_or_default(),
            trusted_proxies: TrustedProxies::parse(&values.trusted_proxies).unwrap_or_default(),
            cors,
            redis: Redis::of(values, authorities),
            drain: values.drain,
            // Each word has its place.
            log_format: LogFormat::ALL.get(values.log_format).copied().unwrap_or_default(),
            log_level: LogLevel::ALL.get(values.log_level).copied().unwrap_or_default(),
            limits: values.limits.clone(),
        }
    }
}

/// Settings, and where each comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the program runs with.
    pub settings: Settings,
    machine: Machine,
    values: Values,
    sources: HashMap<&'static str, Given>,
}

impl Loaded {
    /// Reads the command line, this process's environment, and the files of its working directory.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the messages.
    pub fn of_process(command_line: &CommandLine) -> Result<Self, Vec<Wrong>> {
        let read = |path: &Path| std::fs::read(path);
        Self::read(command_line, std::env::vars_os(), read, Machine::detect())
    }

    /// Reads all sources. `read` gives the contents of a file; the names are relative to the
    /// working directory.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the messages.
    pub fn read(
        command_line: &CommandLine,
        environment: impl Iterator<Item = (OsString, OsString)>,
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
        machine: Machine,
    ) -> Result<Self, Vec<Wrong>> {
        let (given, mut wrong) = sources::collect(command_line, environment, &read);
        let mut values = Values::default_on(&machine);
        let mut sources: HashMap<&'static str, Given> = HashMap::new();
        let mut failed = Vec::new();
        for given in given {
            let setting = given.setting;
            match setting.kind.set(&mut values, &given.text) {
                Ok(()) => drop(sources.insert(setting.variable, given)),
                Err(accepted) => {
                    failed.push(setting.variable);
                    wrong.extend(accepted.into_iter().map(|it| given.refused(it)));
                }
            }
        }
        let known = |setting: &'static Setting| relations::named(setting, &values, &sources);
        wrong.extend(relations::broken(&values, &failed, known));
        let cors = relations::cors(&values).unwrap_or_default();
        let authorities = redis::authorities(&values, &read).unwrap_or_else(|accepted| {
            let given = sources.get("REDIS_CA_FILE");
            wrong.extend(given.map(|it| it.refused(accepted)));
            None
        });
        wrong.sort_by_cached_key(ToString::to_string);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let settings = Settings::new(&values, cors, authorities.as_deref());
        Ok(Self { settings, machine, values, sources })
    }

    /// Where a setting comes from, by its variable.
    #[must_use]
    pub fn source(&self, variable: &str) -> &Source {
        self.sources.get(variable).map_or(&Source::Default, |given| &given.source)
    }

    /// What the memory budget is, and why, for the operator.
    #[must_use]
    pub fn memory(&self) -> String {
        let bytes_max = self.settings.limits.memory_bytes_max;
        match (self.source("RELAY_MEMORY_BYTES_MAX"), self.machine.budget) {
            (Source::Default, Some(budget)) => budget.to_string(),
            (Source::Default, None) => {
                format!("{bytes_max} bytes: nothing says how much there is")
            }
            (source, _) => format!("{bytes_max} bytes ({source})"),
        }
    }

    /// All settings as a TOML file that has the same effect, each with where it comes from;
    /// secrets are masked.
    #[must_use]
    pub fn print(&self) -> String {
        print::print(&self.values, &self.sources)
    }
}
