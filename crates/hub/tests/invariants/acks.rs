//! Acknowledgements that the server awaits: ids, outcomes, bounds.

use std::collections::BTreeSet;

use relay_hub::{AckValue, EmitError, Limits};

use crate::sim::{Answering, Outcome, World, seeds};

/// What became of the only broadcast of a run: the clients that answered, how many were asked, and
/// whether it is complete.
fn broadcast_outcome(world: &World) -> (Vec<usize>, u32, bool) {
    let outcomes = world.log.borrow().outcomes();
    let [(_, Outcome::Broadcast(answers))] = &outcomes[..] else {
        panic!("one outcome of a broadcast: {outcomes:?}");
    };
    let number = |answer: &AckValue| std::str::from_utf8(&answer.json).ok()?.parse().ok();
    let mut who: Vec<_> =
        answers.answers.iter().map(|answer| number(answer).expect("a client's number")).collect();
    who.sort_unstable();
    (who, answers.asked, answers.complete)
}

/// A crowd over all shards; the first `silent` of it answer nothing.
fn crowd(shards: usize, seed: u64, silent: usize) -> World {
    let mut world = World::sliced(Limits::default(), shards, seed);
    for n in 0..8 {
        let id = world.join(n % shards);
        if n < silent {
            world.clients[id].answering = Answering::Never;
        }
    }
    world
}

fn check(count: u64, silent: usize, body: impl Fn(&mut World)) {
    for shards in [1, 2, 4] {
        seeds(count, |seed| {
            let mut world = crowd(shards, seed, silent);
            body(&mut world);
            world.finish();
        });
    }
}

#[test]
fn a_broadcast_over_shards_is_complete_when_all_have_answered() {
    check(10, 0, |world| {
        world.clients[5].answering = Answering::Twice;
        world.clients[3].emit("[\"ask-all\",1000]");
        world.settle();
        assert_eq!(broadcast_outcome(world), ((0..8).collect(), 8, true));
        world.advance(2_000);
        assert_eq!(world.log.borrow().outcomes().len(), 1, "the time-out is void");
    });
}

#[test]
fn a_broadcast_ends_at_its_timeout_with_the_answers_so_far() {
    check(10, 2, |world| {
        world.clients[3].emit("[\"ask-all\",1000]");
        world.settle();
        world.advance(999);
        assert_eq!(world.log.borrow().outcomes(), []);
        world.advance(1);
        assert_eq!(broadcast_outcome(world), ((2..8).collect(), 8, false));
    });
}

#[test]
fn late_answers_mean_nothing() {
    check(5, 1, |world| {
        world.clients[3].emit("[\"ask-others\",1000]");
        world.settle();
        world.advance(1_000);
        let ack = world.clients[0].events[0].ack.expect("it was asked");
        world.clients[0].text(&format!("43{ack}[\"late\"]"));
        world.settle();
        assert_eq!(broadcast_outcome(world), (vec![1, 2, 4, 5, 6, 7], 7, false));
    });
}

#[test]
fn a_broadcast_to_nobody_is_complete_and_empty() {
    check(5, 0, |world| {
        world.clients[3].emit("[\"ask-room\",1000,\"empty\"]");
        world.settle();
        assert_eq!(broadcast_outcome(world), (vec![], 0, true));
    });
}

#[test]
fn a_receiver_that_ends_leaves_the_broadcast_incomplete() {
    check(5, 1, |world| {
        world.clients[3].emit("[\"ask-all\",1000]");
        world.settle();
        world.clients[0].hang_up();
        world.settle();
        world.advance(1_000);
        assert_eq!(broadcast_outcome(world), ((1..8).collect(), 8, false));
    });
}

#[test]
fn a_broadcast_outlives_its_sender() {
    check(5, 0, |world| {
        world.clients[3].emit("[\"ask-others\",1000]");
        world.clients[3].text("1");
        world.settle();
        assert_eq!(broadcast_outcome(world), (vec![0, 1, 2, 4, 5, 6, 7], 7, true));
    });
}

#[test]
fn answers_beyond_the_bound_are_counted_only() {
    // An answer costs more than its text.
    let bytes = 3 * (size_of::<AckValue>() + 1);
    let limits = Limits { broadcast_ack_bytes_max: bytes, ..Limits::default() };
    let mut world = World::new(limits, 2, 1);
    for n in 0..8 {
        world.join(n % 2);
    }
    world.clients[0].emit("[\"ask-all\",1000]");
    world.settle();
    let (answers, asked, complete) = broadcast_outcome(&world);
    assert_eq!((answers.len(), asked, complete), (3, 8, false));
    assert_eq!(world.stat(|stats| stats.ack_answers_dropped.get()), 5);
    world.finish();
}

