//! Clients that come and go in a few namespaces at random, against a model of what each of them
//! must have heard.

use relay_hub::{Limits, Publication};

use super::{ask, check, dynamic, heard, joins, not_you, open, refusals, say};
use crate::sim::{Change, Fact, Style, World};

/// Whether the application thinks that a client is in a namespace.
pub(super) fn in_it(world: &World, id: usize, name: &str) -> bool {
    intervals(world, id, name).last().is_some_and(|(_, until)| until.is_none())
}

/// When a client was in a namespace: from which place in the order until before which.
fn intervals(world: &World, id: usize, name: &str) -> Vec<(usize, Option<usize>)> {
    let mut all: Vec<(usize, Option<usize>)> = Vec::new();
    for fact in &world.log.borrow().all {
        match fact {
            Fact::Socket { client, namespace, change, at }
                if *client == id && namespace == name =>
            {
                match change {
                    Change::Connected(_) => all.push((*at, None)),
                    Change::Disconnected(_) => all.last_mut().expect("it came").1 = Some(*at),
                    Change::Joined(_) | Change::Left(_) => {}
                }
            }
            Fact::Socket { .. } | Fact::Outcome { .. } => {}
        }
    }
    all
}

/// What a client in a namespace must have heard: all that was said while it was there.
fn expected(world: &World, id: usize, name: &str) -> Vec<String> {
    let published = world.published.borrow();
    let mut expected = Vec::new();
    for (from, until) in intervals(world, id, name) {
        let said = &published[from..until.unwrap_or(published.len())];
        let here = said.iter().filter(|(namespace, _)| namespace == name);
        expected.extend(here.map(|(_, it)| match it {
            Publication::Broadcast(it) => String::from_utf8_lossy(&it.packet.args).into_owned(),
            Publication::Bulk(_) | Publication::ServerSideEvent(_) => {
                panic!("nobody asks for {it:?}")
            }
        }));
    }
    expected
}

const NAMES: [&str; 4] = ["/dynamic/0", "/dynamic/1", "/dynamic/2", "/dynamic/3"];

/// What a client of the churn has asked for in a namespace.
#[derive(Clone, Copy, Default)]
struct Asked {
    /// CONNECTs, and how many of them the application has to think about.
    asks: usize,
    later: usize,
    /// Its own goodbyes, and those that it asked the server for.
    leaves: usize,
    outs: usize,
}

/// One thing that one client does in one namespace, or that the application does for it.
fn act(world: &mut World, step: usize, id: usize, name: &str, asked: &mut Asked) {
    let answers = joins(world, id, name) + refusals(world, id, name).len();
    let put_out = world.clients[id].put_out.iter().filter(|it| *it == name).count();
    if answers < asked.asks {
        // A decision may be what it waits for; one too many does nothing.
        if asked.later > 0 && world.random.one_in(3) && world.log.borrow().has_asked(id, name) {
            let decided = if world.random.one_in(4) { Err(not_you()) } else { Ok(()) };
            world.decide(id, name, decided);
        }
        return;
    }
    if put_out < asked.outs {
        return;
    }
    if joins(world, id, name) == asked.leaves + asked.outs {
        let is_later = world.random.one_in(3);
        asked.asks += 1;
        asked.later = usize::from(is_later);
        return ask(world, id, name, if is_later { ",\"later\":1" } else { "" });
    }
    match world.random.up_to(5) {
        0 => {
            asked.leaves += 1;
            world.clients[id].text(&format!("41{name},"));
        }
        1 => {
            asked.outs += 1;
            say(world, id, name, "[\"out\"]");
        }
        _ => say(world, id, name, &format!("[\"all\",\"{name}\",{step}]")),
    }
}

#[test]
fn everybody_hears_what_was_said_while_it_was_there() {
    let limits = Limits { namespaces_max: 3, ..Limits::default() };
    check(6, &limits, |world| {
        let shards = world.instance.shards();
        let mut ids: Vec<_> = (0..6).map(|n| open(world, n)).collect();
        // Whoever goes over to WebSocket meanwhile misses nothing either.
        ids.push(world.open_polling(1 % shards, Style::Upgrades));
        ids.push(world.open_polling(0, Style::UpgradesFirst));
        let mut asked = vec![[Asked::default(); NAMES.len()]; ids.len()];
        for step in 0..1_500 {
            let (n, of) = (world.random.up_to(ids.len() - 1), world.random.up_to(NAMES.len() - 1));
            act(world, step, ids[n], NAMES[of], &mut asked[n][of]);
            for _ in 0..world.random.up_to(4) {
                world.step();
            }
            assert!(dynamic(world) <= 3);
        }
        world.settle();
        // A probe that was under way needs some time.
        world.advance(1_000);
        let mut all = 0;
        for &id in &ids {
            for name in NAMES {
                let heard = heard(world, id, name);
                assert_eq!(heard, expected(world, id, name), "client {id} in {name}");
                all += heard.len();
            }
        }
        assert!(all > 100, "only {all} were heard");
    });
}
