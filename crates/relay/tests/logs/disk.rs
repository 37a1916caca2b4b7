//! A log file on a disk that is full for a while. Where no small disk can be mounted, which takes
//! root, the test says so and is over.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{PATIENCE, Running, listens, metric, talk};

/// What keeps room on it, to be given away.
const FILLER_BYTES: usize = 40_000;

/// A file system of 64 KiB, gone with the value.
struct Disk(PathBuf);

impl Disk {
    fn mount() -> Result<Self, String> {
        let name = format!("relay-log-disk-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path);
        let said = match command.output() {
            Ok(output) if output.status.success() => return Ok(Self(path)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let _ = fs::remove_dir(&path);
        Err(said)
    }

    fn is_full(&self) -> bool {
        let more = fs::write(self.0.join("more"), [b'x'; 4_096]);
        more.is_err_and(|error| error.kind() == ErrorKind::StorageFull)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open there keeps it until then.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(log: &Path) -> String {
    fs::read_to_string(log).expect("a log")
}

/// Where it listens, as its log says.
fn address(log: &Path) -> Option<SocketAddr> {
    text(log).split_inclusive('\n').filter(|line| line.ends_with('\n')).find_map(listens)
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_lines_and_nothing_else() {
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(error) => return eprintln!("skipped: no tmpfs can be mounted: {error}"),
    };
    let (filler, log) = (disk.0.join("filler"), disk.0.join("log"));
    fs::write(&filler, [b'x'; FILLER_BYTES]).expect("there is room");
    let file = File::options().create(true).append(true).open(&log).expect("a file");
    let mut running = Running::start(0, file.into());
    wait_until("it listens", || address(&log).is_some());
    let address = address(&log).expect("it said so");

    talk(address);
    wait_until("the disk is full", || disk.is_full());
    let lost = || metric(address, "relay_log_dropped_total");
    wait_until("lines are lost", || lost() > 0);
    let (written, before) = (text(&log), lost());
    talk(address);
    assert!(lost() > before, "none of these has room");
    assert!(text(&log).starts_with(&written));

    fs::remove_file(&filler).expect("it is there");
    let _ = fs::remove_file(disk.0.join("more"));
    wait_until("it says what was lost", || text(&log).contains("\"event\":\"log_dropped\""));
    let told = text(&log).len();
    super::fetch(address, "/socket.io/?EIO=4&transport=pigeon");
    wait_until("there are lines again", || text(&log)[told..].contains("handshake_refused"));
    assert!(running.stop().success());

    // A line that was begun on the full disk was ended, and every other one is whole.
    let lines = text(&log);
    let is_json = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let broken = lines.lines().filter(|line| !is_json(line)).count();
    assert!(broken <= 2 && lines.ends_with('\n'), "{broken} lines are broken");
}
