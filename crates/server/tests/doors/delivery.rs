//! How long messages take is sampled, for WebSockets alone.

use std::sync::mpsc::channel;

use relay_server::hub::Limits;

use crate::client::{Client, get, post, sid};
use crate::{Running, at_all_sizes};

#[test]
fn some_of_the_messages_are_looked_at() {
    at_all_sizes(|shards| {
        let it = Running::start(Limits::default(), shards, &channel().0, |_| {});
        let samples = || it.stat(|hub| hub.delivery.counts().iter().sum());
        // What goes out with the answer to a poll is none.
        let with =
            format!("transport=polling&sid={}", sid(&get(it.address, "transport=polling").body));
        post(it.address, &with, "40");
        get(it.address, &with);
        for _ in 0..70 {
            post(it.address, &with, "42[\"echo\",1]");
            get(it.address, &with);
        }
        post(it.address, &with, "1");
        assert_eq!(samples(), 0);
        let mut client = Client::open(it.address);
        client.join();
        for n in 0..305 {
            client.echo(n);
        }
        // One write in 61; pings count as writes, and are no messages.
        let seen = samples();
        assert!((3..=5).contains(&seen), "{seen} of 305");
        assert!(it.stat(|hub| hub.delivery.sum()) > 0);
        drop(client);
        it.finish();
    });
}
