//! What waits for the GETs of sessions that poll: how much one response takes along, what is
//! dropped, who ends, who is held back.

use relay_hub::{Audience, Broadcast, EndReason, Limits, Packet, Room};

use crate::sim::flood::{event, held, slow_consumers, small, unheld};
use crate::sim::script::{check, check_with};
use crate::sim::{Reading, Style, World, seeds};

#[test]
fn a_response_holds_sixteen_packets() {
    let numbers = |from: usize, to: usize| {
        let packets: Vec<_> = (from..to).map(|n| format!("42[\"others\",{n}]")).collect();
        packets.join("␞")
    };
    let says: Vec<_> = (0..40).map(|n| format!("~say [\"others\",{n}]")).collect();
    let (says, first, second, third) =
        (says.join("\n"), numbers(0, 16), numbers(16, 32), numbers(32, 40));
    check(&format!(
        "{says}

         get
         < 1 200 {first}
         get
         < 2 200 {second}
         get
         < 3 200 {third}
         get
         < 4 -"
    ));
    // The close has a response of its own.
    check(&format!(
        "{says}

         post 42[\"shut\"]
         < 1 ok
         get
         < 2 200 {first}
         get
         < 3 200 {second}
         get
         < 4 200 {third}␞41
         get
         < 5 200 1
         < gone"
    ));
}

#[test]
fn a_server_side_end_waits_for_the_next_get() {
    // With a GET that waits the last packets are its answer; the close has a GET of its own, since
    // clients handle it before what stands in one payload with it.
    check(
        "get
         post 42[\"echo\",1]␞42[\"shut\"]
         < 2 ok
         < 1 200 42[\"echo\",1]␞41
         < alive
         get
         < 3 200 1
         < gone
         get
         < 4 400/1
         < end forced_server_close",
    );
    // Without one they wait, but not for ever; what the client says meanwhile means nothing.
    check(
        "post 42[\"echo\",1]␞42[\"shut\"]␞42[\"others\",1]
         < 1 ok
         < alive
         post 42[\"others\",2]
         < 2 ok
         post nonsense
         < 3 ok
         +29999
         < alive
         get
         < 4 200 42[\"echo\",1]␞41
         +29999
         < alive
         get
         < 5 200 1
         < gone
         get
         < 6 400/1
         < end forced_server_close",
    );
    check(
        "post 42[\"shut\"]
         < 1 ok
         +29999
         < alive
         +1
         < gone
         get
         < 2 400/1",
    );
}

#[test]
fn a_response_is_no_larger_than_a_payload_but_for_a_single_packet() {
    let limits = Limits { payload_bytes_max: 100, ..Limits::default() };
    let (one, long) = ("x".repeat(30), "y".repeat(50));
    check_with(
        &limits,
        &format!(
            "~say [\"others\",\"{one}\",1]
             ~say [\"others\",\"{one}\",2]

             say [\"others\",\"{one}\",3]
             get
             < 1 200 42[\"others\",\"{one}\",1]␞42[\"others\",\"{one}\",2]
             get
             < 2 200 42[\"others\",\"{one}\",3]
             post 42[\"echo\",\"{long}\",1]
             post 42[\"echo\",\"{long}\",2]
             get
             < 5 200 42[\"echo\",\"{long}\",1]
             < 3 ok
             < 4 ok
             get
             < 6 200 42[\"echo\",\"{long}\",2]"
        ),
    );
}

#[test]
fn attachments_are_base64_and_in_one_response_with_their_text() {
    let places = "{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}";
    let echo = |n: usize| format!("452-[\"echo\",{n},{places}]␞bAAEC␞b//4=");
    let all: Vec<_> = (0..6).map(echo).collect();
    let (five, sixth) = (all[..5].join("␞"), &all[5]);
    // Unpadded base64 is read as well; a text and its attachments may come by several POSTs.
    check(&format!(
        "post 452-[\"echo\",0,{places}]
         < 1 ok
         post bAAEC
         < 2 ok
         post b//4
         < 3 ok
         get
         < 4 200 {}
         post {}
         < 5 ok
         get
         < 6 200 {five}
         get
         < 7 200 {sixth}",
        all[0],
        all.join("␞"),
    ));
    check(
        "post 451-[\"echo\",{\"_placeholder\":true,\"num\":0}]
         < 1 ok
         +25000
         post 3
         < 2 ok
         +4999
         < alive
         +1
         < end attachments_timeout
         get
         < 3 200 2
         get
         < 4 200 1",
    );
}

/// Both kinds of clients get the same of the same broadcast.
#[test]
fn broadcasts_reach_both_kinds_in_one_order() {
    for shards in [1, 2, 4] {
        seeds(5, |seed| {
            let mut world = World::sliced(Limits::default(), shards, seed);
            for n in 0..8 {
                match n % 2 {
                    0 => world.join(n % shards),
                    _ => world.join_polling(n / 2 % shards, Style::Polls),
                };
            }
            for n in 0..40 {
                for id in 0..8 {
                    let text =
                        format!("451-[\"all\",{n},{id},{{\"_placeholder\":true,\"num\":0}}]");
                    world.clients[id].text(&text);
                    world.clients[id].binary(&[id.to_le_bytes()[0]; 5]);
                }
            }
            world.settle();
            let first = world.clients[0].events.clone();
            assert_eq!(first.len(), 320);
            for client in &world.clients {
                assert_eq!(client.events, first, "client {}", client.id);
            }
            world.finish();
        });
    }
}

#[test]
fn who_does_not_come_for_its_packets_is_a_slow_consumer() {
    let mut world = World::new(unheld(), 2, 1);
    let (sender, lazy, bystander) = (world.join(0), world.join_polling(1, Style::Polls), 0);
    world.clients[lazy].reading = Reading::Nothing;
    for n in 0..100 {
        world.clients[sender].emit(&event("others", n));
    }
    world.settle();
    assert_eq!(slow_consumers(&world), 1);
    assert_eq!(world.log.borrow().ends_of(lazy), [EndReason::SlowConsumer]);
    assert!(world.clients[lazy].dropped && !world.clients[bystander].dropped);
    world.finish();
}

#[test]
fn volatile_packets_are_for_who_waits() {
    check(
        "say [\"volatile\",1]
         < heard [\"volatile\",1]
         get
         < 1 -
         say [\"volatile\",2]
         < heard [\"volatile\",2]
         < 1 200 42[\"volatile\",2]
         say [\"volatile\",3]
         < heard [\"volatile\",3]
         post 42[\"echo-volatile\"]
         < 2 ok
         get
         < 3 -",
    );
}

/// A client that waits for the answer to its POST sends nothing: that is how it is held back.
#[test]
fn the_answer_to_a_post_waits_while_the_sender_is_held() {
    for shards in [1, 2] {
        seeds(5, |seed| {
            let mut world = World::sliced(small(), shards, seed);
            let (sender, receiver) = (world.join_polling(0, Style::Polls), world.join(shards - 1));
            world.clients[receiver].reading = Reading::Nothing;
            world.clients[receiver].socket_bytes_max = 500;
            for n in 0..40 {
                world.clients[sender].emit(&event("others", n));
            }
            world.settle();
            assert_eq!(world.stat(|stats| stats.senders_held_now.get()), 1);
            assert_eq!(world.clients[sender].unanswered(), (true, true));
            let waiting = world.hub(shards - 1).outbox_bytes();
            assert!(waiting < 30_000, "{waiting} bytes wait");
            world.clients[receiver].reading = Reading::All;
            world.settle();
            assert_eq!(world.clients[sender].unanswered(), (true, false));
            assert_eq!(world.clients[receiver].heard().len(), 40);
            world.finish();
        });
    }
}

/// Held by others who poll, and released by their GETs, their ends, or their silence.
#[test]
fn receivers_that_poll_hold_and_release_a_sender() {
    type Act = fn(&mut World, usize);
    let acts: [Act; 4] = [
        |world, id| world.clients[id].reading = Reading::All,
        |world, id| {
            world.clients[id].text("42[\"shut\"]");
            world.advance(5_000);
        },
        |world, id| world.clients[id].text("1"),
        |world, _| world.advance(5_000),
    ];
    for act in acts {
        seeds(4, |seed| {
            let mut world = World::sliced(small(), 2, seed);
            let (sender, receiver) = (world.join(0), world.join_polling(1, Style::Polls));
            world.clients[receiver].reading = Reading::Nothing;
            // The GET that it left behind is answered before.
            world.clients[sender].emit("[\"others\"]");
            world.settle();
            for n in 0..40 {
                world.clients[sender].emit(&event("others", n));
            }
            world.settle();
            assert_eq!(held(&world), [sender]);
            act(&mut world, receiver);
            world.settle();
            assert_eq!(held(&world), []);
            world.finish();
        });
    }
}

/// Who came for nothing for a while weighs on nobody, until it comes again.
#[test]
fn a_receiver_that_polls_again_counts_again() {
    let mut world = World::new(small(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join_polling(0, Style::Polls));
    for round in 0..2 {
        world.clients[receiver].reading = Reading::Nothing;
        world.clients[sender].emit("[\"others\"]");
        world.settle();
        for n in 0..30 {
            world.clients[sender].emit(&event("others", n));
        }
        world.settle();
        assert_eq!(held(&world), [sender], "round {round}");
        world.advance(5_000);
        assert_eq!(held(&world), []);
        world.clients[receiver].reading = Reading::All;
        world.settle();
        assert_eq!(world.clients[receiver].heard().len(), 31 * (round + 1));
    }
    world.finish();
}

#[test]
fn a_held_sender_that_ends_is_answered() {
    for shut_down in [true, false] {
        let mut world = World::new(small(), 1, 1);
        let (sender, receiver) = (world.join_polling(0, Style::Polls), world.join(0));
        world.clients[receiver].reading = Reading::Nothing;
        world.clients[receiver].socket_bytes_max = 500;
        for n in 0..40 {
            world.clients[sender].emit(&event("others", n));
        }
        world.settle();
        assert_eq!(world.clients[sender].unanswered(), (true, true));
        if shut_down {
            world.shut_down();
        } else {
            world.clients[sender].hang_up();
        }
        world.settle();
        assert_eq!(world.clients[sender].unanswered(), (false, false));
        assert!(world.clients[sender].dropped);
        assert_eq!(world.stat(|stats| stats.senders_held_now.get()), 0);
        world.finish();
    }
}

#[test]
fn what_waits_for_a_get_is_charged_and_given_back() {
    let mut world = World::new(unheld(), 1, 1);
    let (sender, receiver) = (world.join(0), world.join_polling(0, Style::Polls));
    world.clients[receiver].reading = Reading::Nothing;
    world.clients[sender].emit("[\"others\"]");
    world.settle();
    for n in 0..40 {
        world.clients[sender].emit(&event("others", n));
    }
    world.settle();
    let used = world.memory().used();
    assert!((40_000..50_000).contains(&used), "{used}");
    world.clients[receiver].reading = Reading::All;
    world.settle();
    assert!(world.memory().used() < 2_000, "{}", world.memory().used());
    assert_eq!(world.clients[receiver].heard().len(), 41);
    world.finish();
}

#[test]
fn the_memory_budget_ends_who_polls_like_everybody() {
    let limits = Limits { memory_bytes_max: 80_000, ..unheld() };
    let mut world = World::new(limits, 1, 1);
    let (first, second) =
        (world.join_polling(0, Style::Polls), world.join_polling(0, Style::Polls));
    for id in [first, second] {
        world.clients[id].reading = Reading::Nothing;
        world.clients[id].emit(&format!("[\"join\",\"{id}\"]"));
        world.settle();
        world.advance(1);
        // From another instance: whoever sends here is held long before.
        for n in 0..60 {
            let room = Room::text(id.to_string().as_bytes());
            let event = event("a", n);
            let packet = Packet::new(event.as_bytes(), &[]);
            world.remote(0, "/", Broadcast::new(packet, Audience::rooms(vec![room])));
        }
        world.settle();
    }
    assert_eq!(world.log.borrow().ends_of(first), [EndReason::MemoryBudget]);
    assert_eq!(world.log.borrow().ends_of(second), []);
    assert!(world.memory().used() < 60_000);
    world.finish();
}
