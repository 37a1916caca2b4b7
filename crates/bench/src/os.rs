//! What the generator asks of the kernel beside sockets: descriptors, CPU clocks, a timer finer
//! than a millisecond, and connections from chosen addresses.

use crate::clock::{Nanos, SECOND};
use mio::net::TcpStream;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
use rustix::process::{Resource, Rlimit};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;
use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// Raises the limit on open files to the hard limit and returns it.
///
/// # Errors
/// When the kernel refuses.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit { current: limit.maximum, maximum: limit.maximum },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Nanos {
    to_nanos(rustix::time::clock_gettime(ClockId::ThreadCPUTime))
}

fn to_nanos(time: Timespec) -> Nanos {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// How the scheduler treats the calling thread, compared with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preference {
    /// Like all others.
    None,
    /// It gets more time (nice -5), but waits for the slice of who runs already: milliseconds.
    Nice,
    /// It runs as soon as it has something to do (`SCHED_FIFO`).
    Realtime,
}

/// Lets the calling thread be preferred by the scheduler, as far as the kernel permits it. It must
/// sleep nearly always: at real-time priority nothing else would get its core.
#[must_use]
pub fn prefer_this_thread() -> Preference {
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let thread = thread_priority::unix::thread_native_id();
    let lowest = ThreadPriority::Min;
    if thread_priority::unix::set_thread_priority_and_policy(thread, lowest, fifo).is_ok() {
        return Preference::Realtime;
    }
    // Linux: process 0 in this call is the calling thread alone.
    match rustix::process::setpriority_process(None, -5) {
        Ok(()) => Preference::Nice,
        Err(_) => Preference::None,
    }
}

/// Makes the closing of `stream` abort the connection (RST) instead of ending it (FIN).
///
/// # Errors
/// When the socket is gone.
pub fn abort_on_close(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?)
}

/// Begins a connection; it is open, or has failed, when the stream becomes writable.
///
/// # Errors
/// When there is no descriptor or port left, or the kernel refuses at once.
pub fn dial(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    // A message must leave when it is due, not when the previous one was acknowledged.
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(source) = source {
        rustix::net::bind(&socket, &SocketAddr::new(source, 0))?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// A one-shot timer that an epoll instance can wait for.
///
/// The time-out of `epoll_wait` is rounded up to whole milliseconds, which would be added to
/// every latency that counts from a scheduled time.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    armed_for: Option<Nanos>,
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { fd, armed_for: None })
    }

    /// Arms the timer for the moment `at`, given that it is `now`.
    ///
    /// # Errors
    /// When the kernel refuses the time.
    pub fn arm(&mut self, now: Nanos, at: Nanos) -> io::Result<()> {
        if self.armed_for == Some(at) && at > now {
            return Ok(());
        }
        // A time of zero would disarm.
        let after = at.saturating_sub(now).max(1);
        let time = Timespec {
            tv_sec: i64::try_from(after / SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(after % SECOND).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: time };
        rustix::time::timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
        self.armed_for = Some(at);
        Ok(())
    }

    /// For registration with an epoll instance, edge-triggered: the count of expirations is
    /// never read.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
