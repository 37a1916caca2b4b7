//! What the program asks clients, and whom it finds.

use std::collections::HashSet;
use std::time::Duration;

use relay::{CommandError, Relay, Room, User};

use crate::client::Client;
use crate::{PATIENCE, builder, id, join, three};

const BRIEF: Duration = Duration::from_millis(300);

/// As [`crate::with`], for tests that wait for the instance.
fn with(shards: usize, test: impl AsyncFnOnce(&Relay)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let relay = builder(shards).start().await.expect("it starts");
        test(&relay).await;
        relay.stop().await;
    });
}

/// Answers the next event that wants an answer.
fn answer(client: &mut Client, args: &str) {
    let event = client.next().expect("an event");
    let number = event.strip_prefix("42").and_then(|it| it.split('[').next()).expect("a number");
    client.send(&format!("43/relay,{number}{args}"));
}

#[test]
fn clients_are_asked_and_their_answers_gathered() {
    for shards in [1, 2, 4] {
        with(shards, async |relay| {
            let clients = three(relay);
            let threads =
                clients.into_iter().zip(["[7]", "[\"x\"]", "[8,9]"]).map(|(mut it, args)| {
                    std::thread::spawn(move || {
                        answer(&mut it, args);
                        it
                    })
                });
            let threads: Vec<_> = threads.collect();
            let told = relay.everyone().ask::<u32>("how many", &(), PATIENCE).await.unwrap();
            let mut clients: Vec<_> = threads.into_iter().map(|it| it.join().unwrap()).collect();
            let mut numbers: Vec<_> = told.answers.iter().flatten().copied().collect();
            numbers.sort_unstable();
            assert_eq!((numbers, told.answers.len()), (vec![7, 8], 3));
            assert_eq!((told.asked, told.complete), (3, true));
            // Whoever says nothing is waited for, and no longer.
            let silent = relay.to(id(&clients[0]));
            let told = silent.ask::<u32>("how many", &(), BRIEF).await.unwrap();
            assert_eq!((told.answers.len(), told.asked, told.complete), (0, 1, false));
            assert!(clients[0].next().is_some_and(|it| it.ends_with("[\"how many\",null]")));
            let nobody = relay.to("nowhere").ask::<u32>("how many", &(), PATIENCE).await.unwrap();
            assert_eq!((nobody.asked, nobody.complete), (0, true));
        });
    }
}

#[test]
fn sockets_are_found_with_user_and_rooms() {
    for shards in [1, 4] {
        with(shards, async |relay| {
            let clients = three(relay);
            let all = relay.everyone().fetch(PATIENCE).await.unwrap();
            let ids: HashSet<_> = all.sockets.iter().map(|it| it.id.clone()).collect();
            assert_eq!(ids, clients.iter().map(|it| it.id.clone()).collect());
            assert!(all.complete);
            let hall = relay.to("hall").fetch(PATIENCE).await.unwrap();
            let [found] = &hall.sockets[..] else { panic!("{hall:?}") };
            assert_eq!(found.id, clients[0].id);
            assert_eq!(found.user, Some(User::from("ana")));
            assert_eq!(found.rooms, [Room::from("hall")]);
            let others = relay.everyone().except(User::from("ana")).fetch(PATIENCE).await.unwrap();
            let [other] = &others.sockets[..] else { panic!("{others:?}") };
            assert_eq!((&other.id, &other.user), (&clients[2].id, &None));
        });
    }
}

#[test]
fn sockets_are_counted() {
    for shards in [1, 2, 4] {
        with(shards, async |relay| {
            let clients = three(relay);
            let count = async |sockets: relay::Sockets| {
                let counted = sockets.count(PATIENCE).await.unwrap();
                assert!(counted.complete);
                counted.sockets
            };
            assert_eq!(count(relay.everyone()).await, 3);
            assert_eq!(count(relay.to("hall")).await, 1);
            assert_eq!(count(relay.to("hall").to(id(&clients[2])).to(User::from("ana"))).await, 3);
            assert_eq!(count(relay.everyone().except(User::from("ana"))).await, 1);
            assert_eq!(count(relay.to("hall").except("hall")).await, 0);
            assert_eq!(count(relay.to("nowhere")).await, 0);
            // As the program asked for it, one behind the other.
            relay.everyone().join("all").unwrap();
            assert_eq!(count(relay.to("all").except("hall")).await, 2);
            relay.to("hall").leave("all").unwrap();
            assert_eq!(count(relay.to("all")).await, 2);
            let refused = relay.to("~u:ana").count(PATIENCE).await;
            assert!(matches!(refused, Err(CommandError::ReservedRoom)));
        });
    }
}

#[test]
fn an_instance_that_stops_answers_nobody_any_more() {
    with(2, async |relay| {
        let _client = join(relay);
        let asked = relay.everyone().ask::<u32>("how many", &(), PATIENCE);
        let (asked, ()) = tokio::join!(asked, relay.stop());
        match asked {
            // It may have heard of the client's end first.
            Err(CommandError::Stopped) => {}
            Ok(told) => assert_eq!(told.answers.len(), 0),
            Err(error) => panic!("{error}"),
        }
        let late = relay.everyone().fetch(PATIENCE).await;
        assert!(matches!(late, Err(CommandError::Stopped)));
    });
}
