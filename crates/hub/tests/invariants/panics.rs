//! A panic of the application ends the connection on whose behalf it ran, and no other.

use relay_hub::{EndReason, Limits};

use crate::sim::{World, seeds};

/// What a client does, whether it had joined before, and what its socket ended for.
fn check(joins: bool, says: &[&str], ends: &[EndReason]) {
    seeds(3, |seed| {
        let mut world = World::sliced(Limits::default(), 2, seed);
        let bystanders = [world.join(0), world.join(1)];
        let id = if joins { world.join(0) } else { world.open(0) };
        for text in says {
            world.clients[id].text(text);
        }
        world.settle();
        assert_eq!(world.hub(0).stats().panics.get(), 1, "{says:?}");
        assert_eq!(world.clients[id].closed, Some(Some(1011)), "{says:?}");
        assert_eq!(world.log.borrow().ends_of(id), ends, "{says:?}");
        assert_eq!(world.hub(0).stats().ends[EndReason::HandlerPanic.index()].get(), 1);
        for id in bystanders {
            world.clients[id].emit("[\"all\",1]");
        }
        world.settle();
        for id in bystanders {
            assert_eq!(world.clients[id].heard(), ["[\"all\",1]", "[\"all\",1]"]);
        }
        world.finish();
    });
}

#[test]
fn in_authorize() {
    check(false, &["40{\"panic\":1}"], &[]);
}

#[test]
fn when_a_socket_connects() {
    let mut world = World::new(Limits::default(), 1, 1);
    let (id, bystander) = (world.open(0), world.join(0));
    world.clients[id].text("40{\"n\":9999999}");
    world.settle();
    assert_eq!(world.clients[id].closed, Some(Some(1011)));
    assert_eq!(world.log.borrow().ends_of(9_999_999), [EndReason::HandlerPanic]);
    assert_eq!(world.clients[bystander].closed, None);
    world.finish();
}

#[test]
fn at_an_event() {
    check(true, &["42[\"panic\"]", "42[\"echo\"]"], &[EndReason::HandlerPanic]);
}

#[test]
fn at_an_answer() {
    check(true, &["42[\"panic-at-answer\",1000]"], &[EndReason::HandlerPanic]);
}

/// The connection has other namespaces, and would live on.
#[test]
fn at_the_end_of_a_socket() {
    let end = EndReason::ClientNamespaceDisconnect;
    check(true, &["42[\"panic-at-end\"]", "41"], &[end]);
    let end = EndReason::ServerNamespaceDisconnect;
    check(true, &["42[\"panic-at-end\"]", "42[\"out\"]"], &[end]);
}

#[test]
fn when_an_answer_is_overdue() {
    let mut world = World::new(Limits::default(), 1, 1);
    let (id, bystander) = (world.join(0), world.join(0));
    world.clients[id].answering = crate::sim::Answering::Never;
    world.clients[id].emit("[\"panic-at-answer\",1000]");
    world.settle();
    world.advance(1_000);
    assert_eq!(world.clients[id].closed, Some(Some(1011)));
    assert_eq!(world.clients[bystander].closed, None);
    world.finish();
}

/// The connection ends for the reason that was first; the panic is counted, and that is all.
#[test]
fn at_the_end_of_the_connection() {
    let mut world = World::new(Limits::default(), 1, 1);
    let (id, bystander) = (world.join(0), world.join(0));
    world.clients[id].emit("[\"panic-at-end\"]");
    world.clients[id].text("1");
    world.settle();
    assert_eq!(world.log.borrow().ends_of(id), [EndReason::TransportClose]);
    assert_eq!(world.clients[id].closed, Some(None));
    assert_eq!(world.stat(|stats| stats.panics.get()), 1);
    assert_eq!(world.clients[bystander].closed, None);
    world.finish();
}
