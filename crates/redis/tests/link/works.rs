//! What the connections do when nothing goes wrong.

use std::sync::atomic::Ordering;

use relay_redis::link::{Dropped, State};

use crate::peer::{Peer, QUEUE_BYTES_MAX, pair, settings, topic};
use crate::server::Redis;

#[tokio::test]
async fn what_one_publishes_the_other_hears_in_order() {
    let redis = Redis::start(&[]);
    let (a, mut b) = pair(&redis).await;
    for n in 0..10_000 {
        while a.publish(&n) == Err(Dropped::Full) {
            tokio::task::yield_now().await;
        }
    }
    for n in 0..10_000 {
        assert_eq!(b.hears().await, n.to_string());
    }
    let stats = a.link.stats();
    assert_eq!(stats.published.load(Ordering::Relaxed), 10_000);
    assert_eq!(stats.latency.counts().iter().sum::<u64>(), 10_000);
    assert_eq!(b.link.stats().received.load(Ordering::Relaxed), 10_000);
}

#[tokio::test]
async fn a_message_says_on_which_channel_and_by_which_pattern_it_came() {
    let redis = Redis::start(&[]);
    let (a, mut b) = pair(&redis).await;
    for (channel, pattern) in
        [("t#", Some("t#*")), ("t#x#", Some("t#*")), ("t-answers", None), ("t-requests", None)]
    {
        a.send(channel, vec![0, 255]).expect("room");
        let arrived = b.next().await;
        assert_eq!(arrived.channel, channel.as_bytes());
        assert_eq!(arrived.pattern.as_deref(), pattern.map(str::as_bytes));
        assert_eq!(*arrived.payload, [0, 255]);
    }
}

#[tokio::test]
async fn the_newer_protocol_of_redis_is_spoken_too() {
    let redis = Redis::start(&[]);
    let url = format!("{}/?protocol=resp3", redis.url());
    let (a, mut b) = (Peer::new(&url, "a"), Peer::new(&url, "b"));
    a.up().await;
    b.up().await;
    a.publish("x").expect("room");
    assert_eq!(b.hears().await, "x");
    assert_eq!(a.subscribers("t-requests").await, Some(2));
}

#[tokio::test]
async fn each_link_counts_once_while_it_serves() {
    let redis = Redis::start(&[]);
    let (a, b) = pair(&redis).await;
    assert_eq!(a.subscribers("t-requests").await, Some(2));
    assert_eq!(a.subscribers("nobody").await, Some(0));
    b.link.serve(topic("u", "b"));
    b.link.leave("t-requests");
    while a.subscribers("t-requests").await != Some(1) {}
    while a.subscribers("u-requests").await != Some(1) {}
    b.close().await;
    assert_eq!(a.subscribers("u-requests").await, Some(0));
    let patterns = redis.command("PUBSUB NUMPAT");
    assert_eq!(patterns.as_deref(), Some(":1"), "those of the other are left");
    a.close().await;
    assert_eq!(redis.command("PUBSUB NUMPAT").as_deref(), Some(":0"));
}

#[tokio::test]
async fn what_is_queued_is_published_before_the_end() {
    let redis = Redis::start(&[]);
    let (a, mut b) = pair(&redis).await;
    for n in 0..100 {
        a.publish(&n).expect("room");
    }
    a.close().await;
    for n in 0..100 {
        assert_eq!(b.hears().await, n.to_string());
    }
}

#[tokio::test]
async fn a_listener_that_takes_its_time_holds_redis_back_and_loses_nothing() {
    let redis = Redis::start(&[]);
    let a = Peer::with(&redis.url(), "a", (settings(), 1 << 26), usize::MAX >> 3);
    let mut b = Peer::with(&redis.url(), "b", (settings(), QUEUE_BYTES_MAX), 0);
    a.up().await;
    b.up().await;
    // Larger than what is read ahead, one by one and all together.
    for n in 0..24_u8 {
        a.send("t#", vec![n; 1_000_000]).expect("room");
    }
    // More than the time after which a silent Redis is given up.
    tokio::time::sleep(settings().response_timeout + 3 * settings().ping_interval).await;
    b.permits.add_permits(100);
    for n in 0..24_u8 {
        let payload = b.next().await.payload;
        assert!(payload.len() == 1_000_000 && payload.iter().all(|it| *it == n));
    }
    assert_eq!(*b.link.state().borrow(), State::Up);
    assert_eq!(b.link.stats().failures.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_listener_that_is_always_a_little_slow_is_no_sign_of_a_dead_redis() {
    let redis = Redis::start(&[]);
    let a = Peer::new(&redis.url(), "a");
    let mut b = Peer::with(&redis.url(), "b", (settings(), QUEUE_BYTES_MAX), 0);
    a.up().await;
    b.up().await;
    // Far more than what is read ahead.
    for _ in 0..2_000 {
        a.send("t#", vec![0; 200]).expect("room");
    }
    // Together longer than the time after which a silent Redis is given up, from what was read.
    for _ in 0..200 {
        b.permits.add_permits(1);
        b.next().await;
        tokio::time::sleep(settings().ping_interval / 20).await;
    }
    assert_eq!(b.link.stats().failures.load(Ordering::Relaxed), 0);
    b.permits.add_permits(1_800);
    for _ in 0..1_800 {
        b.next().await;
    }
}

#[tokio::test]
async fn topics_that_come_and_go_faster_than_redis_takes_them_do_not_pile_up() {
    let redis = Redis::start(&[]);
    let a = Peer::new(&redis.url(), "a");
    a.up().await;
    let before = redis.commands();
    redis.signal("STOP");
    for _ in 0..1_000 {
        a.link.serve(topic("u", "a"));
        tokio::task::yield_now().await;
        a.link.leave("u-requests");
        tokio::task::yield_now().await;
    }
    a.link.serve(topic("v", "a"));
    redis.signal("CONT");
    while a.subscribers("v-requests").await != Some(1) {
        tokio::time::sleep(settings().ping_interval / 10).await;
    }
    assert_eq!(a.subscribers("u-requests").await, Some(0));
    assert_eq!(a.link.stats().failures.load(Ordering::Relaxed), 0);
    let commands = redis.commands() - before;
    assert!(commands < 1_000, "{commands}");
}

#[tokio::test]
async fn a_password_is_needed_and_never_told() {
    let redis = Redis::start(&["--requirepass", "s3cret"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    let (right, wrong) = (Peer::new(&url("s3cret"), "a"), Peer::new(&url("wr0ng"), "b"));
    right.up().await;
    let error = wrong.down().await;
    assert!(error.to_lowercase().contains("pass"), "{error}");
    assert!(!error.contains("wr0ng"), "{error}");
    assert_eq!(wrong.publish("x"), Err(Dropped::Away));
}
