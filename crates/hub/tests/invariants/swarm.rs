//! A swarm of clients that do all sorts of things at random, against a model of what each of them
//! must have heard.

use std::time::Duration;

use relay_hub::{Audience, BulkOp, Limits, Publication, Room, SocketId};

use crate::sim::{Answering, Change, Fact, Fleet, NAMESPACES, Reading, Style, World, seeds};

/// Operations of one run.
const STEPS: usize = 2_000;

fn limits() -> Limits {
    Limits {
        payload_bytes_max: 4_000,
        message_bytes_max: 8_000,
        encoded_bytes_max: 16_000,
        outbox_bytes_max: 32_000,
        order_bytes_per_shard: 12_000,
        sender_window_bytes: 2_000,
        memory_bytes_max: 100_000,
        memory_step_bytes: 1_000,
        read_bytes: 2_000,
        rooms_per_socket_max: 3,
        acks_per_socket_max: 8,
        broadcast_acks_max: 8,
        broadcast_ack_bytes_max: 200,
        left_namespace_grace: Duration::from_secs(1),
        ping_interval: Duration::from_secs(5),
        ping_timeout: Duration::from_secs(4),
        ..Limits::default()
    }
}

/// One thing that one client does. Whatever ends it is rare.
fn act(world: &mut World, step: usize, id: usize) {
    let name = world.random.pick(&["", "", "", "/other,"]);
    let room = world.random.up_to(3);
    let fill = "x".repeat(world.random.up_to(900));
    let other = world.random.pick(&["*", "0", "1", "2"]);
    let choice = world.random.up_to(36);
    let is_rare = world.random.one_in(8);
    let ack = if world.random.one_in(4) { step.to_string() } else { String::new() };
    let client = &mut world.clients[id];
    let mut say = |args: String| client.text(&format!("42{name}{ack}[{args}]"));
    match choice {
        0..=4 => say(format!("\"all\",{step},\"{fill}\"")),
        5 | 6 => say(format!("\"others\",{step},\"{fill}\"")),
        7..=9 => say(format!("\"room\",\"{room}\",{step},\"{fill}\"")),
        10 => say(format!("\"volatile\",{step},\"{fill}\"")),
        11 => say(format!("\"local\",{step},\"{fill}\"")),
        12..=14 => say(format!("\"join\",\"{room}\"")),
        15 => say(format!("\"leave\",\"{room}\"")),
        16 => say(format!("\"echo\",{step},\"{fill}\"")),
        17 => say(format!("\"ask\",{}", step % 700)),
        18 => say(format!("\"ask-room\",{},\"{room}\"", step % 700)),
        19 => client.text("40/unknown,"),
        20 => client.reading = Reading::Slow(300),
        21 => client.reading = Reading::All,
        22 => {
            client.text(&format!("451-{name}[\"all\",{step},{{\"_placeholder\":true,\"num\":0}}]"));
            client.binary(fill.as_bytes());
        }
        23 => {
            client.text("41/other,");
            client.connect("/other");
        }
        24 => client.answering = Answering::Never,
        25 if is_rare => say("\"out\"".to_owned()),
        26 if is_rare => say("\"panic\"".to_owned()),
        27 => client.reading = Reading::Nothing,
        28 if is_rare => client.hang_up(),
        29 if is_rare => client.text("nonsense"),
        30 if is_rare => client.answers_pings = false,
        32 => say(format!("\"join-all\",\"{other}\",\"{room}\"")),
        33 => say(format!("\"leave-all\",\"{other}\",\"{room}\"")),
        35 => say(format!("\"fetch\",{},\"{room}\"", step % 700)),
        36 => say(format!("\"count\",{},\"{room}\",\"{other}\"", step % 700)),
        34 if is_rare && other != "*" => {
            let close = if step.is_multiple_of(2) { "close" } else { "stay" };
            say(format!("\"disconnect-all\",\"{other}\",\"{close}\""));
        }
        // Its WebSocket dies while it probes.
        31 if client.is_polling() => client.link.hangs_up = true,
        _ => {
            client.reading = Reading::All;
            client.text("3");
        }
    }
}

fn arrive(world: &mut World) {
    let shard = world.random.up_to(world.instance.shards() - 1);
    let id = match world.random.up_to(5) {
        0 => world.open_polling(shard, Style::Polls),
        1 | 2 => world.open_polling(shard, Style::Upgrades),
        3 => world.open_polling(shard, Style::UpgradesFirst),
        _ => world.open(shard),
    };
    world.clients[id].socket_bytes_max = world.random.pick(&[300, 3_000, 100_000]);
    world.clients[id].connect("/");
    if !world.random.one_in(4) {
        world.clients[id].connect("/other");
    }
}

/// One client does something, or comes: who is gone is replaced.
fn turn(world: &mut World, step: usize) {
    let clients = world.clients.iter().filter(|client| !client.dropped);
    let open: Vec<_> = clients.map(|client| client.id).collect();
    if open.len() < 12 {
        arrive(world);
    } else {
        let id = world.random.pick(&open);
        act(world, step, id);
    }
}

/// One thing after the other.
fn run(world: &mut World) {
    for step in 0..STEPS {
        turn(world, step);
        match world.random.up_to(40) {
            0..=7 => world.settle(),
            8 => {
                let ms = world.random.up_to(4_000) as u64;
                world.advance(ms);
            }
            _ => {}
        }
    }
    world.settle();
}

