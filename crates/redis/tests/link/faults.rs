//! What the connections do when Redis goes away, in every way it can.

use std::sync::atomic::Ordering;
use std::time::Duration;

use relay_redis::link::{Dropped, LinkSettings};

use crate::peer::{Peer, QUEUE_BYTES_MAX, UNBEARABLE, UNWRITABLE, pair, settings};
use crate::server::Redis;

#[tokio::test]
async fn a_redis_that_comes_later_is_joined() {
    let mut redis = Redis::absent(&[]);
    let (a, mut b) = (Peer::new(&redis.url(), "a"), Peer::new(&redis.url(), "b"));
    a.down().await;
    assert_eq!(a.publish("x"), Err(Dropped::Away));
    assert_eq!(a.subscribers("t-requests").await, None);
    assert_eq!(a.link.stats().dropped_away.load(Ordering::Relaxed), 1);
    redis.run();
    a.up().await;
    b.up().await;
    a.publish("y").expect("room");
    assert_eq!(b.hears().await, "y");
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_is_joined_again() {
    let mut redis = Redis::start(&[]);
    let (mut a, mut b) = pair(&redis).await;
    for _ in 0..3 {
        redis.kill();
        a.down().await;
        b.down().await;
        assert_eq!(a.publish("x"), Err(Dropped::Away));
        assert_eq!(a.link.queue_bytes(), 0);
        redis.run();
        a.up().await;
        b.up().await;
        a.reaches(&mut b).await;
        b.reaches(&mut a).await;
        assert_eq!(a.subscribers("t-requests").await, Some(2));
    }
}

#[tokio::test]
async fn subscribers_that_are_killed_listen_again() {
    let redis = Redis::start(&[]);
    let (mut a, mut b) = pair(&redis).await;
    for _ in 0..3 {
        let before = b.link.stats().failures.load(Ordering::Relaxed);
        assert_eq!(redis.command("CLIENT KILL TYPE pubsub").as_deref(), Some(":2"));
        while b.link.stats().failures.load(Ordering::Relaxed) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        a.reaches(&mut b).await;
        b.reaches(&mut a).await;
        a.up().await;
        b.up().await;
        assert_eq!(a.subscribers("t-requests").await, Some(2));
    }
}

#[tokio::test]
async fn publishers_that_are_killed_publish_again() {
    let redis = Redis::start(&[]);
    let (a, mut b) = pair(&redis).await;
    // Idle or not.
    for n in 0..4 {
        assert!(redis.command("CLIENT KILL TYPE normal SKIPME yes").is_some());
        if n % 2 == 0 {
            a.down().await;
        }
        a.reaches(&mut b).await;
        a.up().await;
    }
}

#[tokio::test]
async fn a_redis_that_is_stopped_is_noticed_by_its_silence() {
    let redis = Redis::start(&[]);
    let (mut a, mut b) = pair(&redis).await;
    redis.signal("STOP");
    let error = a.down().await;
    assert!(error.contains("answer") || error.contains("confirm"), "{error}");
    b.down().await;
    while a.publish("x") != Err(Dropped::Away) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    redis.signal("CONT");
    a.up().await;
    b.up().await;
    a.reaches(&mut b).await;
    b.reaches(&mut a).await;
}

#[tokio::test]
async fn what_a_slow_redis_cannot_take_is_dropped_and_counted() {
    let redis = Redis::start(&[]);
    let patient = LinkSettings { response_timeout: Duration::from_secs(30), ..settings() };
    let a = Peer::with(&redis.url(), "a", (patient, QUEUE_BYTES_MAX), 0);
    a.up().await;
    redis.signal("STOP");
    // What the kernel takes, and then what the queue takes.
    let mut dropped = 0;
    while dropped < 10 {
        match a.send("t#", vec![0; 100_000]) {
            Ok(()) => tokio::task::yield_now().await,
            Err(Dropped::Full) => dropped += 1,
            Err(Dropped::Away) => panic!("it was given up too soon"),
        }
        assert!(a.link.queue_bytes() <= QUEUE_BYTES_MAX);
    }
    assert_eq!(a.link.stats().dropped_full.load(Ordering::Relaxed), 10);
    redis.signal("CONT");
    while a.link.queue_bytes() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_panic_is_the_end_of_a_connection_and_of_nothing_else() {
    let redis = Redis::start(&[]);
    let (mut a, mut b) = pair(&redis).await;
    for (said, panics) in [(UNWRITABLE, [1, 0]), (UNBEARABLE, [2, 1])] {
        a.publish(said).expect("room");
        let error = a.down().await;
        assert_eq!(error, "a panic in this instance");
        a.up().await;
        b.up().await;
        a.reaches(&mut b).await;
        b.reaches(&mut a).await;
        let count = |peer: &Peer| peer.link.stats().panics.load(Ordering::Relaxed);
        assert_eq!([count(&a), count(&b)], panics);
    }
    assert_eq!(a.link.stats().dropped_lost.load(Ordering::Relaxed), 1, "what was being written");
}
