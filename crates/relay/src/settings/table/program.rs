//! Settings of the process: where it listens, who may ask, how it ends.

use std::time::Duration;

use relay_gateway::NamedTypes;
use relay_server::{Cors, TrustedProxies};

use super::{DAY, Group, Setting};
use crate::log::{LogFormat, LogLevel};
use crate::settings::kind::{Kind, Number, Place};

pub(super) const SERVER: Group = Group {
    title: "Server",
    settings: &[
        Setting::new(
            "RELAY_CONFIG",
            "",
            Kind::Text { place: place!(config), what: "the name of a TOML file", wrong: nothing },
            "The file with settings.",
        )
        .by_default("relay.toml in the working directory, if it is there"),
        Setting::new(
            "PORT",
            "server.port",
            Kind::Count { place: number!(port), accepted: 0..=65_535 },
            "TCP port; 0 lets the system choose.",
        ),
        Setting::new(
            "HOST",
            "server.host",
            Kind::Address { place: place!(host) },
            "Address to listen on.",
        )
        .by_default("all addresses, IPv6 and IPv4"),
        Setting::new(
            "RELAY_SHARDS",
            "server.shards",
            Kind::Count { place: number!(shards), accepted: 1..=relay_hub::SHARDS_MAX as u64 },
            "Threads that serve clients.",
        )
        .by_default("one per core of the CPU quota"),
        Setting::new(
            "INSTANCE_ID",
            "server.instance_id",
            Kind::Text { place: place!(instance_id), what: "a name", wrong: nothing },
            "A name to show; it need not be unique.",
        )
        .by_default("host name and process id"),
        Setting::new(
            "TRUSTED_PROXIES",
            "server.trusted_proxies",
            Kind::List {
                place: place!(trusted_proxies),
                what: "addresses and networks behind commas, such as 127.0.0.1, 10.0.0.0/8",
                wrong: |value| TrustedProxies::parse(value).err().unwrap_or_default(),
            },
            "Proxies that are believed in `X-Forwarded-For`: a client's address is the last one in \
             it that is none of theirs. Others are not believed.",
        )
        .by_default("none"),
        Setting::new(
            "ADMIN_ADDRESS",
            "admin.address",
            Kind::Endpoint { place: place!(admin_address) },
            "Where `/health`, `/live`, `/ready` and `/metrics` are answered instead of on the public \
             port; also when every shard is stuck.",
        )
        .by_default("the public port"),
    ],
};

pub(super) const CORS: Group = Group {
    title: "Pages of other origins",
    settings: &[
        Setting::new(
            "CORS_ORIGIN",
            "cors.origin",
            Kind::List {
                place: place!(cors_origin),
                what: "origins behind commas, such as https://example.com, or * or false",
                wrong: wrong_origins,
            },
            "Pages that browsers let in, by polling and by WebSocket; `false` says nothing to \
             browsers and checks no WebSocket.",
        ),
        Setting::new(
            "CORS_METHODS",
            "cors.methods",
            Kind::List {
                place: place!(cors_methods),
                what: "names of methods behind commas, in capitals",
                wrong: wrong_methods,
            },
            "Methods that pages may use.",
        ),
        Setting::new(
            "CORS_CREDENTIALS",
            "cors.credentials",
            Kind::Switch { place: place!(cors_credentials) },
            "Whether pages may send cookies; needs named origins.",
        ),
    ],
};

pub(super) const DRAIN: Group = Group {
    title: "The end",
    settings: &[
        Setting::new(
            "DRAIN_DELAY",
            "drain.delay",
            Kind::Time { place: place!(drain.delay), accepted: Duration::ZERO..=DAY },
            "After SIGTERM `/ready` says 503, and new sessions are still accepted for this long: \
             give whoever balances the load the time to notice.",
        ),
        Setting::new(
            "DRAIN_WINDOW",
            "drain.window",
            Kind::Time { place: place!(drain.window), accepted: Duration::ZERO..=DAY },
            "Time over which connections are closed then, so that not all clients come back at \
             once.",
        ),
        Setting::new(
            "DRAIN_DEADLINE",
            "drain.deadline",
            Kind::Time { place: place!(drain.deadline), accepted: Duration::ZERO..=DAY },
            "Time after SIGTERM at which whatever is left is cut; longer than the other two \
             together.",
        ),
    ],
};

fn nothing(_: &str) -> Vec<String> {
    Vec::new()
}

pub(super) const LOGS: Group = Group {
    title: "Logs",
    settings: &[
        Setting::new(
            "RELAY_LOG_FORMAT",
            "log.format",
            Kind::Choice { place: number!(log_format), words: LogFormat::WORDS },
            "How lines are written to standard output; `auto` is text on a terminal and JSON \
             anywhere else.",
        ),
        Setting::new(
            "RELAY_LOG_LEVEL",
            "log.level",
            Kind::Choice { place: number!(log_level), words: LogLevel::WORDS },
            "What is written: this level and what is graver.",
        ),
    ],
};

pub(super) const METRICS: Group = Group {
    title: "Metrics",
    settings: &[Setting::new(
        "METRICS_TYPES",
        "metrics.types",
        Kind::List {
            place: place!(metrics_types),
            what: "types of messages behind commas",
            wrong: |value| NamedTypes::parse(value).err().unwrap_or_default(),
        },
        "Types of messages that always have a label `type` of their own, whatever else clients \
             send.",
    )
    .by_default("none")],
};

/// What the rules for origins say about a value.
fn wrong_origins(value: &str) -> Vec<String> {
    let errors = Cors::from_settings(Some(value), None, None).err().unwrap_or_default();
    bare(errors, &format!("CORS_ORIGIN={value}: "))
}

/// What they say about methods.
fn wrong_methods(value: &str) -> Vec<String> {
    let errors = Cors::from_settings(None, Some(value), None).err().unwrap_or_default();
    bare(errors, &format!("CORS_METHODS={value}: "))
}

/// The sentences without the name and value in front, which stand elsewhere in the message.
fn bare(errors: Vec<String>, prefix: &str) -> Vec<String> {
    let bare = |it: String| it.strip_prefix(prefix).map(str::to_owned).unwrap_or(it);
    errors.into_iter().map(bare).collect()
}
