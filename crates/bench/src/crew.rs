//! The generator's threads, driven from one place.
//!
//! The caller gives a command, all threads carry it out over their own clients, and their
//! outcomes are merged. Between two commands nobody serves the clients: the caller goes on at
//! once.

use crate::clock::{Clock, MILLISECOND, Nanos, SECOND, nanos};
use crate::fleet::Loop;
use crate::job::dial::{DialJob, DialOutcome};
use crate::job::rooms::RoomsJob;
use crate::job::run::RunJob;
use crate::job::storm::{StormJob, StormOutcome};
use crate::load::{Load, Outcome, Run};
use crate::os::{self, Preference};
use crate::payload::Template;
use crate::target::Target;
use crate::transport::Farewell;
use crate::transport::Share;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the caller is given time while the threads work.
const TICK: Duration = Duration::from_millis(50);

/// A run begins so long after its command, so that all threads have begun.
const HEAD_START: Nanos = 5 * MILLISECOND;

enum Command {
    /// Have so many clients; the time between two connections of one thread.
    Dial {
        clients: usize,
        interval: Nanos,
    },
    /// Join so many rooms by an event of this name.
    JoinRooms {
        event: String,
        rooms: usize,
    },
    Run(Arc<Run>),
    /// Drop all connections and return, so many at once.
    Storm {
        at_once: usize,
        farewells: &'static [Farewell],
    },
    /// Close all connections.
    HangUp,
}

enum Answer {
    Dialed(Box<DialOutcome>),
    Acknowledged(usize),
    Ran(Box<Outcome>),
    Returned(Box<StormOutcome>),
    Failed(io::Error),
}

struct Worker {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// The threads and their clients.
pub struct Crew {
    workers: Vec<Worker>,
    answers: Receiver<Answer>,
    clock: Clock,
    next_from: u32,
    preference: Preference,
}

impl Crew {
    /// Starts `threads` threads without clients, and one more for the express clients of the
    /// target's plan, if it has any. The kernel is asked to prefer that one: on a machine with few
    /// cores it must not wait for those who read a burst for thousands.
    ///
    /// # Errors
    /// When a thread or its descriptors cannot be had.
    pub fn new(target: &Arc<Target>, template: &Arc<Template>, threads: usize) -> io::Result<Self> {
        let clock = Clock::start();
        let (report, answers) = channel();
        let (preferring, preferred) = channel();
        let express = target.plan.express;
        let total = threads + usize::from(express > 0);
        let mut workers = Vec::new();
        for index in 0..total {
            let share = Share::new(index, total, express);
            let serve = Loop::new(Arc::clone(target), clock, share, total, index as u64)?;
            let (commands, orders) = channel();
            let (template, report) = (Arc::clone(template), report.clone());
            let preferring = preferring.clone();
            let thread =
                std::thread::Builder::new().name(format!("bench-{index}")).spawn(move || {
                    // Nobody listens any more when the crew could not be completed.
                    let _ = preferring.send(if share.is_express() {
                        os::prefer_this_thread()
                    } else {
                        Preference::None
                    });
                    obey(serve, &template, &orders, &report);
                })?;
            workers.push(Worker { commands, thread: Some(thread) });
        }
        let preference = preferred.iter().take(total).max().unwrap_or(Preference::None);
        Ok(Self { workers, answers, clock, next_from: 0, preference })
    }

    /// How the kernel prefers the express clients' thread.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.preference
    }

