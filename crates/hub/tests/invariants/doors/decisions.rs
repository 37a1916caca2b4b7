//! CONNECTs that the application decides on later, in time or not.

use std::time::Duration;

use relay_hub::{EndReason, Limits, Refusal};

use super::{
    ask, ask_later, assert_alive, busy, check, heard, join, joins, not_you, open, refusals, say,
    too_many,
};
use crate::sim::World;

/// Above every ping, so that time passes without any.
fn limits() -> Limits {
    Limits {
        decision_timeout: Duration::from_secs(4),
        connect_timeout: Duration::from_secs(9),
        ..Limits::default()
    }
}

fn decisions(world: &World) -> u64 {
    world.stat(|stats| stats.decisions.get())
}

#[test]
fn a_decision_may_come_later() {
    for namespace in ["/", "/other", "/dynamic"] {
        check(6, &limits(), |world| {
            let bystander = world.join(0);
            for (shard, decided) in [(0, Ok(())), (1, Err(not_you())), (2, Ok(()))] {
                let id = open(world, shard);
                let refused = world.stat(|stats| stats.connects_refused.get());
                ask_later(world, id, namespace);
                assert_eq!(decisions(world), 1);
                assert_alive(world, bystander);
                assert_eq!(joins(world, id, namespace), 0);
                assert_eq!(refusals(world, id, namespace), [] as [String; 0]);
                let is_ok = decided.is_ok();
                world.advance(1_000);
                world.decide(id, namespace, decided);
                world.settle();
                assert_eq!(decisions(world), 0);
                assert_eq!(joins(world, id, namespace), usize::from(is_ok));
                if is_ok {
                    say(world, id, namespace, "[\"echo\",1]");
                    world.settle();
                    assert_eq!(heard(world, id, namespace), ["[\"echo\",1]"]);
                } else {
                    let expected = "{\"message\":\"not you\",\"data\":{\"why\":1}}";
                    assert_eq!(refusals(world, id, namespace), [expected]);
                    assert_eq!(world.stat(|stats| stats.connects_refused.get()), refused + 1);
                }
                // What is decided is decided.
                for again in [Ok(()), Err(not_you())] {
                    world.decide(id, namespace, again);
                }
                world.settle();
                assert_eq!(joins(world, id, namespace), usize::from(is_ok));
                assert_eq!(refusals(world, id, namespace).len(), usize::from(!is_ok));
            }
            assert_eq!(world.stat(|stats| stats.decisions_overdue.get()), 0);
        });
    }
}

#[test]
fn a_decision_that_takes_too_long_is_a_refusal() {
    check(4, &limits(), |world| {
        let (bystander, id) = (world.join(0), open(world, 1));
        ask_later(world, id, "/dynamic");
        let first = world.ticket(id, "/dynamic");
        world.advance(3_999);
        assert_eq!((decisions(world), refusals(world, id, "/dynamic").len()), (1, 0));
        world.advance(1);
        assert_eq!(refusals(world, id, "/dynamic"), [busy()]);
        assert_eq!(world.log.borrow().refused, ["Server busy"], "the application is told");
        assert_eq!(decisions(world), 0);
        assert_eq!(world.stat(|stats| stats.decisions_overdue.get()), 1);
        assert_eq!(world.stat(|stats| stats.connects_refused.get()), 1);
        world.decide_on(first, id, Ok(()));
        world.settle();
        assert_eq!(joins(world, id, "/dynamic"), 0);
        // The same client asks again: that is another request.
        ask_later(world, id, "/dynamic");
        world.decide_on(first, id, Ok(()));
        world.settle();
        assert_eq!((decisions(world), joins(world, id, "/dynamic")), (1, 0));
        world.decide(id, "/dynamic", Ok(()));
        world.settle();
        assert_eq!((decisions(world), joins(world, id, "/dynamic")), (0, 1));
        assert_alive(world, bystander);
        // A time-out that nobody waits for any more does nothing.
        world.advance(4_000);
        assert_eq!(refusals(world, id, "/dynamic"), [busy()]);
        assert_eq!(world.stat(|stats| stats.decisions_overdue.get()), 1);
    });
}

/// How a connection ends whose request is being decided on.
const ENDS: [fn(&mut World, usize); 4] = [
    |world, id| world.clients[id].hang_up(),
    |world, id| world.clients[id].close(Some(1_000)),
    |world, id| world.clients[id].text("1"),
    |world, id| ask(world, id, "/other", ",\"panic\":1"),
];

