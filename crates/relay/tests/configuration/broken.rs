//! What ends the start: each message names the setting, its source, what was found and what is
//! accepted.

use crate::support::{Written, check, dot_env, environment, file, words};

#[test]
fn values_of_each_kind() {
    environment(
        &[("PORT", "65536")],
        &["PORT=65536 (environment): a whole number from 0 to 65535 is accepted"],
    );
    environment(
        &[("RELAY_SHARDS", "two")],
        &["RELAY_SHARDS=two (environment): a whole number from 1 to 256 is accepted"],
    );
    environment(
        &[("HOST", "localhost")],
        &["HOST=localhost (environment): an IPv4 or IPv6 address is accepted"],
    );
    environment(
        &[("RELAY_PAYLOAD_BYTES_MAX", "1T")],
        &[
            "RELAY_PAYLOAD_BYTES_MAX=1T (environment): a size from 1K to 1G is accepted, such as 8M \
           or 64Ki",
        ],
    );
    environment(
        // Milliseconds, as Node has them, would be hours.
        &[("RELAY_PING_INTERVAL", "250000")],
        &["RELAY_PING_INTERVAL=250000 (environment): a time from 100ms to 24h is accepted, such \
           as 25s or 500ms"],
    );
    environment(
        &[("RELAY_ALLOW_UPGRADES", "yes")],
        &["RELAY_ALLOW_UPGRADES=yes (environment): true or false is accepted"],
    );
    environment(
        &[("DRAIN_WINDOW", "-1")],
        &["DRAIN_WINDOW=-1 (environment): a time from 0s to 24h is accepted, such as 25s or 500ms"],
    );
    environment(
        &[("CORS_METHODS", "GET,?")],
        &["CORS_METHODS=GET,? (environment): \"?\" is no method: names such as GET are accepted, \
           in capitals"],
    );
}

#[test]
fn what_does_not_go_together_names_all_of_it() {
    environment(
        &[("CORS_CREDENTIALS", "true")],
        &["CORS_CREDENTIALS=true (environment) and CORS_ORIGIN=* (default): browsers refuse \
           credentials if any origin is allowed: name the origins"],
    );
    let drain = Written {
        words: &["--drain-delay", "20s"],
        dot_env: Some("DRAIN_DEADLINE=10\n"),
        ..Written::default()
    };
    check(
        &drain,
        &["DRAIN_DEADLINE=10 (.env) and --drain-delay=20s (command line) and DRAIN_WINDOW=2s \
           (default): the deadline must leave time for the delay and the window"],
    );
    let limits = Written {
        environment: &[("RELAY_OUTBOX_BYTES_MAX", "4G")],
        files: &[("relay.toml", "[limits]\nencoded_bytes_max = \"3M\"\n")],
        ..Written::default()
    };
    check(
        &limits,
        &[
            "RELAY_MESSAGE_BYTES_MAX=2M (default) and limits.encoded_bytes_max=3M (relay.toml, \
             line 2): a message must fit twice into its encodings",
            "RELAY_OUTBOX_BYTES_MAX=4G (environment) and RELAY_MEMORY_BYTES_MAX=2G (default): the \
             memory budget must hold one outbox",
        ],
    );
    // One that is wrong by itself is not blamed twice.
    environment(
        &[("RELAY_FLUSH_SLICE", "2h"), ("RELAY_FLUSH_REST_MAX", "1us")],
        &["RELAY_FLUSH_SLICE=2h (environment): a time from 1us to 1s is accepted, such as 25s or \
           500ms"],
    );
}

#[test]
fn unknown_names() {
    environment(
        &[("RELAY_SHARD", "2"), ("RELAY_NADA", ""), ("relay_shards", "2")],
        &[
            "RELAY_NADA (environment): no such setting",
            "RELAY_SHARD (environment): no such setting; RELAY_SHARDS is one",
            "relay_shards (environment): no such setting; RELAY_SHARDS is one",
        ],
    );
    environment(
        &[("CORS_ORIGINS", "https://a.example"), ("RELAY_CORS_ORIGIN", "x")],
        &[
            "CORS_ORIGINS (environment): no such setting; CORS_ORIGIN is one",
            "RELAY_CORS_ORIGIN (environment): no such setting; CORS_ORIGIN is one",
        ],
    );
    environment(
        &[("PATH", "x"), ("RELAYED", "1"), ("METRICS_PATH", "x"), ("INSTANCE_IP", "x")],
        &[],
    );
    dot_env(
        "RELAY_SHARD=2\nCORS_ORIGINS=x\nMONGO_INITDB_ROOT_PASSWORD=x\nOTHER=x\n",
        &["RELAY_SHARD (.env): no such setting; RELAY_SHARDS is one"],
    );
    words(
        &["--prot=5000", "--ping-intervall", "25s", "chek"],
        &[
            "--ping-intervall (command line): no such setting; --ping-interval is one",
            "--prot (command line): no such setting; --port is one",
            "chek (command line): check, print-config, health or a flag is accepted; see --help",
        ],
    );
    file(
        "[limits]\nping_intervall = 1\n[server.port]\nx = 1\n[limit]\n[other]\nx = 1\n",
        &[
            "limit (relay.toml, line 5): no such table; limits is one",
            "limits.ping_intervall (relay.toml, line 2): no such setting; limits.ping_interval is one",
            "other (relay.toml, line 6): no such table",
            "server.port=a table (relay.toml, line 3): one value is accepted: from 0 to 65535",
        ],
    );
    file(
        "port = 5000\nserver = 1\nPORT = 5000\n",
        &[
            "PORT (relay.toml, line 3): no such table; server.port is a setting",
            "port (relay.toml, line 1): no such table; server.port is a setting",
            "server=1 (relay.toml, line 2): a table is accepted: [server]",
        ],
    );
}

