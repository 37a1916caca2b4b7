//! CPU time and memory of the measured server, read from `/proc`.
//!
//! A server may be several processes; their figures are summed.

use crate::clock::Nanos;
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::fs;
use std::io;

/// `USER_HZ`: the unit of times in `/proc/PID/stat`, 100 a second on every Linux of today.
const TICK: Nanos = 10_000_000;

/// The processes of the server.
#[derive(Clone, Debug)]
pub struct Server {
    pids: Vec<u32>,
}

/// CPU time used up to a moment.
#[derive(Clone, Debug, Default)]
pub struct CpuSample {
    /// Per thread, exact: `(process, thread)` to nanoseconds on a CPU.
    threads: BTreeMap<(u32, u32), Nanos>,
    /// Over all threads, ended ones too, in coarse ticks.
    ticks: Nanos,
}

impl CpuSample {
    /// CPU time between `earlier` and this sample.
    ///
    /// The exact figure misses threads that ended in between; the coarse one does not, so it is
    /// taken when it is larger by more than its own rounding (a tick each for user and system
    /// time, at both ends).
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Nanos {
        let before = |id| earlier.threads.get(id).copied().unwrap_or(0);
        let exact = self.threads.iter().map(|(id, now)| now.saturating_sub(before(id))).sum();
        let coarse = self.ticks.saturating_sub(earlier.ticks);
        if self.threads.is_empty() || coarse > exact + 4 * TICK { coarse } else { exact }
    }
}

impl Server {
    /// The processes with these ids; `None` when there are none.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn new(pids: &[u32]) -> io::Result<Option<Self>> {
        if pids.is_empty() {
            return Ok(None);
        }
        let server = Self { pids: pids.to_vec() };
        server.cpu()?;
        server.rss_bytes()?;
        Ok(Some(server))
    }

    /// CPU time used so far.
    ///
    /// # Errors
    /// When a process has ended.
    pub fn cpu(&self) -> io::Result<CpuSample> {
        let mut sample = CpuSample::default();
        for &pid in &self.pids {
            sample.ticks += cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?);
            for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
                let entry = entry?;
                let Some(tid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                // The thread may have ended since; kernels without the file fall back on ticks.
                let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
                let on_cpu = text.split_ascii_whitespace().next().and_then(|n| n.parse().ok());
                sample.threads.insert((pid, tid), on_cpu.unwrap_or(0));
            }
        }
        Ok(sample)
    }

    /// Resident memory in bytes, exact but not cheap (the kernel walks the page tables).
    ///
    /// # Errors
    /// When a process has ended.
    pub fn rss_bytes(&self) -> io::Result<u64> {
        let mut sum = 0;
        for &pid in &self.pids {
            sum += match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
                Ok(text) => field_kib(&text, "Rss:") * 1024,
                Err(_) => field_kib(&fs::read_to_string(status_path(pid))?, "VmRSS:") * 1024,
            };
        }
        Ok(sum)
    }

    /// Resident memory in bytes, cheap: off by up to some hundred KB. For watching a peak.
    ///
    /// # Errors
    /// When a process has ended.
    pub fn rss_bytes_roughly(&self) -> io::Result<u64> {
        let mut sum = 0;
        for &pid in &self.pids {
            sum += field_kib(&fs::read_to_string(status_path(pid))?, "VmRSS:") * 1024;
        }
        Ok(sum)
    }

    /// Stops all processes until the returned guard is dropped.
    ///
    /// # Errors
    /// When a process has ended or belongs to somebody else.
    pub fn stop(&self) -> io::Result<Stopped<'_>> {
        let stopped = Stopped { server: self };
        self.signal(Signal::STOP)?;
        Ok(stopped)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        for &pid in &self.pids {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
            rustix::process::kill_process(pid, signal)?;
        }
        Ok(())
    }
}

/// A stopped server; dropping it lets the server go on.
#[derive(Debug)]
pub struct Stopped<'a> {
    server: &'a Server,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        // One that has ended meanwhile needs no continuation.
        let _ = self.server.signal(Signal::CONT);
    }
}

fn status_path(pid: u32) -> String {
    format!("/proc/{pid}/status")
}

/// User and system time in `/proc/PID/stat`: fields 14 and 15, counted after the command, which
/// is in parentheses and may contain anything.
fn cpu_ticks(stat: &str) -> Nanos {
    let after_command = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = after_command.split_ascii_whitespace().skip(11).take(2);
    times.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * TICK
}

/// The number after `key` in a list of `key: number kB`.
fn field_kib(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_command() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), 300 * TICK);
        assert_eq!(cpu_ticks(""), 0);
    }

    #[test]
    fn fields() {
        assert_eq!(field_kib("Name:\tx\nVmRSS:\t    1234 kB\n", "VmRSS:"), 1234);
        assert_eq!(field_kib("Name:\tx\n", "VmRSS:"), 0);
    }

    #[test]
    fn differences_of_samples() {
        let sample = |threads: &[(u32, Nanos)], ticks| CpuSample {
            threads: threads.iter().map(|&(tid, ns)| ((1, tid), ns)).collect(),
            ticks,
        };
        let check = |before: CpuSample, after: CpuSample, expected| {
            assert_eq!(after.since(&before), expected);
        };
        check(sample(&[(1, 5)], 0), sample(&[(1, 8), (2, 4)], TICK), 7);
        check(sample(&[(1, 5), (2, 9)], 0), sample(&[(1, 8)], 0), 3);
        // A thread that used 9 ticks has ended.
        check(sample(&[(1, 0)], 0), sample(&[(1, 8)], 9 * TICK), 9 * TICK);
        check(sample(&[], TICK), sample(&[], 3 * TICK), 2 * TICK);
    }

    #[test]
    fn this_process_can_be_read() {
        let server = Server::new(&[std::process::id()]).unwrap().unwrap();
        assert!(server.rss_bytes().unwrap() > 100_000);
        assert!(server.rss_bytes_roughly().unwrap() > 100_000);
        assert!(Server::new(&[]).unwrap().is_none());
        assert!(Server::new(&[u32::MAX]).is_err());
    }
}
