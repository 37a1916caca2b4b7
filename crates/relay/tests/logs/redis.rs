//! What the log says when Redis goes and comes. `scripts/services.sh` installs what it needs.

use std::io::BufRead as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Client, Lines, Running, metric};

/// A Redis that ends with the test.
struct Redis(Child);

impl Redis {
    fn start(port: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--requirepass", "s3cret", "--port"]);
        command.arg(port.to_string()).current_dir(std::env::temp_dir());
        Self(command.stdout(Stdio::null()).spawn().expect("redis-server runs"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The next line about Redis.
fn next(lines: &mut Lines) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "it says nothing of Redis");
        assert!(!line.contains("s3cret"), "{line}");
        if line.contains("\"event\":\"redis_") {
            return serde_json::from_str(&line).expect("JSON");
        }
    }
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_else(|| panic!("{key} is missing in {line}"))
}

#[test]
fn that_redis_goes_and_comes_is_said_with_what_was_lost() {
    // Nobody listens there, as far as is known.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let url = format!("--redis-url=redis://:s3cret@{port}");
    let soon = "--cluster-retry-max=100ms".to_owned();
    let (mut running, mut lines, address) = Running::piped_with(&[url, soon]);
    let mut client = Client::join(address, "/relay", "").expect("it comes in");
    let mut lost = 0;
    for _ in 0..2 {
        let down = next(&mut lines);
        assert_eq!((&down["event"], &down["level"]), (&"redis_down".into(), &"warn".into()));
        assert!(down["reason"].as_str().is_some_and(|it| !it.is_empty()), "{down}");
        client.ask(r#"["relay",{"destino":"nosotros"}]"#);
        let dropped = metric(address, "relay_cluster_dropped_total{reason=\"away\"}");
        assert!(dropped > lost, "it was published to nobody");
        let redis = Redis::start(port.port());
        let up = next(&mut lines);
        assert_eq!((&up["event"], &up["level"]), (&"redis_up".into(), &"info".into()));
        assert_eq!((number(&up, "outages"), number(&up, "dropped")), (1, dropped - lost));
        number(&up, "awayMs");
        lost = dropped;
        drop(redis);
    }
    assert!(running.stop().success());
}