#[test]
fn an_address_of_redis_shows_no_password() {
    environment(
        &[("REDIS_URL", "rediss://ana:secret@redis:port")],
        &["REDIS_URL=rediss://***@redis:port (environment): \
           redis[s]://[user][:password@]host[:port][/database] is accepted"],
    );
    environment(
        &[("REDIS_URL", "redis:6379"), ("REDIS_PEERS_MAY", "join,everything")],
        &[
            "REDIS_PEERS_MAY=join,everything (environment): everything is nothing that may be \
             allowed",
            "REDIS_URL=redis:6379 (environment): \
             redis[s]://[user][:password@]host[:port][/database] is accepted",
        ],
    );
}

#[test]
fn a_parser_that_is_none_is_refused() {
    environment(
        &[("REDIS_URL", "redis://redis"), ("REDIS_PARSER", "msgpack")],
        &["REDIS_PARSER=msgpack (environment): notepack, json or msgpackr is accepted"],
    );
}

#[test]
fn authorities_that_cannot_be_read_are_refused() {
    let missing = [("REDIS_URL", "rediss://redis"), ("REDIS_CA_FILE", "missing.pem")];
    let wrong = Written { environment: &missing, ..Written::default() }.read();
    let wrong: Vec<_> = wrong.err().into_iter().flatten().map(|it| it.to_string()).collect();
    let expected = "REDIS_CA_FILE=missing.pem (environment): a file that can be read is accepted: ";
    assert!(matches!(&wrong[..], [one] if one.starts_with(expected)), "{wrong:?}");
    let empty = [("REDIS_CA_FILE", "relay.toml")];
    let files = [("relay.toml", "")];
    let wrong = Written { environment: &empty, files: &files, ..Written::default() }.read();
    let wrong: Vec<_> = wrong.err().into_iter().flatten().map(|it| it.to_string()).collect();
    assert_eq!(wrong, ["REDIS_CA_FILE=relay.toml (environment): certificates in PEM are accepted"]);
}

#[test]
fn features_that_are_not_there_yet() {
    environment(
        &[("KAFKA_ACKS", "all"), ("MONGO_X", ""), ("REDIS_X", "1")],
        &["KAFKA_ACKS (environment): export to Kafka is not there yet; remove the setting"],
    );
    environment(
        &[("WEBRTC_ENABLED", "False")],
        &["WEBRTC_ENABLED=False (environment): WebRTC signalling is not there yet; remove the \
           setting, or set it to false"],
    );
    dot_env(
        "TURN_CREDENTIAL=secret\nSTUN_SERVERS=a,b\n",
        &[
            "STUN_SERVERS=a,b (.env): WebRTC signalling is not there yet; remove the setting",
            "TURN_CREDENTIAL=*** (.env): WebRTC signalling is not there yet; remove the setting",
        ],
    );
    words(
        &["--mongo-url", "mongodb://a:b@c"],
        &[
            "--mongo-url=mongodb://***@c (command line): history in MongoDB is not there yet; remove \
           the setting",
        ],
    );
    file(
        "[kafka]\nbrokers = 'k:9092'\n[webrtc]\nenabled = false\nstun_servers = [\"a\"]\n",
        &[
            "kafka.brokers=k:9092 (relay.toml, line 2): export to Kafka is not there yet; remove \
             the setting",
            "webrtc.stun_servers=a list (relay.toml, line 5): WebRTC signalling is not there yet; \
             remove the setting",
        ],
    );
}

