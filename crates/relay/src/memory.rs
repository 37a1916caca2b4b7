//! How much memory peers may make the process hold: half of what the machine or its container
//! allows.
//!
//! Owns where that is written down (cgroup v2, cgroup v1, `/proc/meminfo`). Does not own what is
//! charged to the budget: that is the hub's.

use std::fmt::{self, Display};
use std::path::{Component, Path, PathBuf};

/// The least budget: less would not hold the outboxes of a handful of clients.
pub const BUDGET_BYTES_MIN: u64 = 64_000_000;

/// The part of the memory that is ours to give to peers: one in this many. The other half is for
/// connections themselves, the kernel's socket buffers, and whoever else runs here.
const SHARE: u64 = 2;

const CGROUPS: &str = "/sys/fs/cgroup";

/// A budget in bytes, and what it was derived from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Bytes.
    pub bytes_max: u64,
    /// Whose memory it is a part of, and how many bytes that has.
    pub of: (Bound, u64),
}

/// Who says how much memory there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bound {
    /// `memory.max` of cgroup v2, the smallest up to the root.
    CgroupV2,
    /// `memory.limit_in_bytes` of cgroup v1, the smallest up to the root.
    CgroupV1,
    /// `MemTotal` of the machine.
    Machine,
}

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "the limit of the cgroup (v2)",
            Self::CgroupV1 => "the limit of the cgroup (v1)",
            Self::Machine => "the memory of the machine",
        })
    }
}

impl Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| bytes / 1_000_000;
        let (bound, bytes) = self.of;
        let how = if self.bytes_max > bytes / SHARE { "at least, of" } else { "half of" };
        write!(f, "{} MB, {how} {bound}, {} MB", mb(self.bytes_max), mb(bytes))
    }
}

impl Budget {
    /// What this process may use. `None`: nothing says how much memory there is.
    #[must_use]
    pub fn detect() -> Option<Self> {
        Self::read(|path| std::fs::read_to_string(path).ok())
    }

    fn read(file: impl Fn(&Path) -> Option<String>) -> Option<Self> {
        let cgroups = file(Path::new("/proc/self/cgroup")).unwrap_or_default();
        let mut bounds = Vec::new();
        for (bound, files) in limit_files(&cgroups) {
            bounds.extend(files.iter().filter_map(|it| limit(&file(it)?)).map(|it| (it, bound)));
        }
        let machine = file(Path::new("/proc/meminfo")).as_deref().and_then(total);
        bounds.extend(machine.map(|it| (it, Bound::Machine)));
        // Cgroup v1 writes "no limit" as a number: the machine's is smaller.
        let (bytes, bound) = bounds.into_iter().min()?;
        Some(Self { bytes_max: (bytes / SHARE).max(BUDGET_BYTES_MIN), of: (bound, bytes) })
    }
}

/// The files that may hold a limit for a process with these cgroups (cgroups(7),
/// `hierarchy:controllers:path`): those of its own group and of every group above it.
fn limit_files(cgroups: &str) -> Vec<(Bound, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(hierarchy), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (bound, root, name) = if hierarchy == "0" && controllers.is_empty() {
            (Bound::CgroupV2, Path::new(CGROUPS).to_owned(), "memory.max")
        } else if controllers.split(',').any(|it| it == "memory") {
            (Bound::CgroupV1, Path::new(CGROUPS).join(controllers), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let inside: PathBuf = Path::new(path)
            .components()
            .filter(|it| matches!(it, Component::Normal(_) | Component::ParentDir))
            .collect();
        // A container may see its own group as the root, and its path from outside: then only
        // the root is there. Above the root ("..") is nothing that could be read.
        let inside = if inside.starts_with("..") { Path::new("") } else { &inside };
        let files = inside.ancestors().map(|it| root.join(it).join(name)).collect();
        found.push((bound, files));
    }
    found
}

/// A limit in bytes; `max` is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{BUDGET_BYTES_MIN, Bound, Budget};
    use std::path::Path;

    const MEMINFO: (&str, &str) =
        ("/proc/meminfo", "MemTotal:        4000000 kB\nMemFree:  5 kB\n");
    const MACHINE: u64 = 4_096_000_000;

    /// What the files of a machine make of the budget.
    fn check(files: &[(&str, &str)], expect: Option<(u64, Bound)>) {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        let budget = Budget::read(read);
        assert_eq!(budget.map(|it| (it.of.1, it.of.0)), expect, "{files:?}");
        let half = expect.map(|(bytes, _)| (bytes / 2).max(BUDGET_BYTES_MIN));
        assert_eq!(budget.map(|it| it.bytes_max), half, "{files:?}");
    }

    #[test]
    fn without_a_limit_it_is_the_machine() {
        let machine = Some((MACHINE, Bound::Machine));
        check(&[MEMINFO], machine);
        check(&[MEMINFO, ("/proc/self/cgroup", "0::/\n")], machine);
        let v2 = ("/proc/self/cgroup", "0::/a\n");
        check(&[MEMINFO, v2, ("/sys/fs/cgroup/a/memory.max", "max\n")], machine);
        let v1 = ("/proc/self/cgroup", "4:memory:/\n");
        let none = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        check(&[MEMINFO, v1, none], machine);
        check(&[MEMINFO, ("/proc/self/cgroup", "nonsense\n1:cpu\n")], machine);
    }

    #[test]
    fn the_smallest_limit_up_to_the_root_counts() {
        let own = ("/proc/self/cgroup", "0::/a/b\n");
        let below = ("/sys/fs/cgroup/a/b/memory.max", "800000000\n");
        let above = ("/sys/fs/cgroup/a/memory.max", "600000000\n");
        let root = ("/sys/fs/cgroup/memory.max", "700000000\n");
        check(&[MEMINFO, own, below], Some((800_000_000, Bound::CgroupV2)));
        check(&[MEMINFO, own, below, above, root], Some((600_000_000, Bound::CgroupV2)));
        check(&[own, root], Some((700_000_000, Bound::CgroupV2)));
    }

    #[test]
    fn a_container_whose_path_is_seen_from_outside_reads_the_root() {
        let limit = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "500000000\n");
        let own = ("/proc/self/cgroup", "9:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n");
        check(&[MEMINFO, own, limit], Some((500_000_000, Bound::CgroupV1)));
        let limit = ("/sys/fs/cgroup/memory.max", "500000000\n");
        let own = ("/proc/self/cgroup", "0::/../../other\n");
        check(&[MEMINFO, own, limit], Some((500_000_000, Bound::CgroupV2)));
    }

    #[test]
    fn a_small_container_still_gets_the_least() {
        let own = ("/proc/self/cgroup", "0::/\n");
        let root = ("/sys/fs/cgroup/memory.max", "32000000\n");
        check(&[MEMINFO, own, root], Some((32_000_000, Bound::CgroupV2)));
    }

    #[test]
    fn nothing_to_read_is_no_budget() {
        check(&[], None);
        check(&[("/proc/meminfo", "MemTotal: x kB\n")], None);
    }

    #[test]
    fn it_says_what_it_is_half_of() {
        let say = |bytes_max, of| Budget { bytes_max, of }.to_string();
        assert_eq!(
            say(2_048_000_000, (Bound::Machine, MACHINE)),
            "2048 MB, half of the memory of the machine, 4096 MB"
        );
        assert_eq!(
            say(BUDGET_BYTES_MIN, (Bound::CgroupV2, 32_000_000)),
            "64 MB, at least, of the limit of the cgroup (v2), 32 MB"
        );
    }
}
