//! The port to other instances: what is handed over, and what is not.

use relay_hub::{Audience, Broadcast, Limits, Packet, Publication, Room};

use crate::sim::{World, seeds};

fn published(world: &World) -> Vec<String> {
    let published = world.published.borrow();
    let line = |(namespace, published): &(String, Publication)| match published {
        Publication::Broadcast(broadcast) => {
            format!("{namespace} {}", String::from_utf8_lossy(&broadcast.packet.args))
        }
        Publication::ServerSideEvent(args) => format!("{namespace} {args}"),
        Publication::Bulk(bulk) => format!("{namespace} {:?} {:?}", bulk.audience, bulk.op),
    };
    published.iter().map(line).collect()
}

fn remote(args: &str, audience: Audience) -> Broadcast {
    Broadcast::new(Packet::new(args.as_bytes(), &[]), audience)
}

#[test]
fn a_local_broadcast_is_published_once_unless_it_is_local() {
    seeds(10, |seed| {
        let mut world = World::sliced(Limits::default(), 4, seed);
        for shard in 0..4 {
            let id = world.join(shard);
            world.clients[id].emit(&format!("[\"all\",{id}]"));
            world.clients[id].emit(&format!("[\"local\",{id}]"));
            world.clients[id].emit(&format!("[\"echo\",{id}]"));
            world.clients[id].emit(&format!("[\"room\",\"nobody\",{id}]"));
        }
        world.settle();
        let mut seen = published(&world);
        seen.sort_unstable();
        let mut expected: Vec<_> = (0..4)
            .flat_map(|id| [format!("/ [\"all\",{id}]"), format!("/ [\"room\",\"nobody\",{id}]")])
            .collect();
        expected.sort_unstable();
        assert_eq!(seen, expected);
        world.finish();
    });
}

#[test]
fn a_remote_delivery_is_never_published_again() {
    seeds(10, |seed| {
        let mut world = World::sliced(Limits::default(), 4, seed);
        let clients: Vec<_> = (0..8).map(|n| world.join(n % 4)).collect();
        world.clients[1].emit("[\"join\",\"r\"]");
        world.settle();
        world.remote(2, "/", remote("[\"a\"]", Audience::all()));
        world.remote(3, "/", remote("[\"b\"]", Audience::rooms(vec![Room::text(b"r")])));
        world.remote(0, "/unknown", remote("[\"c\"]", Audience::all()));
        world.remote(0, "/other", remote("[\"d\"]", Audience::all()));
        world.settle();
        for &id in &clients {
            let expected: &[_] = if id == 1 { &["[\"a\"]", "[\"b\"]"] } else { &["[\"a\"]"] };
            assert_eq!(world.clients[id].heard(), expected);
        }
        assert_eq!(published(&world), Vec::<String>::new());
        assert_eq!(world.stat(|stats| stats.remote_broadcasts.get()), 3);
        world.finish();
    });
}

#[test]
fn what_other_instances_send_stands_in_the_same_order() {
    seeds(10, |seed| {
        let mut world = World::sliced(Limits::default(), 4, seed);
        let clients: Vec<_> = (0..8).map(|n| world.join(n % 4)).collect();
        for n in 0..100 {
            let id = world.random.up_to(7);
            world.clients[id].emit(&format!("[\"all\",{n}]"));
            if world.random.one_in(2) {
                world.read(id);
            }
            let shard = world.random.up_to(3);
            world.remote(shard, "/", remote(&format!("[\"remote\",{n}]"), Audience::all()));
        }
        world.settle();
        let order = world.clients[clients[0]].heard();
        assert_eq!(order.len(), 200);
        for client in &world.clients {
            assert!(client.heard() == order, "client {} saw another order", client.id);
        }
        world.finish();
    });
}

#[test]
fn what_is_said_to_a_namespace_without_sockets_here_is_published_all_the_same() {
    let mut world = World::new(Limits::default(), 2, 1);
    for namespace in ["/other", "/nowhere"] {
        let packet = Packet::new(b"[\"a\"]", &[]);
        let said = Broadcast::new(packet, Audience::all());
        world.call(1, |cx| cx.broadcast_to(namespace, said)).expect("within the bounds");
    }
    world.settle();
    assert_eq!(published(&world), ["/other [\"a\"]", "/nowhere [\"a\"]"]);
    world.finish();
}