#[test]
fn a_connection_may_end_before_the_decision() {
    for end in ENDS {
        check(3, &limits(), |world| {
            let id = world.open(0);
            let bystander = world.join(0);
            ask_later(world, id, "/dynamic");
            let ticket = world.ticket(id, "/dynamic");
            end(world, id);
            world.settle();
            assert!(world.clients[id].dropped || world.clients[id].closed.is_some());
            assert_eq!(decisions(world), 0);
            // Somebody else has its place by now, and asks for the same.
            let next = world.open(0);
            ask_later(world, next, "/dynamic");
            for decided in [Ok(()), Err(not_you())] {
                world.decide_on(ticket, id, decided);
                world.settle();
            }
            assert_eq!(decisions(world), 1);
            for who in [id, next] {
                assert_eq!(joins(world, who, "/dynamic"), 0);
                assert_eq!(refusals(world, who, "/dynamic"), [] as [String; 0]);
            }
            assert_eq!(world.instance.namespace_count(), 2);
            assert_alive(world, bystander);
            world.advance(4_000);
            assert_eq!(refusals(world, next, "/dynamic"), [busy()]);
        });
    }
}

#[test]
fn an_instance_that_stops_waits_for_no_decision() {
    check(3, &limits(), |world| {
        let ids: Vec<_> = (0..6).map(|n| open(world, n)).collect();
        for &id in &ids {
            ask_later(world, id, "/");
            ask_later(world, id, "/dynamic");
        }
        assert_eq!(decisions(world), 12);
        world.shut_down();
        assert_eq!(decisions(world), 0);
        for &id in &ids {
            world.decide(id, "/dynamic", Ok(()));
        }
        world.settle();
        assert_eq!(world.stat(|stats| stats.sockets.get()), 0);
    });
}

/// A ticket names one request, also if that was answered at once or ended in a panic: an
/// application may have handed the ticket over before.
#[test]
fn no_two_requests_have_the_same_ticket() {
    for more in [",\"panic\":1", ",\"refuse\":1", ""] {
        check(2, &limits(), |world| {
            let (first, second) = (world.open(0), world.open(0));
            ask(world, first, "/", more);
            world.settle();
            let ticket = world.ticket(first, "/");
            ask_later(world, second, "/");
            world.decide_on(ticket, first, Ok(()));
            world.settle();
            assert_eq!((decisions(world), joins(world, second, "/")), (1, 0));
            world.decide(second, "/", Ok(()));
            world.settle();
            assert_eq!(joins(world, second, "/"), 1);
        });
    }
}

/// As the stock server does: a client that is not in a namespace yet has nothing to say there.
#[test]
fn whoever_speaks_before_the_decision_is_put_out() {
    let packets = [
        "40/dynamic,",
        "40/dynamic,{\"later\":1}",
        "41/dynamic,",
        "42/dynamic,[\"echo\"]",
        "42/dynamic,7[\"echo\"]",
        "43/dynamic,7[]",
        "44/dynamic,{}",
    ];
    for packet in packets {
        check(2, &limits(), |world| {
            let (bystander, id) = (world.join(0), open(world, 1));
            join(world, id, "/");
            ask_later(world, id, "/dynamic");
            world.clients[id].text(packet);
            world.settle();
            assert_eq!(world.log.borrow().ends_of(id), [EndReason::ProtocolError], "{packet}");
            assert_eq!(decisions(world), 0);
            world.decide(id, "/dynamic", Ok(()));
            world.settle();
            assert_eq!(joins(world, id, "/dynamic"), 0);
            assert_alive(world, bystander);
        });
    }
}

#[test]
fn several_namespaces_of_one_connection_are_decided_on_in_any_order() {
    let names = ["/", "/other", "/dynamic", "/dynamic/b", "/dynamic/c"];
    let limits = Limits { namespaces_per_connection_max: names.len(), ..limits() };
    check(8, &limits, |world| {
        let id = open(world, 1);
        for name in names {
            ask(world, id, name, ",\"later\":1");
        }
        ask(world, id, "/dynamic/d", ",\"later\":1");
        world.settle();
        assert_eq!(decisions(world), 5);
        assert_eq!(refusals(world, id, "/dynamic/d"), [too_many()]);
        let mut left: Vec<_> = names.to_vec();
        let mut joined = Vec::new();
        while !left.is_empty() {
            let place = world.random.up_to(left.len() - 1);
            let name = left.remove(place);
            let is_ok = world.random.one_in(2);
            world.decide(id, name, if is_ok { Ok(()) } else { Err(not_you()) });
            if world.random.one_in(2) {
                world.settle();
            }
            if is_ok {
                joined.push(name);
            } else {
                left.extend(reasked(world, id, name));
            }
        }
        world.settle();
        assert_eq!(decisions(world), 0);
        for name in joined {
            assert_eq!(joins(world, id, name), 1, "{name}");
            say(world, id, name, "[\"echo\"]");
            world.settle();
            assert_eq!(heard(world, id, name), ["[\"echo\"]"], "{name}");
        }
    });
}

