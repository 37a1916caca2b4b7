//! Which place counts, and what is printed about it.

use std::time::Duration;

use relay::Parser;
use relay::settings::{Loaded, Source};

use crate::support::Written;

fn read(written: &Written<'_>) -> Loaded {
    written.read().unwrap_or_else(|wrong| {
        let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        panic!("{wrong:#?}")
    })
}

const FILE: &[(&str, &str)] =
    &[("relay.toml", "[server]\nport = 1\n"), ("other.toml", "[server]\nport = 11\n")];

/// The port, and where it comes from.
fn check(written: &Written<'_>, port: u16, source: &Source) {
    let loaded = read(written);
    assert_eq!((loaded.settings.port, loaded.source("PORT")), (port, source));
}

#[test]
fn the_stronger_place_counts() {
    let line = |path: &str| Source::File { path: path.to_owned(), line: 2 };
    let mut written = Written::default();
    check(&written, 5000, &Source::Default);
    written.files = FILE;
    check(&written, 1, &line("relay.toml"));
    written.dot_env = Some("PORT=2\n");
    check(&written, 2, &Source::DotEnv);
    written.environment = &[("PORT", "3")];
    check(&written, 3, &Source::Environment);
    written.words = &["--port", "4"];
    check(&written, 4, &Source::CommandLine);
}

#[test]
fn an_empty_variable_is_not_set() {
    let mut written = Written { environment: &[("PORT", ""), ("HOST", " ")], ..Written::default() };
    check(&written, 5000, &Source::Default);
    written.dot_env = Some("PORT=\nINSTANCE_ID=\n");
    written.files = FILE;
    check(&written, 1, &Source::File { path: "relay.toml".to_owned(), line: 2 });
    assert_eq!(read(&written).settings.instance, "host-1");
    let not_yet = ["REDIS_URL", "WEBRTC_ENABLED", "TURN_URL", "X"].map(|name| (name, ""));
    check(&Written { environment: &not_yet, ..Written::default() }, 5000, &Source::Default);
}

#[test]
fn the_file_may_be_named_anywhere() {
    let other = Source::File { path: "other.toml".to_owned(), line: 2 };
    let mut written = Written { files: FILE, ..Written::default() };
    written.dot_env = Some("RELAY_CONFIG=other.toml\n");
    check(&written, 11, &other);
    written.environment = &[("RELAY_CONFIG", "relay.toml")];
    check(&written, 1, &Source::File { path: "relay.toml".to_owned(), line: 2 });
    written.words = &["--config=other.toml"];
    check(&written, 11, &other);
}

#[test]
fn the_last_of_equal_names_in_dot_env_counts() {
    let text = "\u{feff}PORT=1 # one\nexport PORT=\"2\"\n\n# PORT=3\n";
    check(&Written { dot_env: Some(text), ..Written::default() }, 2, &Source::DotEnv);
}

#[test]
fn the_parser_of_the_cluster_can_be_said_anywhere() {
    let check = |written: Written<'_>, parser: Parser| {
        let environment = [("REDIS_URL", "redis://redis"), written.environment[0]];
        let loaded = read(&Written { environment: &environment, ..written });
        assert_eq!(loaded.settings.redis.expect("a cluster").parser, parser);
    };
    let unset = Written { environment: &[("REDIS_PARSER", "")], ..Written::default() };
    check(unset.clone(), Parser::Notepack);
    for parser in Parser::ALL {
        let name = parser.name();
        check(Written { environment: &[("REDIS_PARSER", name)], ..Written::default() }, parser);
        check(Written { words: &["--redis-parser", name], ..unset.clone() }, parser);
        let file = format!("[redis]\nparser = \"{name}\"\n");
        check(Written { files: &[("relay.toml", &file)], ..unset.clone() }, parser);
    }
}

