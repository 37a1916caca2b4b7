//! What other threads do on the shards of a running server.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use relay_server::hub::{Audience, Broadcast, CallLimits, Context, Limits, Packet, Room, SocketId};
use relay_server::{Busy, Handle};

use crate::client::Client;
use crate::{Echo, PATIENCE, Running, at_all_sizes};

/// Does something on a shard and waits for what comes of it.
fn call<T: Send + 'static>(
    handle: &Handle<Echo>,
    shard: usize,
    act: impl FnOnce(&mut Context<'_, ()>) -> T + Send + 'static,
) -> T {
    let (done, made) = channel();
    handle.call(shard, move |cx| done.send(act(cx)).expect("somebody waits")).expect("not busy");
    made.recv_timeout(PATIENCE).expect("it is done")
}

fn to(audience: Audience, args: &str) -> Broadcast {
    Broadcast::new(Packet::new(args.as_bytes(), &[]), audience)
}

/// Clients that have joined, and their ids.
fn crowd(running: &Running, count: usize) -> Vec<(Client, SocketId)> {
    let joined = (0..count).map(|_| {
        let mut client = Client::open(running.address);
        let id = client.join();
        (client, SocketId::parse(id.as_bytes()).expect("a socket's id"))
    });
    joined.collect()
}

fn check(body: impl Fn(&Running, Vec<(Client, SocketId)>) + Sync) {
    at_all_sizes(|shards| {
        let running = Running::start(Limits::default(), shards, &channel().0, |_| {});
        let clients = crowd(&running, 12);
        body(&running, clients);
        running.finish();
    });
}

#[test]
fn a_call_speaks_to_one_socket() {
    check(|running, mut clients| {
        for (n, (client, id)) in clients.iter_mut().enumerate() {
            let id = *id;
            for shard in 0..running.handle.shards() {
                let found = call(&running.handle, shard, move |cx| {
                    let socket = cx.find("/", id)?;
                    let args = format!("[\"hello\",{n}]");
                    cx.emit(socket, args.as_bytes(), &[], false).expect("it is there");
                    Some(socket)
                });
                assert_eq!(found.is_some(), shard == id.shard(), "one shard has it");
            }
            assert_eq!(client.next(), Some(format!("42[\"hello\",{n}]")));
            // Nothing else came.
            client.echo(n);
        }
    });
}

#[test]
fn a_call_speaks_to_everybody_from_any_shard() {
    check(|running, mut clients| {
        for shard in 0..running.handle.shards() {
            call(&running.handle, shard, move |cx| {
                let args = format!("[\"from\",{shard}]");
                cx.broadcast_to("/", to(Audience::all(), &args)).expect("within the bounds");
                cx.broadcast_to("/nobody", to(Audience::all(), &args)).expect("no error");
            });
        }
        for (client, _) in &mut clients {
            for shard in 0..running.handle.shards() {
                assert_eq!(client.next(), Some(format!("42[\"from\",{shard}]")), "one order");
            }
            client.echo(0);
        }
    });
}

#[test]
fn calls_seat_sockets_in_rooms() {
    check(|running, mut clients| {
        let room = || Room::text(b"r");
        for (_, id) in clients.iter().step_by(2) {
            let id = *id;
            call(&running.handle, id.shard(), move |cx| {
                let socket = cx.find("/", id).expect("it is there");
                cx.join(socket, &room()).expect("there is room");
            });
        }
        for shard in 0..running.handle.shards() {
            call(&running.handle, shard, move |cx| {
                let audience = Audience::rooms(vec![room()]);
                cx.broadcast_to("/", to(audience, "[\"room\"]")).expect("within the bounds");
            });
        }
        for (n, (client, _)) in clients.iter_mut().enumerate() {
            let heard = if n % 2 == 0 { running.handle.shards() } else { 0 };
            for _ in 0..heard {
                assert_eq!(client.next().as_deref(), Some("42[\"room\"]"));
            }
            client.echo(n);
        }
    });
}

#[test]
fn calls_put_sockets_out() {
    check(|running, mut clients| {
        for (n, (_, id)) in clients.iter().enumerate().filter(|(n, _)| n % 3 != 2) {
            let id = *id;
            call(&running.handle, id.shard(), move |cx| {
                let socket = cx.find("/", id).expect("it is there");
                cx.emit(socket, b"[\"bye\"]", &[], false).expect("it is there");
                cx.disconnect(socket, n % 3 == 1);
                assert_eq!(cx.find("/", id), None);
            });
        }
        for (n, (client, _)) in clients.iter_mut().enumerate() {
            if n % 3 != 2 {
                assert_eq!(client.next().as_deref(), Some("42[\"bye\"]"));
                assert_eq!(client.next().as_deref(), Some("41"));
            }
            if n % 3 == 1 {
                assert_eq!(client.next(), None, "the connection is over");
            } else {
                if n % 3 == 0 {
                    client.join();
                }
                client.echo(n);
            }
        }
    });
}

fn at_most(max: usize) -> CallLimits {
    CallLimits { max, ..CallLimits::default() }
}

