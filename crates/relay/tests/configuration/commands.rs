//! The commands of the program itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A working directory of its own, gone with the value.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("relay-configuration-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program with these words and variables alone.
fn relay(directory: &Path, words: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
    command.args(words).current_dir(directory).env_clear().stdin(Stdio::null());
    command.envs(environment.iter().copied());
    command
}

fn run(words: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let directory = Directory::new(&format!("run-{}", words.join("-").replace('/', "_")));
    let Output { status, stdout, stderr } =
        relay(&directory.0, words, environment).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn help_and_version() {
    let (code, out, err) = run(&["--help"], &[("PORT", "x")]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for part in ["Usage: relay", "\nServer\n", "--ping-interval VALUE", "RELAY_PING_INTERVAL"] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert_eq!(out, relay::settings::help());
    let (code, out, _) = run(&["--version"], &[]);
    assert_eq!((code, out), (Some(0), format!("relay {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn check_says_ok_or_everything_that_is_wrong() {
    let (code, out, err) = run(&["check"], &[]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "ok\n", ""));
    let (code, out, err) = run(&["check", "--host=x"], &[("PORT", "x"), ("RELAY_X", "1")]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert!(lines.iter().all(|it| it.starts_with("relay: ")), "{err}");
}

#[test]
fn print_config_needs_a_configuration_that_is_right() {
    let (code, out, _) = run(&["print-config", "--port", "7"], &[]);
    assert_eq!(code, Some(0));
    assert!(out.contains("port = 7  # --port (command line)\n"), "{out}");
    let (code, out, err) = run(&["print-config"], &[("PORT", "x")]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("PORT=x (environment)"), "{err}");
}

#[test]
fn a_wrong_configuration_opens_no_port() {
    let (code, _, err) = run(&[], &[("RELAY_SHARDS", "0"), ("PORT", "0")]);
    assert_eq!(code, Some(1));
    assert!(!err.contains("listening"), "{err}");
}

/// A gateway that ends with the test.
struct Running(Child);

impl Running {
    /// Starts one, and gives the line that says where it listens.
    fn start(mut command: Command) -> (Self, String) {
        let mut running = Self(command.stdout(Stdio::piped()).spawn().expect("the program runs"));
        let stdout = running.0.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let line = lines.find(|it| it.contains("\"event\":\"ready\"")).expect("it listens");
        (running, line)
    }
}

/// What is behind this key of a line of the log.
fn part<'a>(line: &'a str, key: &str) -> &'a str {
    let found = line.split_once(&format!("\"{key}\":\"")).and_then(|(_, it)| it.split_once('"'));
    found.unwrap_or_else(|| panic!("{key} is missing in {line}")).0
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn health_asks_the_instance_of_the_configuration() {
    let directory = Directory::new("health");
    std::fs::write(directory.0.join("relay.toml"), "[server]\nhost = '127.0.0.1'\nport = 0\n")
        .expect("a file");
    let (running, line) = Running::start(relay(&directory.0, &["--shards=1"], &[]));
    let address = part(&line, "address");
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);

    let ask = |words: &[&str]| {
        let output = relay(&directory.0, words, &[]).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    // A loaded machine may take longer than the time-out now and then.
    let healthy = |words: &[&str]| (0..5).map(|_| ask(words)).find(|it| it.0 == Some(0));
    assert!(healthy(&["health", "--port", port]).is_some(), "{port}");
    let url = format!("http://{address}/health");
    assert!(healthy(&["health", "--url", &url]).is_some(), "{url}");
    let missing = format!("http://{address}/nothing");
    assert!((0..5).any(|_| ask(&["health", "--url", &missing]).1.contains("status 404")));
    let (code, text) = ask(&["health"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("name it with --url"), "{text}");
    let (code, text) = ask(&["health", "--url", "https://x"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("is no URL"), "{text}");

    drop(running);
    let (code, _) = ask(&["health", "--port", port]);
    assert_eq!(code, Some(1));
}

/// Whoever asks after its health has the same file as the instance.
#[test]
fn health_asks_where_the_file_says_that_the_routes_are() {
    let directory = Directory::new("health-file");
    let words = ["--shards=1", "--host=127.0.0.1", "--port=0", "--admin-address=127.0.0.1:0"];
    let (running, line) = Running::start(relay(&directory.0, &words, &[]));
    let (address, admin) = (part(&line, "address"), part(&line, "adminAddress"));
    let (_, port) = address.rsplit_once(':').expect("a port");
    let public = format!("[server]\nhost = '127.0.0.1'\nport = {port}\n");
    let file = |name: &str, text: &str| std::fs::write(directory.0.join(name), text);
    file("whole.toml", &format!("{public}[admin]\naddress = '{admin}'\n")).expect("a file");
    file("public.toml", &public).expect("a file");
    let ask = |config: &str, environment: &[(&str, &str)]| {
        let words = ["health", "--config", config];
        let output = relay(&directory.0, &words, environment).output().expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("text"))
    };
    // A loaded machine may take longer than the time-out now and then.
    let until = |config, environment: &[_], code, part: &str| {
        let asked: Vec<_> = (0..5).map(|_| ask(config, environment)).collect();
        let as_said = |it: &&(Option<i32>, String)| it.0 == Some(code) && it.1.contains(part);
        assert!(asked.iter().find(as_said).is_some(), "{config}: {asked:?}");
    };
    until("whole.toml", &[], 0, &format!("http://{admin}/ready: status 200"));
    until("public.toml", &[("ADMIN_ADDRESS", admin)], 0, "status 200");
    // The routes are not where this file says, nor is this file where it was named.
    until("public.toml", &[], 1, &format!("http://{address}/ready: status 404"));
    until("missing.toml", &[], 1, "missing.toml");
    drop(running);
    until("whole.toml", &[], 1, admin);
}
