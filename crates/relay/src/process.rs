//! The process as the operating system sees it: what dashboards draw under the names `process_*`.
//!
//! Owns the reading of `/proc/self` and of the clocks; how a figure is written is up to
//! [`crate::metrics`].

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What does not change while the process lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// Seconds since 1970 at which the process started. Read once: derived anew it would move with
    /// the clock, and dashboards take a change for a restart.
    start_time_seconds: f64,
}

/// One reading. What the system does not tell is 0.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Figures {
    /// Seconds of CPU, user and system, of all threads.
    pub(crate) cpu_seconds: f64,
    /// Bytes of memory in use.
    pub(crate) resident_bytes: u64,
    /// Bytes of address space.
    pub(crate) virtual_bytes: u64,
    /// Seconds since 1970.
    pub(crate) start_time_seconds: f64,
    /// Open descriptors.
    pub(crate) open_fds: u64,
    /// How many descriptors it may have; infinite if there is no limit.
    pub(crate) max_fds: f64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Process {
    /// Notes when this process started.
    #[must_use]
    pub(crate) fn new() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = Stat::parse(&stat, 1).start_ticks;
        let after_boot = ticks as f64 / clock_ticks_per_second() as f64;
        let start_time_seconds = clock(ClockId::Realtime) - clock(ClockId::Boottime) + after_boot;
        Self { start_time_seconds }
    }

    /// Reads the figures of now.
    #[must_use]
    pub(crate) fn figures(&self) -> Figures {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let stat = Stat::parse(&stat, page_size() as u64);
        Figures {
            cpu_seconds: clock(ClockId::ProcessCPUTime),
            resident_bytes: stat.resident_bytes,
            virtual_bytes: stat.virtual_bytes,
            start_time_seconds: self.start_time_seconds,
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |it| it as f64),
            threads: stat.threads,
        }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// The fields of `/proc/self/stat` that are read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Stat {
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_bytes: u64,
}

impl Stat {
    /// Reads the line; a field that is not there is 0.
    fn parse(line: &str, page_bytes: u64) -> Self {
        // The second field is the program's name in brackets and may hold blanks and brackets;
        // proc(5) numbers the fields from 1, so the first behind it is number 3.
        let rest = line.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field =
            |number: usize| fields.get(number - 3).and_then(|it| it.parse().ok()).unwrap_or(0);
        Self {
            threads: field(20),
            start_ticks: field(22),
            virtual_bytes: field(23),
            resident_bytes: field(24) * page_bytes,
        }
    }
}

/// Counting the entries of the directory takes milliseconds when there are thousands; since Linux
/// 6.2 its size says how many there are.
fn open_fds() -> u64 {
    let told = fs::metadata("/proc/self/fd").map_or(0, |it| it.len());
    if told > 0 {
        return told;
    }
    // The directory that is being read is one of them, but not for long.
    fs::read_dir("/proc/self/fd").map_or(0, |fds| (fds.count() as u64).saturating_sub(1))
}

fn clock(id: ClockId) -> f64 {
    let time = clock_gettime(id);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::{Process, Stat};

    fn check(line: &str, expect: Stat) {
        assert_eq!(Stat::parse(line, 4096), expect, "{line}");
    }

    #[test]
    fn the_line_of_proc_is_read_whatever_the_name_of_the_program() {
        let rest =
            "S 1 7 7 0 -1 4194304 90 0 0 0 5 6 0 0 20 0 3 0 777 8192 10 18446744073709551615";
        let expect =
            Stat { threads: 3, start_ticks: 777, virtual_bytes: 8_192, resident_bytes: 40_960 };
        check(&format!("7 (relay) {rest}"), expect);
        check(&format!("7 (a) b (c) {rest}"), expect);
        check("", Stat::default());
        check("7 (relay) S 1", Stat::default());
    }

    #[test]
    fn the_figures_are_those_of_a_living_process() {
        let process = Process::new();
        let one = process.figures();
        let files: Vec<_> = (0..50).map(|_| std::fs::File::open("/proc/self/stat")).collect();
        let two = process.figures();
        assert!(files.iter().all(Result::is_ok));
        assert!(two.cpu_seconds > 0.0 && two.cpu_seconds >= one.cpu_seconds, "{two:?}");
        assert!(two.resident_bytes > 100_000 && two.resident_bytes < two.virtual_bytes, "{two:?}");
        assert!(two.open_fds >= 50 && (two.open_fds as f64) <= two.max_fds, "{two:?}");
        assert!(two.threads >= 1, "{two:?}");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0.0, |it| it.as_secs_f64());
        // A test that runs for a day has other troubles.
        assert!((now - 86_400.0..now + 1.0).contains(&two.start_time_seconds), "{two:?}");
        assert_eq!(one.start_time_seconds, two.start_time_seconds);
    }
}
