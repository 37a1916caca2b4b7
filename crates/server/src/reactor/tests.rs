//! Readiness and timers, each on a thread of its own with real sockets.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

use super::{Socket, announce, begin, next_due, sleep, timeout, wake_due};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs `future` on a thread of its own that has a reactor; it is polled only when it was woken.
fn run<T: Send>(future: impl AsyncFnOnce() -> T + Send) -> T {
    let turn = || {
        let mut poll = mio::Poll::new().expect("an epoll");
        begin(&poll).expect("the thread is new");
        let mut events = mio::Events::with_capacity(8);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = flag.clone().into();
        let mut future = pin!(future());
        let until = Instant::now() + PATIENCE;
        loop {
            while flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    assert_eq!(next_due(), None, "timers end with those who wait for them");
                    return done;
                }
            }
            assert!(Instant::now() < until, "nobody woke the task");
            let due = next_due().unwrap_or(until).saturating_duration_since(Instant::now());
            poll.poll(&mut events, Some(due)).expect("it polls");
            events.iter().for_each(announce);
            wake_due();
        }
    };
    std::thread::scope(|scope| scope.spawn(turn).join().expect("it ends"))
}

/// A connection: one end for the task, the other for the test.
fn pair() -> (mio::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let other = std::net::TcpStream::connect(listener.local_addr().expect("bound"));
    let (own, _) = listener.accept().expect("it connects");
    own.set_nonblocking(true).expect("it is a socket");
    (mio::net::TcpStream::from_std(own), other.expect("it listens"))
}

#[test]
fn timers_fire_in_their_order() {
    let order = run(async || {
        let order = Rc::new(RefCell::new(Vec::new()));
        let note = async |name, millis| {
            sleep(Duration::from_millis(millis)).await;
            order.borrow_mut().push(name);
        };
        tokio::join!(note("late", 60), note("early", 20));
        order.take()
    });
    assert_eq!(order, ["early", "late"]);
}

#[test]
fn a_time_out_ends_what_takes_too_long_and_nothing_else() {
    run(async || {
        let short = Duration::from_millis(10);
        assert_eq!(timeout(PATIENCE, async { 1 }).await, Some(1));
        assert_eq!(timeout(short, std::future::pending::<()>()).await, None);
        assert_eq!(timeout(PATIENCE, sleep(short)).await, Some(()));
        assert_eq!(timeout(Duration::MAX, async { 2 }).await, Some(2));
        assert_eq!(next_due(), None);
    });
}

#[test]
fn a_task_is_woken_for_what_its_socket_has() {
    let (own, mut other) = pair();
    let said = run(async move || {
        let socket = Socket::new(own).expect("it registers");
        let mut buffer = [0; 8];
        let mut said = Vec::new();
        for word in [b"one", b"two"] {
            let mut asked = false;
            let read = poll_fn(|cx| {
                let read = socket.poll_read(cx, &mut buffer);
                if read.is_pending() && !std::mem::replace(&mut asked, true) {
                    other.write_all(word).expect("it is open");
                }
                read
            });
            let count = read.await.expect("it is open");
            assert!(asked, "it was asked for before it was there");
            said.extend_from_slice(&buffer[..count]);
        }
        other.shutdown(Shutdown::Write).expect("it is open");
        let end = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await;
        assert_eq!(end.expect("it ended in peace"), 0);
        said
    });
    assert_eq!(said, b"onetwo");
}

#[test]
fn a_writer_waits_until_its_peer_reads() {
    const BYTES: usize = 8 * 1024 * 1024;
    let (own, mut other) = pair();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        other.read_to_end(&mut all).map(|_| all.len())
    });
    run(async move || {
        let socket = Socket::new(own).expect("it registers");
        let bytes = vec![7; 64 * 1024];
        let mut left = BYTES;
        while left > 0 {
            let part = &bytes[..left.min(bytes.len())];
            left -= poll_fn(|cx| socket.poll_write(cx, part)).await.expect("it is open");
        }
        socket.end().expect("it is open");
    });
    assert_eq!(reader.join().expect("it ends").expect("it ended in peace"), BYTES);
}

#[test]
fn a_socket_that_leaves_takes_its_number_along() {
    run(async || {
        for _ in 0..100 {
            let ((own, mut other), mut buffer) = (pair(), [0; 4]);
            let socket = Socket::new(own).expect("it registers");
            let own = socket.into_bare().expect("it was registered");
            let socket = Socket::new(own).expect("it may come back");
            other.write_all(b"mine").expect("it is open");
            let read = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await;
            assert_eq!((read.expect("it is open"), &buffer), (4, b"mine"));
        }
        let count = super::REACTOR.with(|reactor| reactor.sockets.borrow().ready.len());
        assert_eq!(count, 1, "numbers are used again");
    });
}