/// Keeps a shard from everything else until the sender is dropped.
fn block(handle: &Handle<Echo>, shard: usize) -> Sender<()> {
    let (release, blocked) = channel::<()>();
    let (begun, begins) = channel();
    let act = move |_: &mut Context<'_, ()>| {
        begun.send(()).expect("somebody waits");
        let _ = blocked.recv_timeout(PATIENCE);
    };
    handle.call(shard, act).expect("not busy");
    begins.recv_timeout(PATIENCE).expect("it begins");
    release
}

#[test]
fn more_calls_than_may_wait_are_refused() {
    at_all_sizes(|shards| {
        let limits = Limits { calls: at_most(3), decision_timeout: PATIENCE, ..Limits::default() };
        let (thinker, asked) = channel();
        let running = Running::start(limits, shards, &thinker, |_| {});
        let handle = &running.handle;
        let mut slow = Client::open(running.address);
        slow.send("40{\"slow\":true}");
        let (ticket, _) = asked.recv_timeout(PATIENCE).expect("it is asked");
        let shard = ticket.shard;
        let release = block(handle, shard);
        let (done, made) = channel();
        for n in 0..5 {
            let done = done.clone();
            let called = handle.call(shard, move |_| done.send(n).expect("somebody waits"));
            assert_eq!(called, if n < 3 { Ok(()) } else { Err(Busy) });
        }
        // A decision is taken all the same, and the other shards are not concerned.
        handle.decide(ticket, Ok(()));
        for other in (0..shards).filter(|&other| other != shard) {
            call(handle, other, |_| ());
        }
        assert_eq!(handle.call(shards, |_| unreachable!("there is no such shard")), Ok(()));
        drop((release, done));
        assert_eq!(made.iter().collect::<Vec<_>>(), [0, 1, 2], "in their order, and no other");
        assert!(slow.next().expect("an answer").starts_with("40{\"sid\":\"~"));
        call(handle, shard, |_| ());
        slow.echo(1);
        drop(slow);
        running.finish();
    });
}

/// The first may hold more than the bound: then it is alone.
#[test]
fn calls_that_hold_too_much_are_refused_and_counted() {
    at_all_sizes(|shards| {
        let limits = Limits {
            calls: CallLimits { bytes_max: 10_000, ..CallLimits::default() },
            ..Limits::default()
        };
        let running = Running::start(limits, shards, &channel().0, |_| {});
        let (handle, shard) = (&running.handle, shards - 1);
        let (done, made) = channel();
        let hold = |bytes| {
            let done = done.clone();
            let act = move |_: &mut Context<'_, ()>| done.send(bytes).expect("somebody waits");
            handle.call_holding(shard, bytes, act)
        };
        let release = block(handle, shard);
        for (bytes, taken) in [(4_000, true), (5_000, true), (usize::MAX, false), (2_000, false)] {
            assert_eq!(hold(bytes).is_ok(), taken, "{bytes} bytes");
        }
        drop(release);
        call(handle, shard, |_| ());
        let release = block(handle, shard);
        for (bytes, taken) in [(1_000_000, true), (0, false)] {
            assert_eq!(hold(bytes).is_ok(), taken, "{bytes} bytes");
        }
        drop(release);
        while handle.call(shard, |_| ()) == Err(Busy) {
            std::thread::yield_now();
        }
        drop(done);
        assert_eq!(made.iter().collect::<Vec<_>>(), [4_000, 5_000, 1_000_000]);
        assert!(running.stats.calls_refused.load(Ordering::Relaxed) >= 3);
        running.finish();
    });
}

#[test]
fn a_call_that_panics_takes_nobody_along() {
    check(|running, mut clients| {
        for shard in 0..running.handle.shards() {
            let panicked = running.handle.call(shard, |_| panic!("as the test wished"));
            assert_eq!(panicked, Ok(()));
            call(&running.handle, shard, |_| ());
        }
        let panics = running.stat(|it| it.panics.get());
        assert_eq!(panics, running.handle.shards() as u64, "each is counted");
        for (n, (client, _)) in clients.iter_mut().enumerate() {
            client.echo(n);
        }
    });
}

#[test]
fn calls_from_many_threads_at_once_are_all_done() {
    check(|running, mut clients| {
        std::thread::scope(|scope| {
            for n in 0..8 {
                let handle = running.handle.clone();
                scope.spawn(move || {
                    for m in 0..50 {
                        let shard = (n + m) % handle.shards();
                        call(&handle, shard, |cx| {
                            let all = to(Audience::all(), "[\"x\"]");
                            cx.broadcast_to("/", all).expect("within the bounds");
                        });
                    }
                });
            }
        });
        for (client, _) in &mut clients {
            for _ in 0..400 {
                assert_eq!(client.next().as_deref(), Some("42[\"x\"]"));
            }
            client.echo(0);
        }
    });
}

/// A handle may outlive its server: calls come to nothing, and nobody hangs.
#[test]
fn calls_after_the_end_come_to_nothing() {
    let limits = Limits { calls: at_most(10), ..Limits::default() };
    let running = Running::start(limits, 1, &channel().0, |_| {});
    let handle = running.handle.clone();
    running.finish();
    let (done, made) = channel();
    for _ in 0..20 {
        let done = done.clone();
        let _ = handle.call(0, move |_| done.send(()).expect("somebody waits"));
    }
    drop((done, handle));
    assert_eq!(made.recv_timeout(Duration::from_secs(10)).ok(), None);
}
