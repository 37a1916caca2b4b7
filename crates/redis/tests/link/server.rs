//! A Redis of its own for each test: started on a free port in a folder of its own, ended by its
//! process id. `scripts/services.sh` installs what it needs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The machine may be slow: nothing here is about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis server, running or not.
pub(crate) struct Redis {
    pub(crate) port: u16,
    /// Where it speaks TLS, if it does.
    pub(crate) tls_port: u16,
    pub(crate) folder: PathBuf,
    pub(crate) options: Vec<String>,
    process: Option<Child>,
}

impl Redis {
    /// One that runs.
    pub(crate) fn start(options: &[&str]) -> Self {
        loop {
            let mut redis = Self::absent(options);
            if redis.try_run() {
                return redis;
            }
        }
    }

    /// One that will run.
    pub(crate) fn absent(options: &[&str]) -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = format!("relay-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let options = options.iter().map(|it| (*it).to_owned()).collect();
        Self { port, tls_port: 0, folder, options, process: None }
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn run(&mut self) {
        while !self.try_run() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts it, and waits until it answers. False if somebody else took the port meanwhile.
    pub(crate) fn try_run(&mut self) -> bool {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.port.to_string())
            .args(&self.options)
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server: {error}; see scripts/services.sh"));
        let process = self.process.insert(process);
        let begun = Instant::now();
        loop {
            if process.try_wait().expect("a child").is_some() {
                return false;
            }
            if command(self.port, "PING").is_some() {
                return true;
            }
            assert!(begun.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Stops it, or lets it go on: it keeps its connections.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs");
        let pid = process.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.expect("kill").success());
    }

    /// Gives it a command without answers of several parts; the first line of the answer.
    pub(crate) fn command(&self, line: &str) -> Option<String> {
        command(self.port, line)
    }

    /// How many commands it has worked off.
    pub(crate) fn commands(&self) -> u64 {
        let stats = answer(self.port, "INFO stats").expect("an answer");
        let mut counts =
            stats.lines().filter_map(|it| it.strip_prefix("total_commands_processed:"));
        counts.next().expect("a count").parse().expect("a number")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        // Nothing of it is needed, and nothing depends on its removal.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn command(port: u16, line: &str) -> Option<String> {
    Some(answer(port, line)?.lines().next()?.to_owned())
}

/// The beginning of the answer to a command.
fn answer(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
    let mut answer = [0; 1_024];
    let length = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}