#[test]
fn what_kubernetes_injects_is_ignored() {
    let injected = [
        ("RELAY_SERVICE_HOST", "10.0.0.1"),
        ("RELAY_SERVICE_PORT", "5000"),
        ("RELAY_SERVICE_PORT_HTTP", "5000"),
        ("RELAY_PORT", "tcp://10.0.0.1:5000"),
        ("RELAY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
        ("RELAY_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("RELAY_1_PORT", "tcp://10.0.0.2:5000"),
        ("REDIS_SERVICE_HOST", "10.0.0.3"),
        ("REDIS_PORT_6379_TCP_PROTO", "tcp"),
        ("KAFKA_PORT", "tcp://10.0.0.4:9092"),
        ("MONGO_SERVICE_PORT", "27017"),
        ("TURN_SERVICE_PORT_UDP", "3478"),
    ];
    environment(&injected, &[]);
    let loaded = Written { environment: &injected, ..Written::default() }.read();
    assert_eq!(loaded.map(|it| it.settings.port).ok(), Some(5000));
    dot_env("RELAY_SERVICE_HOST=10.0.0.1\n", &[]);
}

#[test]
fn lines_that_are_no_settings_do_not_show_what_they_hold() {
    dot_env(
        "PORT=1\nsecret\nHOST=::1\nPASSWORD=my secret\n",
        &[
            ".env: the line after HOST is no setting; NAME=value is accepted, quoted if it has \
             spaces",
            ".env: the line after PORT is no setting; NAME=value is accepted, quoted if it has \
             spaces",
        ],
    );
    dot_env("a directory", &[".env: is a directory"]);
    let toml = Written {
        files: &[("relay.toml", "[server]\nport = 'secret\n[cors\n")],
        ..Written::default()
    };
    let wrong = toml.wrong();
    assert!(wrong.iter().any(|it| it.starts_with("relay.toml, line 2: no TOML: ")), "{wrong:?}");
    assert!(!wrong.is_empty() && wrong.iter().all(|it| !it.contains("secret")), "{wrong:?}");
}

#[test]
fn values_in_the_file() {
    file(
        "[server]\nport = 70_000\nhost = 5\ninstance_id = ''\nshards = [1]\n[drain]\ndelay = 1e3\n\
         window = 2026-01-01\n[cors]\norigin = ['https://a.example', 5]\ncredentials = 1\n",
        &[
            "cors.credentials=1 (relay.toml, line 11): true or false is accepted",
            "cors.origin=a list (relay.toml, line 10): one value is accepted: origins behind \
             commas, such as https://example.com, or * or false",
            "drain.delay=1e3 (relay.toml, line 7): a time from 0s to 24h is accepted, such as 25s \
             or 500ms",
            "drain.window=2026-01-01 (relay.toml, line 8): one value is accepted: from 0s to 24h",
            "server.host=5 (relay.toml, line 3): an IPv4 or IPv6 address is accepted",
            "server.instance_id= (relay.toml, line 4): a name is accepted",
            "server.port=70000 (relay.toml, line 2): a whole number from 0 to 65535 is accepted",
            "server.shards=a list (relay.toml, line 5): one value is accepted: from 1 to 256",
        ],
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    environment(
        &[("RELAY_CONFIG", "other.toml")],
        &[
            "RELAY_CONFIG=other.toml (environment): a file that can be read is accepted: entity not \
           found",
        ],
    );
    words(
        &["--config", "other.toml"],
        &["--config=other.toml (command line): a file that can be read is accepted: entity not \
           found"],
    );
    file("a directory", &["relay.toml: is a directory"]);
    // The strongest names it: the others' files are not looked at.
    let written = Written {
        words: &["--config=a.toml"],
        environment: &[("RELAY_CONFIG", "b.toml")],
        files: &[("a.toml", "[server]\nport = 'x'\n"), ("relay.toml", "nonsense")],
        ..Written::default()
    };
    check(
        &written,
        &["server.port=x (a.toml, line 2): a whole number from 0 to 65535 is accepted"],
    );
}

#[test]
fn the_command_line() {
    words(&["--port"], &["--port (command line): a value must follow: from 0 to 65535"]);
    words(
        &["--port", "-1", "--host="],
        &[
            "--host= (command line): an IPv4 or IPv6 address is accepted",
            "--port=-1 (command line): a whole number from 0 to 65535 is accepted",
        ],
    );
    words(&["--port=1", "--port=2"], &["--port (command line): it stands there twice"]);
    words(&["check", "health"], &["health (command line): one command is accepted"]);
    words(&["check", "--url=x"], &["--url (command line): it belongs to `relay health`"]);
    words(
        &["health", "--url"],
        &["--url (command line): a value must follow: http://host:port/path"],
    );
}

#[test]
fn all_at_once_from_all_places() {
    let written = Written {
        words: &["--shards", "0"],
        environment: &[("PORT", "x"), ("KAFKA_BROKERS", "k"), ("RELAY_NADA", "1")],
        dot_env: Some("HOST=x\n"),
        files: &[("relay.toml", "[drain]\ndelay = 'x'\n")],
    };
    check(
        &written,
        &[
            "--shards=0 (command line): a whole number from 1 to 256 is accepted",
            "HOST=x (.env): an IPv4 or IPv6 address is accepted",
            "KAFKA_BROKERS=k (environment): export to Kafka is not there yet; remove the setting",
            "PORT=x (environment): a whole number from 0 to 65535 is accepted",
            "RELAY_NADA (environment): no such setting",
            "drain.delay=x (relay.toml, line 2): a time from 0s to 24h is accepted, such as 25s or \
             500ms",
        ],
    );
}

#[test]
fn a_wrong_value_is_wrong_where_a_stronger_one_hides_it() {
    let written =
        Written { words: &["--port", "5001"], environment: &[("PORT", "x")], ..Written::default() };
    check(&written, &["PORT=x (environment): a whole number from 0 to 65535 is accepted"]);
}
