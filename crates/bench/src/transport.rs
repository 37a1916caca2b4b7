//! How clients reach the server, and which client takes which way.

use clap::ValueEnum;

/// The way of a client's packets (Engine.IO v4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// A WebSocket from the start.
    #[default]
    Websocket,
    /// HTTP long-polling for good: one connection for the GETs, one for the POSTs.
    Polling,
    /// What stock clients do by default: long-polling first, then a probe and the WebSocket.
    Upgrade,
}

impl Transport {
    /// Connections that one client may have open at once.
    #[must_use]
    pub fn connections(self) -> usize {
        match self {
            Self::Websocket => 1,
            Self::Polling => 2,
            Self::Upgrade => 3,
        }
    }

    /// Its name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrade => "upgrade",
        }
    }
}

/// What is special about the clients with the lowest numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The first so many have a thread of their own, so that what they wait for is the server and
    /// not our reading for all the others. It may have real-time priority: none of them may send
    /// at full speed.
    pub express: usize,
    /// The first so many take another transport than the rest.
    pub apart: Option<(usize, Transport)>,
}

impl Plan {
    /// The transport of client `number`, if that of most is `common`.
    #[must_use]
    pub fn transport(&self, number: usize, common: Transport) -> Transport {
        match self.apart {
            Some((count, transport)) if number < count => transport,
            Some(_) | None => common,
        }
    }
}

/// Which clients one thread looks after.
///
/// The express clients, if there are any, belong to thread 0, and it has no others. The rest take
/// turns over the other threads (or over all of them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The number of this thread.
    worker: usize,
    /// The first client of the rest.
    first: usize,
    /// The threads that share the rest, and the number of the first of these threads.
    threads: usize,
    first_thread: usize,
}

impl Share {
    /// The share of thread `worker` of so many.
    pub(crate) fn new(worker: usize, workers: usize, express: usize) -> Self {
        let first_thread = usize::from(express > 0);
        Self { worker, first: express, threads: workers - first_thread, first_thread }
    }

    /// Whether the thread has the express clients alone.
    pub(crate) fn is_express(self) -> bool {
        self.worker < self.first_thread
    }

    /// The common number of the client with this local number.
    pub(crate) fn number(self, local: usize) -> usize {
        if self.is_express() {
            return local;
        }
        self.first + local * self.threads + (self.worker - self.first_thread)
    }

    /// The local number of client `number`, if it belongs to this thread.
    pub(crate) fn local(self, number: usize) -> Option<usize> {
        if self.is_express() {
            return (number < self.first).then_some(number);
        }
        let rest = number.checked_sub(self.first)?;
        let is_ours = rest % self.threads == self.worker - self.first_thread;
        is_ours.then_some(rest / self.threads)
    }

    /// How many clients of this thread have a number below `total`.
    pub(crate) fn count(self, total: usize) -> usize {
        if self.is_express() {
            return total.min(self.first);
        }
        let offset = self.worker - self.first_thread;
        (total.saturating_sub(self.first) + self.threads - 1 - offset) / self.threads
    }
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Its connections are aborted (RST).
    Abort,
    /// It says that it goes, and does not wait for an answer.
    Close,
    /// Its connections stay open and nobody is there any more, as when a phone leaves its network.
    Vanish,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(workers: usize, express: usize, total: usize, expected: &[&[usize]]) {
        for (worker, &expected) in expected.iter().enumerate() {
            let share = Share::new(worker, workers, express);
            let numbers: Vec<_> =
                (0..share.count(total)).map(|local| share.number(local)).collect();
            assert_eq!(numbers, expected, "thread {worker} of {workers}, {express} express");
            let locals: Vec<_> = (0..total).filter_map(|number| share.local(number)).collect();
            assert_eq!(locals, (0..expected.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shares() {
        check(1, 0, 3, &[&[0, 1, 2]]);
        check(2, 0, 5, &[&[0, 2, 4], &[1, 3]]);
        check(2, 2, 5, &[&[0, 1], &[2, 3, 4]]);
        check(3, 2, 7, &[&[0, 1], &[2, 4, 6], &[3, 5]]);
        check(3, 3, 2, &[&[0, 1], &[], &[]]);
        check(2, 0, 0, &[&[], &[]]);
    }

    #[test]
    fn transports() {
        let plan = Plan { apart: Some((2, Transport::Websocket)), ..Plan::default() };
        let chosen: Vec<_> = (1..3).map(|n| plan.transport(n, Transport::Polling)).collect();
        assert_eq!(chosen, [Transport::Websocket, Transport::Polling]);
        assert_eq!(Plan::default().transport(0, Transport::Upgrade), Transport::Upgrade);
    }
}
