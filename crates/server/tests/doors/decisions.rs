//! Clients whom somebody thinks about for seconds, and the others, who do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use relay_server::hub::Limits;

use crate::client::Client;
use crate::{PATIENCE, Running, at_all_sizes, wait_until};

/// How long somebody thinks.
const THOUGHT: Duration = Duration::from_secs(5);

/// No reply to anybody else takes so long; one that waited for a thought would.
const LATE: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits { decision_timeout: PATIENCE, connect_timeout: PATIENCE * 2, ..Limits::default() }
}

/// A server, and a thread that thinks about each slow client for its time and lets it in.
struct Thinking {
    running: Running,
    decided: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Thinking {
    fn start(limits: Limits, shards: usize, thought: Duration) -> Self {
        let (thinker, asked) = channel();
        let running = Running::start(limits, shards, &thinker, |_| {});
        // The thread ends with the shards.
        drop(thinker);
        let (handle, decided) = (running.handle.clone(), Arc::new(AtomicUsize::new(0)));
        let count = decided.clone();
        let thread = thread::spawn(move || {
            for (ticket, since) in asked {
                let due: Instant = since + thought;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                count.fetch_add(1, Ordering::SeqCst);
                handle.decide(ticket, Ok(()));
            }
        });
        Self { running, decided, thread }
    }

    fn decided(&self) -> usize {
        self.decided.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.running.stat(|it| it.decisions.get())).expect("few")
    }

    fn slow_client(&self) -> Client {
        let mut client = Client::open(self.running.address);
        client.send("40{\"slow\":true}");
        client
    }

    fn finish(self) {
        self.running.finish();
        self.thread.join().expect("it thinks to the end");
    }
}

/// How long something took.
fn timed<T>(longest: &mut Duration, act: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let made = act();
    *longest = started.elapsed().max(*longest);
    made
}

#[test]
fn a_slow_decision_delays_nobody_else() {
    at_all_sizes(|shards| {
        let it = Thinking::start(limits(), shards, THOUGHT);
        let address = it.running.address;
        let mut slow = it.slow_client();
        wait_until("somebody thinks", || it.waiting() == 1);
        let (mut longest, mut rounds) = (Duration::ZERO, 0);
        let mut others: Vec<Client> = Vec::new();
        while it.decided() == 0 {
            if others.len() == 10 {
                // Others come and go all the time.
                others.remove(0);
            }
            while others.len() < 10 {
                let client = timed(&mut longest, || {
                    let mut client = Client::open(address);
                    client.join();
                    client
                });
                others.push(client);
            }
            for client in &mut others {
                timed(&mut longest, || client.echo(rounds));
            }
            rounds += 1;
            thread::sleep(Duration::from_millis(20));
        }
        assert!(rounds > 1, "the others went on meanwhile");
        assert!(longest < LATE, "somebody waited for {longest:?}");
        let answer = slow.next().expect("an answer");
        assert!(answer.starts_with("40{\"sid\":\"~"), "{answer}");
        slow.echo(1);
        assert_eq!(it.running.stat(|it| it.decisions_overdue.get()), 0);
        drop((slow, others));
        it.finish();
    });
}

/// What became of clients.
#[derive(Default)]
struct Outcomes {
    admitted: usize,
    refused: usize,
}

impl Outcomes {
    fn note(&mut self, answer: &str) {
        if answer == "44{\"message\":\"Server busy\"}" {
            self.refused += 1;
        } else {
            assert!(answer.starts_with("40{\"sid\":\"~"), "{answer}");
            self.admitted += 1;
        }
    }
}

/// A thousand clients whom somebody must think about, on so many shards, each with a bound.
fn crowd(shards: usize, decisions_max: usize) {
    const CROWD: usize = 1_000;
    let it = Thinking::start(Limits { decisions_max, ..limits() }, shards, THOUGHT);
    let bound = shards.saturating_mul(decisions_max);
    let mut honest: Vec<_> = (0..5).map(|_| Client::open(it.running.address)).collect();
    for client in &mut honest {
        client.join();
    }
    let (mut longest, mut slow, mut late) = (Duration::ZERO, Vec::new(), Outcomes::default());
    for n in 0..CROWD {
        slow.push(it.slow_client());
        assert!(it.waiting() <= bound);
        if n % 50 == 0 {
            for client in &mut honest {
                timed(&mut longest, || client.echo(n));
            }
            // Whoever is decided on at once gets in, however busy the shard is.
            let mut client = Client::open(it.running.address);
            client.send("40");
            late.note(&timed(&mut longest, || client.next()).expect("an answer"));
        }
    }
    assert_eq!(late.refused, 0, "whoever is decided on at once gets in");
    let mut outcomes = Outcomes::default();
    for client in &mut slow {
        outcomes.note(&client.next().expect("an answer"));
    }
    assert!(longest < LATE, "somebody waited for {longest:?}");
    assert_eq!(outcomes.admitted + outcomes.refused, CROWD);
    assert!(outcomes.admitted <= it.decided(), "nobody gets in without a decision");
    assert_eq!(outcomes.refused > 0, bound < CROWD);
    let refused = it.running.stat(|it| it.connects_refused.get());
    assert_eq!(refused, (outcomes.refused + late.refused) as u64, "each refusal is counted");
    assert_eq!((it.waiting(), it.running.stat(|it| it.decisions_overdue.get())), (0, 0));
    // With all decisions made there is room again.
    for mut client in (0..10).map(|_| Client::open(it.running.address)) {
        client.join();
    }
    for client in &mut honest {
        client.echo(CROWD);
    }
    drop((slow, honest));
    wait_until("descriptors are free", || it.running.stats.open.load(Ordering::SeqCst) == 0);
    it.finish();
}

#[test]
fn a_crowd_that_is_thought_about_harms_nobody() {
    crowd(1, 20_000);
    crowd(2, 20_000);
    crowd(4, 20_000);
}

#[test]
fn beyond_the_bound_a_crowd_is_refused_at_once() {
    crowd(1, 200);
    crowd(2, 200);
    crowd(4, 100);
}

#[test]
fn whoever_is_thought_about_for_too_long_is_refused() {
    at_all_sizes(|shards| {
        let soon = Duration::from_millis(500);
        let it = Thinking::start(Limits { decision_timeout: soon, ..limits() }, shards, THOUGHT);
        let mut slow: Vec<_> = (0..50).map(|_| it.slow_client()).collect();
        let mut outcomes = Outcomes::default();
        for client in &mut slow {
            outcomes.note(&client.next().expect("an answer"));
        }
        assert_eq!((outcomes.admitted, outcomes.refused), (0, 50));
        assert_eq!(it.running.stat(|it| it.decisions_overdue.get()), 50);
        // The thoughts come to their ends all the same; nobody hears of them.
        wait_until("all thoughts are over", || it.decided() == 50);
        for client in &mut slow {
            client.join();
            client.echo(1);
        }
        drop(slow);
        it.finish();
    });
}