#[test]
fn values_arrive_where_they_belong() {
    let written = Written {
        words: &["--instance-id", "relay \"uno\" ñ\\", "--drain-window=1.5"],
        environment: &[("HOST", "::1"), ("CORS_ORIGIN", "false"), ("WEBRTC_ENABLED", "false")],
        dot_env: Some("RELAY_METRIC_TYPES_MAX=7\n"),
        files: &[(
            "relay.toml",
            "server.shards = 0x10\n[limits]\nping_interval = 2.5\noutbox_bytes_max = '16Mi'\n\
             kernel_unsent_bytes = 65_536\nallow_upgrades = false\n[drain]\ndelay = 3\n",
        )],
    };
    let settings = read(&written).settings;
    assert_eq!(settings.instance, "relay \"uno\" ñ\\");
    assert_eq!(settings.host, "::1".parse().ok());
    assert_eq!(settings.shards, 16);
    assert!(settings.cors.is_none());
    let drain = settings.drain;
    assert_eq!((drain.delay, drain.window), (Duration::from_secs(3), Duration::from_millis(1_500)));
    let limits = settings.limits;
    assert_eq!(limits.ping_interval, Duration::from_millis(2_500));
    assert_eq!(limits.outbox_bytes_max, 16 << 20);
    assert_eq!(limits.kernel_unsent_bytes, 65_536);
    assert_eq!(limits.metric.types_max, 7);
    assert!(!limits.allow_upgrades);
}

#[test]
fn without_any_configuration_the_machine_decides() {
    let loaded = read(&Written::default());
    assert_eq!(loaded.settings.port, 5000);
    assert_eq!(loaded.settings.shards, 3);
    assert_eq!(loaded.settings.limits.memory_bytes_max, 2_000_000_000);
    assert!(loaded.settings.cors.is_some());
    assert_eq!(loaded.memory(), "2000 MB, half of the limit of the cgroup (v2), 4000 MB");
    let environment = &[("RELAY_MEMORY_BYTES_MAX", "100M")];
    let loaded = read(&Written { environment, ..Written::default() });
    assert_eq!(loaded.memory(), "100000000 bytes (environment)");
}

#[test]
fn an_origin_may_be_a_list() {
    let one = "[cors]\norigin = ['https://a.example', \"https://b.example\"]\ncredentials = true\n";
    let other = "[cors]\norigin = 'https://a.example,https://b.example'\ncredentials = true\n";
    let [one, other] = [one, other].map(|text| {
        let settings = read(&Written { files: &[("relay.toml", text)], ..Written::default() });
        format!("{:?}", settings.settings.cors)
    });
    assert_eq!(one, other);
    assert!(one.contains("b.example"), "{one}");
}

#[test]
fn what_is_printed_says_where_it_comes_from() {
    let written = Written {
        words: &["print-config", "--shards=2"],
        environment: &[("INSTANCE_ID", "a \"b\" \\ \u{7f}ñ"), ("RELAY_PING_INTERVAL", "30")],
        dot_env: Some("DRAIN_DELAY=1500ms\n"),
        files: &[("relay.toml", "[limits]\nread_bytes = 131072\n")],
    };
    let printed = read(&written).print();
    for line in [
        "[server]",
        "port = 5000  # default",
        "# host is not set  # default: all addresses, IPv6 and IPv4",
        "shards = 2  # --shards (command line)",
        "instance_id = \"a \\\"b\\\" \\\\ \\u007Fñ\"  # INSTANCE_ID (environment)",
        "delay = \"1500ms\"  # DRAIN_DELAY (.env)",
        "ping_interval = \"30s\"  # RELAY_PING_INTERVAL (environment)",
        "read_bytes = \"128Ki\"  # relay.toml, line 2",
        "allow_upgrades = true  # default",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line}\n{printed}");
    }
    for table in ["[server]", "[cors]", "[drain]", "[limits]"] {
        assert_eq!(printed.lines().filter(|it| *it == table).count(), 1, "{table}\n{printed}");
    }
    // As a file it means the same.
    let again = read(&Written { files: &[("relay.toml", &printed)], ..Written::default() });
    let (again, once) = (again.settings, read(&written).settings);
    assert_eq!(format!("{again:?}"), format!("{once:?}"));
}