/// Who was refused may ask again, now and then.
fn reasked<'a>(world: &mut World, id: usize, name: &'a str) -> Option<&'a str> {
    if !world.random.one_in(4) {
        return None;
    }
    world.settle();
    ask_later(world, id, name);
    Some(name)
}

#[test]
fn decisions_of_a_shard_are_bounded() {
    let limits = Limits { decisions_max: 3, ..limits() };
    check(4, &limits, |world| {
        let shards = world.instance.shards();
        let bystanders: Vec<_> = (0..shards).map(|shard| world.join(shard)).collect();
        let ids: Vec<_> = (0..5).map(|_| open(world, 0)).collect();
        for &id in &ids {
            ask_later(world, id, "/");
        }
        assert_eq!(decisions(world), 3);
        for (n, &id) in ids.iter().enumerate() {
            let expected = if n < 3 { vec![] } else { vec![busy()] };
            assert_eq!(refusals(world, id, "/"), expected);
        }
        assert_eq!(world.stat(|stats| stats.connects_refused.get()), 2);
        for &bystander in &bystanders {
            assert_alive(world, bystander);
        }
        // The bound is each shard's own.
        if shards > 1 {
            let elsewhere = open(world, 1);
            join(world, elsewhere, "/");
        }
        world.decide(ids[1], "/", Ok(()));
        ask_later(world, ids[4], "/");
        assert_eq!(decisions(world), 3);
        world.advance(4_000);
        assert_eq!(joins(world, ids[1], "/"), 1);
        for (id, expected) in [(0, 1), (2, 1), (3, 1), (4, 2)] {
            assert_eq!(refusals(world, ids[id], "/"), vec![busy(); expected]);
        }
        let late = open(world, 0);
        join(world, late, "/");
    });
}

/// While a shard has as many decisions as it may, whoever is decided on at once gets in.
#[test]
fn a_shard_that_is_busy_still_admits_at_once() {
    let limits = Limits { decisions_max: 0, ..limits() };
    check(1, &limits, |world| {
        let (id, late) = (open(world, 0), open(world, 0));
        join(world, id, "/");
        ask_later(world, late, "/");
        assert_eq!(refusals(world, late, "/"), [busy()]);
        assert_eq!(world.log.borrow().refused, ["Server busy"]);
        assert_eq!(world.stat(|stats| stats.decisions_refused.get()), 1);
    });
}

/// Few connections must not take all the decisions of a shard.
#[test]
fn decisions_of_a_connection_are_bounded() {
    let limits = Limits { decisions_per_connection_max: 2, ..limits() };
    check(1, &limits, |world| {
        let id = open(world, 0);
        for name in ["/", "/dynamic-1", "/dynamic-2"] {
            ask_later(world, id, name);
        }
        assert_eq!(decisions(world), 2);
        assert_eq!(refusals(world, id, "/dynamic-2"), [busy()]);
    });
}

/// A connection that joins nothing is given up, whether somebody thinks about it or not.
#[test]
fn the_time_to_join_goes_on() {
    let limits = Limits { decision_timeout: Duration::from_secs(60), ..limits() };
    check(2, &limits, |world| {
        let id = open(world, 0);
        ask_later(world, id, "/");
        world.advance(8_999);
        assert_eq!(decisions(world), 1);
        world.advance(1);
        assert_eq!(decisions(world), 0);
        let ends = world.stat(|stats| stats.ends[EndReason::ConnectTimeout.index()].get());
        assert_eq!(ends, 1);
        world.decide(id, "/", Ok(()));
        world.settle();
        assert_eq!(joins(world, id, "/"), 0);
    });
}

/// What a decision makes a shard send weighs on whom it is for, as with a decision at once.
#[test]
fn what_a_decision_causes_weighs_on_its_connection() {
    check(2, &limits(), |world| {
        let id = world.open(0);
        for decided in [Err(Refusal::new("no")), Ok(())] {
            ask_later(world, id, "/");
            assert_eq!(world.hub(0).outstanding_bytes(), 0);
            world.decide(id, "/", decided);
            assert!(world.hub(0).outstanding_bytes() > 0, "its answer waits");
            world.settle();
        }
        assert_eq!(joins(world, id, "/"), 1);
    });
}