    /// Connects until there are `clients` in all, `per_second` of them a second.
    ///
    /// # Errors
    /// When a thread's epoll instance fails.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an interval of positive seconds; a double saturates when cast"
    )]
    pub fn dial(&mut self, clients: usize, per_second: f64) -> io::Result<DialOutcome> {
        let threads = self.workers.len();
        let interval = (SECOND as f64 * threads as f64 / per_second) as Nanos;
        let mut merged = DialOutcome::default();
        for answer in self.ask(|| Command::Dial { clients, interval }, || {})? {
            if let Answer::Dialed(outcome) = answer {
                merged.merge(*outcome);
            }
        }
        Ok(merged)
    }

    /// Puts client `i` into room `i % rooms`; returns how many were acknowledged.
    ///
    /// # Errors
    /// When a thread's epoll instance fails.
    pub fn join_rooms(&mut self, event: &str, rooms: usize) -> io::Result<usize> {
        let command = || Command::JoinRooms { event: event.to_owned(), rooms };
        let answers = self.ask(command, || {})?;
        let acknowledged = |answer: &Answer| match answer {
            Answer::Acknowledged(count) => *count,
            Answer::Dialed(_) | Answer::Ran(_) | Answer::Returned(_) | Answer::Failed(_) => 0,
        };
        Ok(answers.iter().map(acknowledged).sum())
    }

    /// Carries out a load; `on_tick` is called now and then meanwhile.
    ///
    /// # Errors
    /// When a thread's epoll instance fails.
    pub fn run(&mut self, load: Load, on_tick: impl FnMut()) -> io::Result<Outcome> {
        let senders: usize = load.streams.iter().map(|stream| stream.senders.len()).sum();
        let start = self.clock.now() + HEAD_START;
        let run = Arc::new(Run {
            start,
            end: start + nanos(load.duration),
            from_base: self.next_from,
            sent: (0..senders).map(|_| AtomicU64::new(0)).collect(),
            finished: AtomicUsize::new(0),
            load,
        });
        self.next_from += u32::try_from(senders).unwrap_or(u32::MAX);
        let mut merged = Outcome::default();
        for answer in self.ask(|| Command::Run(Arc::clone(&run)), on_tick)? {
            if let Answer::Ran(outcome) = answer {
                merged.merge(*outcome);
            }
        }
        Ok(merged)
    }

    /// Drops all connections, the clients' in these ways in turn, and lets the clients return, up to
    /// `at_once` of them at a time; `on_tick` is called now and then meanwhile.
    ///
    /// # Errors
    /// When a thread's epoll instance fails.
    pub fn storm(
        &mut self,
        at_once: usize,
        farewells: &'static [Farewell],
        on_tick: impl FnMut(),
    ) -> io::Result<StormOutcome> {
        let at_once = at_once.div_ceil(self.workers.len());
        let mut merged = StormOutcome::default();
        for answer in self.ask(|| Command::Storm { at_once, farewells }, on_tick)? {
            if let Answer::Returned(outcome) = answer {
                merged.merge(*outcome);
            }
        }
        Ok(merged)
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// None that is expected.
    pub fn hang_up(&mut self) -> io::Result<()> {
        self.ask(|| Command::HangUp, || {}).map(|_| ())
    }

    /// Gives every thread a command and waits for all answers.
    fn ask(
        &mut self,
        command: impl Fn() -> Command,
        mut on_tick: impl FnMut(),
    ) -> io::Result<Vec<Answer>> {
        let gone = || io::Error::other("a thread of the generator has ended");
        for worker in &self.workers {
            worker.commands.send(command()).map_err(|_| gone())?;
        }
        let mut answers = Vec::new();
        while answers.len() < self.workers.len() {
            match self.answers.recv_timeout(TICK) {
                Ok(Answer::Failed(error)) => return Err(error),
                Ok(answer) => answers.push(answer),
                Err(RecvTimeoutError::Timeout) => on_tick(),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        Ok(answers)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in self.workers.drain(..) {
            // The thread ends when there is nobody left to command it.
            drop(worker.commands);
            if let Some(thread) = worker.thread {
                let _ = thread.join();
            }
        }
    }
}

/// The life of one thread.
fn obey(mut serve: Loop, template: &Template, orders: &Receiver<Command>, report: &Sender<Answer>) {
    while let Ok(command) = orders.recv() {
        let answer = carry_out(&mut serve, template, command).unwrap_or_else(Answer::Failed);
        if report.send(answer).is_err() {
            return;
        }
    }
}

fn carry_out(serve: &mut Loop, template: &Template, command: Command) -> io::Result<Answer> {
    let now = serve.fleet.clock.now();
    match command {
        Command::Dial { clients, interval } => {
            let mut job = DialJob::new(serve.fleet.share.count(clients), interval, now);
            let cpu_before = os::thread_cpu();
            serve.drive(&mut job)?;
            job.outcome.cpu = os::thread_cpu() - cpu_before;
            Ok(Answer::Dialed(Box::new(job.outcome)))
        }
        Command::JoinRooms { event, rooms } => {
            let mut job = RoomsJob::new(event, rooms, now);
            serve.drive(&mut job)?;
            Ok(Answer::Acknowledged(job.acknowledged))
        }
        Command::Run(run) => {
            let mut job = RunJob::new(&run, template, &serve.fleet);
            serve.read_missed(&mut job);
            serve.drive(&mut job)?;
            Ok(Answer::Ran(Box::new(job.finish(&serve.fleet))))
        }
        Command::Storm { at_once, farewells } => {
            let mut job = StormJob::new(&serve.fleet, at_once, farewells, now);
            let cpu_before = os::thread_cpu();
            serve.drive(&mut job)?;
            Ok(Answer::Returned(Box::new(job.finish(os::thread_cpu() - cpu_before))))
        }
        Command::HangUp => {
            serve.fleet.clients.clear();
            Ok(Answer::Acknowledged(0))
        }
    }
}