#[test]
fn broadcasts_under_way_are_bounded() {
    let limits = Limits { broadcast_acks_max: 2, ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    let id = world.join(0);
    world.clients[id].answering = Answering::Never;
    for _ in 0..3 {
        world.clients[id].emit("[\"ask-all\",1000]");
    }
    world.settle();
    assert_eq!(world.log.borrow().outcomes(), [(2, Outcome::Refused(EmitError::TooManyAcks))]);
    world.advance(1_000);
    world.clients[id].emit("[\"ask-all\",1000]");
    world.settle();
    assert_eq!(world.log.borrow().outcomes().len(), 3, "there is room again");
    world.finish();
}

#[test]
fn ack_ids_are_unique_and_small_whatever_they_came_from() {
    check(5, 8, |world| {
        for n in 0..200 {
            let id = world.random.up_to(7);
            let event = world.random.pick(&["ask", "ask-all", "ask-others"]);
            world.clients[id].emit(&format!("[\"{event}\",60000,{n}]"));
            if world.random.one_in(2) {
                world.settle();
            }
        }
        world.settle();
        for client in &world.clients {
            let ids: Vec<_> = client.events.iter().filter_map(|event| event.ack).collect();
            let unique: BTreeSet<_> = ids.iter().collect();
            assert_eq!(unique.len(), ids.len(), "client {} saw an id twice", client.id);
            assert!(ids.iter().all(|&id| id < 1 << 31));
        }
    });
}

fn ack_ids(world: &World, id: usize) -> Vec<u64> {
    world.clients[id].events.iter().filter_map(|event| event.ack).collect()
}

#[test]
fn ids_that_are_pending_are_skipped_when_the_counter_wraps() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join(0);
    world.clients[id].answering = Answering::Never;
    for _ in 0..2 {
        world.instance.set_next_ack(0, 0x7fff_fffe);
        for _ in 0..4 {
            world.clients[id].emit("[\"ask\",60000]");
        }
        world.settle();
    }
    let expected = [0x7fff_fffe, 0x7fff_ffff, 0, 1, 2, 3, 4, 5];
    assert_eq!(ack_ids(&world, id), expected);
    world.finish();
}

/// A broadcast has one id for all; where something older bears it, that one's time is over.
#[test]
fn a_broadcast_takes_over_an_id_that_is_pending() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join(0);
    world.clients[id].answering = Answering::Never;
    world.clients[id].emit("[\"ask\",1000]");
    world.settle();
    world.instance.set_next_ack(0, 0);
    world.clients[id].answering = Answering::Once;
    world.advance(500);
    world.clients[id].answering = Answering::Never;
    world.clients[id].emit("[\"ask-all\",60000]");
    world.settle();
    assert_eq!(world.log.borrow().outcomes(), [(0, Outcome::Timeout)]);
    world.advance(10_000);
    world.clients[id].text("430[7]");
    world.settle();
    assert_eq!(world.log.borrow().outcomes().len(), 2, "the older time-out touched nothing");
    world.finish();
}

#[test]
fn an_answer_a_timeout_or_an_end_is_the_outcome_and_the_first_one_counts() {
    check(5, 0, |world| {
        world.clients[1].answering = Answering::Twice;
        world.clients[2].answering = Answering::Never;
        world.clients[3].answering = Answering::Never;
        for id in 0..4 {
            world.clients[id].emit("[\"ask\",1000]");
            world.settle();
        }
        world.clients[3].hang_up();
        world.settle();
        let answered = |id: usize| Outcome::Args(format!("[{id},\"more\"]"));
        let mut expected = vec![(0, answered(0)), (1, answered(1)), (3, Outcome::Disconnected)];
        assert_eq!(world.log.borrow().outcomes(), expected);
        world.advance(1_000);
        world.clients[2].text("430[]");
        world.clients[2].text("431[]");
        world.settle();
        expected.push((2, Outcome::Timeout));
        assert_eq!(world.log.borrow().outcomes(), expected);
    });
}

#[test]
fn acknowledgements_die_with_the_socket() {
    for end in ["41", "42[\"out\"]", "42[\"shut\"]", "1", "42[\"panic\"]", "nonsense"] {
        let mut world = World::new(Limits::default(), 2, 1);
        let id = world.join(0);
        world.clients[id].answering = Answering::Never;
        world.clients[id].emit("[\"ask\",1000]");
        world.clients[id].emit("[\"ask\",1000]");
        world.clients[id].text(end);
        world.settle();
        let expected = [(0, Outcome::Disconnected), (1, Outcome::Disconnected)];
        assert_eq!(world.log.borrow().outcomes(), expected, "{end}");
        world.advance(2_000);
        assert_eq!(world.log.borrow().outcomes(), expected, "{end}");
        world.finish();
    }
}

#[test]
fn awaited_acknowledgements_of_a_socket_are_bounded() {
    let limits = Limits { acks_per_socket_max: 3, ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    let id = world.join(0);
    world.clients[id].answering = Answering::Never;
    for _ in 0..4 {
        world.clients[id].emit("[\"ask\",1000]");
    }
    world.settle();
    assert_eq!(world.log.borrow().outcomes(), [(3, Outcome::Refused(EmitError::TooManyAcks))]);
    world.finish();
}

/// Who never answers broadcasts can still be asked when those are over.
#[test]
fn broadcasts_that_are_over_take_no_room() {
    let limits = Limits { acks_per_socket_max: 3, ..Limits::default() };
    let mut world = World::new(limits, 2, 1);
    let (asker, silent) = (world.join(0), world.join(1));
    world.clients[silent].answering = Answering::Never;
    for _ in 0..5 {
        world.clients[asker].emit("[\"ask-others\",100]");
        world.settle();
    }
    assert_eq!(world.stat(|stats| stats.acks_refused.get()), 2);
    world.advance(100);
    assert_eq!(world.log.borrow().outcomes().len(), 5);
    world.clients[silent].answering = Answering::Once;
    world.clients[asker].emit("[\"ask-others\",100]");
    world.clients[silent].emit("[\"ask\",100]");
    world.settle();
    let outcomes = world.log.borrow().outcomes();
    assert_eq!(outcomes.len(), 7, "both were answered at once");
    assert_eq!(world.stat(|stats| stats.acks_refused.get()), 2);
    world.finish();
}