#[test]
fn a_swarm_loses_and_doubles_nothing_and_leaves_nothing_behind() {
    for shards in [1, 2, 4] {
        seeds(6, |seed| {
            let mut world = World::sliced(limits(), shards, seed);
            run(&mut world);
            check_deliveries(&world);
            let upgrades = world.stat(|stats| stats.upgrades.get());
            assert!(upgrades > 5, "few go over: {upgrades}");
            world.finish();
        });
    }
}

#[test]
fn a_swarm_over_several_instances_hears_what_each_of_them_placed() {
    for (instances, shards) in [(2, 1), (3, 2)] {
        seeds(3, |seed| {
            let mut limits = limits();
            limits.fan_out_slice = [1, 5, 512][usize::try_from(seed).unwrap_or(0) % 3];
            let mut fleet = Fleet::new(&limits, instances, shards, seed);
            for step in 0..STEPS {
                let of = step % instances;
                turn(&mut fleet.worlds[of], step);
                match fleet.worlds[of].random.up_to(40) {
                    0..=7 => fleet.settle(),
                    8 => {
                        let ms = fleet.worlds[of].random.up_to(4_000) as u64;
                        fleet.advance(ms);
                    }
                    _ => {}
                }
            }
            fleet.settle();
            for world in &fleet.worlds {
                check_deliveries(world);
                assert!(world.stat(|stats| stats.remote_broadcasts.get()) > 200, "few cross");
            }
            fleet.finish();
        });
    }
}

/// Compares what each client heard with what was placed in the order while it was there.
fn check_deliveries(world: &World) {
    let mut compared = 0;
    for client in &world.clients {
        for namespace in NAMESPACES {
            let expected = expected(world, client.id, namespace);
            let is_compared = |args: &&str| {
                ["[\"all\"", "[\"others\"", "[\"room\""].iter().any(|it| args.starts_with(it))
            };
            let events = client.events.iter().filter(|event| event.namespace == namespace);
            let heard: Vec<_> =
                events.map(|event| event.args.as_str()).filter(is_compared).collect();
            // Who is slow, or was cut off, has heard the beginning.
            let all = client.closed.is_some() || (!client.dropped && client.has_read_all());
            let most = if all { expected.len() } else { heard.len().min(expected.len()) };
            assert_eq!(heard, expected[..most], "client {} in {namespace}", client.id);
            compared += heard.len();
        }
    }
    assert!(compared > 1_000, "the swarm is silent: {compared}");
}

/// Broadcasts of a namespace whose audience a client belonged to at their places in the order.
fn expected(world: &World, of: usize, of_namespace: &str) -> Vec<String> {
    let placed = world.placed.borrow();
    let mut expected = Vec::new();
    let mut socket: Option<Model> = None;
    let mut next = 0;
    let mut live = |until: usize, socket: &mut Option<Model>| {
        for (namespace, publication) in &placed[next..until] {
            if namespace == of_namespace
                && let Some(heard) = meet(socket, publication)
            {
                expected.push(heard);
            }
        }
        next = until;
    };
    for fact in &world.log.borrow().all {
        let Fact::Socket { client, namespace, change, at } = fact else { continue };
        if *client != of || namespace != of_namespace {
            continue;
        }
        live(*at, &mut socket);
        match (change, &mut socket) {
            (Change::Connected(id), none) => *none = Some((*id, Vec::new())),
            (Change::Disconnected(_), some) => *some = None,
            (Change::Joined(room), Some((_, rooms))) => join(rooms, room),
            (Change::Left(room), Some((_, rooms))) => rooms.retain(|other| other != room),
            (Change::Joined(_) | Change::Left(_), None) => panic!("only a socket has rooms"),
        }
    }
    live(placed.len(), &mut socket);
    expected
}

/// A socket's id and the rooms it is in.
type Model = (SocketId, Vec<Room>);

fn join(rooms: &mut Vec<Room>, room: &Room) {
    if !rooms.contains(room) && rooms.len() < limits().rooms_per_socket_max {
        rooms.push(room.clone());
    }
}

/// What a publication does to a socket; what it must hear of it.
fn meet(socket: &mut Option<Model>, publication: &Publication) -> Option<String> {
    let (id, rooms) = socket.as_mut()?;
    match publication {
        Publication::Broadcast(broadcast) => {
            let args = std::str::from_utf8(&broadcast.packet.args).expect("JSON is UTF-8");
            let is_heard = !broadcast.volatile && is_reached(&broadcast.audience, *id, rooms);
            (is_heard && !args.starts_with("[\"ask")).then(|| args.to_owned())
        }
        Publication::ServerSideEvent(_) => None,
        Publication::Bulk(bulk) => {
            if is_reached(&bulk.audience, *id, rooms) {
                match &bulk.op {
                    BulkOp::Join(names) => names.iter().for_each(|name| join(rooms, name)),
                    BulkOp::Leave(names) => rooms.retain(|room| !names.contains(room)),
                    BulkOp::Disconnect { .. } => *socket = None,
                }
            }
            None
        }
    }
}

fn is_reached(audience: &Audience, id: SocketId, rooms: &[Room]) -> bool {
    let is_in = |room: &Room| *room == Room::Socket(id) || rooms.contains(room);
    let is_included = audience.rooms.is_empty() || audience.rooms.iter().any(is_in);
    is_included && !audience.except.iter().any(is_in)
}
