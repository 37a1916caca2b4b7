//! The door of a namespace: decisions that take their time, and namespaces that come and go.

mod churn;
mod decisions;
mod dynamic;

use std::sync::Arc;

use relay_hub::{Limits, Refusal, Stats};

use crate::sim::{NAMESPACES, Style, World, seeds};

/// Runs on one, two and four shards, over several seeds, and checks the end of each run: nobody
/// waits for a decision, and no namespace outlives its sockets.
fn check(count: u64, limits: &Limits, body: impl Fn(&mut World)) {
    for shards in [1, 2, 4] {
        seeds(count, |seed| {
            let mut world = World::sliced(limits.clone(), shards, seed);
            body(&mut world);
            let instance = world.instance.clone();
            let stats: Vec<Arc<Stats>> =
                (0..shards).map(|shard| world.hub(shard).stats().clone()).collect();
            world.finish();
            let waiting: u64 = stats.iter().map(|it| it.decisions.get()).sum();
            assert_eq!(waiting, 0, "gauge: decisions");
            assert_eq!(instance.namespace_count(), NAMESPACES.len(), "namespaces are left");
        });
    }
}

/// Namespaces beyond those that always exist.
fn dynamic(world: &World) -> usize {
    world.instance.namespace_count() - NAMESPACES.len()
}

/// A connection that joined nothing, over a transport of the seed's choice.
fn open(world: &mut World, shard: usize) -> usize {
    let shard = shard % world.instance.shards();
    if world.random.one_in(3) { world.open_polling(shard, Style::Polls) } else { world.open(shard) }
}

/// `<namespace>,` as packets have it.
fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

/// Asks to join a namespace, with more members of the auth object; what has come in is answered.
fn ask(world: &mut World, id: usize, namespace: &str, more: &str) {
    let packet = format!("40{}{{\"n\":{id}{more}}}", prefix(namespace));
    world.clients[id].text(&packet);
}

/// Asks to join a namespace whose application wants to think about it.
fn ask_later(world: &mut World, id: usize, namespace: &str) {
    ask(world, id, namespace, ",\"later\":1");
    world.settle();
}

/// Joins a namespace at once.
#[track_caller]
fn join(world: &mut World, id: usize, namespace: &str) {
    ask(world, id, namespace, "");
    world.settle();
    assert!(world.clients[id].is_joined(namespace), "client {id} joined {namespace}");
}

/// Sends an event in a namespace.
fn say(world: &mut World, id: usize, namespace: &str, args: &str) {
    let packet = format!("42{}{args}", prefix(namespace));
    world.clients[id].text(&packet);
}

/// What a client was refused with in a namespace, in order.
fn refusals(world: &World, id: usize, namespace: &str) -> Vec<String> {
    let refusals = world.clients[id].refusals.iter().filter(|(name, _)| name == namespace);
    refusals.map(|(_, payload)| payload.clone()).collect()
}

/// How often a client was let into a namespace.
fn joins(world: &World, id: usize, namespace: &str) -> usize {
    world.clients[id].joined.iter().filter(|(name, _)| name == namespace).count()
}

/// What a client heard in a namespace, in order.
fn heard(world: &World, id: usize, namespace: &str) -> Vec<String> {
    let events = world.clients[id].events.iter().filter(|event| event.namespace == namespace);
    events.map(|event| event.args.clone()).collect()
}

fn busy() -> String {
    "{\"message\":\"Server busy\"}".to_owned()
}

fn too_many() -> String {
    "{\"message\":\"Too many namespaces\"}".to_owned()
}

fn invalid() -> String {
    "{\"message\":\"Invalid namespace\"}".to_owned()
}

fn not_you() -> Refusal {
    Refusal { message: "not you".to_owned(), data: Some("{\"why\":1}".to_owned()) }
}

/// Somebody else's echo arrives: the shard goes on.
#[track_caller]
fn assert_alive(world: &mut World, id: usize) {
    let before = world.clients[id].heard().len();
    world.clients[id].emit("[\"echo\",\"alive\"]");
    world.settle();
    assert_eq!(world.clients[id].heard()[before..], ["[\"echo\",\"alive\"]"]);
}
