//! What a client may say, and how the connection ends when it says something else.

use std::time::Duration;

use relay_hub::{EndReason, Limits};
use relay_websocket::Opcode;

use crate::sim::{Reading, World, seeds};

/// What a client does, in order.
enum Say {
    /// A text frame.
    Text(&'static str),
    /// A binary frame.
    Binary(&'static [u8]),
    /// A close frame.
    Close(Option<u16>),
    /// Bytes as they are.
    Raw(&'static [u8]),
    /// Everything is read before it goes on.
    Pause,
}

use Say::{Binary, Close, Pause, Raw, Text};

/// A client in `/` says all that and the connection ends for `reason` with this close frame.
fn check(said: &[Say], reason: EndReason, code: Option<u16>) {
    seeds(3, |seed| {
        let mut world = World::sliced(Limits::default(), 2, seed);
        let (bystander, id) = (world.join(0), world.join(0));
        say(&mut world, id, said);
        world.settle();
        assert_eq!(world.log.borrow().ends_of(id), [reason]);
        assert_eq!(world.hub(0).stats().ends[reason.index()].get(), 1);
        assert_eq!(world.clients[id].closed, Some(code));
        assert!(world.clients[id].dropped, "both sides are done");
        assert!(!world.clients[bystander].dropped, "others go on");
        world.finish();
    });
}

fn say(world: &mut World, id: usize, said: &[Say]) {
    for said in said {
        let client = &mut world.clients[id];
        match said {
            Text(text) => client.text(text),
            Binary(data) => client.binary(data),
            Close(code) => client.close(*code),
            Raw(bytes) => client.send_raw(bytes),
            Pause => world.settle(),
        }
    }
}

#[test]
fn what_socket_io_does_not_allow_ends_the_connection() {
    for said in [
        &[Text("42/unknown,[\"a\"]")][..],
        &[Text("42/other,[\"a\"]")],
        &[Text("41/other")],
        &[Text("43/other,1[]")],
        &[Text("40{}")],
        &[Text("40/,{}")],
        &[Text("44{\"message\":\"x\"}")],
        &[Text("42")],
        &[Text("42[]")],
        &[Text("42{}")],
        &[Text("42[\"connect\"]")],
        &[Text("4")],
        &[Text("47")],
        &[Text("43[]")],
        &[Text("450-[\"a\"]")],
        &[Text("4511-[\"a\"]")],
        &[Text("451-[\"a\",{\"_placeholder\":true,\"num\":1}]")],
        &[Text("451-[\"a\",{\"_placeholder\":true,\"num\":0}]"), Text("42[\"b\"]")],
        &[Text("451-[\"a\",{\"_placeholder\":true,\"num\":0}]"), Pause, Text("41")],
        &[Binary(b"unannounced")],
        &[Text("bAAEC")],
        &[Text("41"), Pause, Text("40/other,{\"n\":0}"), Text("42[\"late\"]")],
    ] {
        // The last two leave sockets behind that ended for other reasons; look at the connection.
        seeds(2, |seed| {
            let mut world = World::sliced(Limits::default(), 1, seed);
            let id = world.join(0);
            say(&mut world, id, said);
            world.settle();
            let ends = &world.hub(0).stats().ends;
            assert_eq!(ends[EndReason::ProtocolError.index()].get(), 1);
            assert_eq!(world.clients[id].closed, Some(None));
            world.finish();
        });
    }
}

#[test]
fn before_it_has_joined_a_client_may_only_connect() {
    for text in ["42[\"a\"]", "41", "431[]", "42/other,[\"a\"]"] {
        let mut world = World::new(Limits::default(), 1, 1);
        let id = world.open(0);
        world.clients[id].text(text);
        world.settle();
        assert_eq!(world.hub(0).stats().ends[EndReason::ProtocolError.index()].get(), 1, "{text}");
        assert_eq!(world.log.borrow().ends_of(id), []);
        world.finish();
    }
}

#[test]
fn an_event_right_behind_the_connect_is_accepted() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.open(0);
    world.clients[id].connect("/");
    world.clients[id].emit("[\"echo\",1]");
    world.settle();
    assert_eq!(world.clients[id].heard(), ["[\"echo\",1]"]);
    world.finish();
}

#[test]
fn engine_io_and_websocket_ends() {
    use EndReason::*;
    let long: &'static [u8] = &[0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41, 1, 2, 3, 4];
    for (said, reason, code) in [
        (&[Text("1")][..], TransportClose, None),
        (&[Text("2")], TransportError, None),
        (&[Text("2probe")], TransportError, None),
        (&[Text("7")], ParseError, None),
        (&[Text("")], ParseError, None),
        (&[Text("hello")], ParseError, None),
        (&[Text("b?")], ParseError, None),
        (&[Close(None)], TransportClose, None),
        (&[Close(Some(1000))], TransportClose, Some(1000)),
        (&[Close(Some(4321))], TransportClose, Some(4321)),
        (&[Close(Some(1005))], WebSocketProtocol, Some(1002)),
        (&[Raw(&[0x81, 0x01, b'3'])], WebSocketProtocol, Some(1002)),
        (&[Raw(&[0xc1, 0x81, 0, 0, 0, 0, b'3'])], WebSocketProtocol, Some(1002)),
        (&[Raw(&[0x81, 0x82, 0, 0, 0, 0, b'4', 0xff])], InvalidUtf8, Some(1007)),
        (&[Raw(long)], PayloadTooLarge, Some(1009)),
        // What follows an end counts no more.
        (&[Text("1"), Text("42[\"echo\"]"), Text("nonsense"), Close(None)], TransportClose, None),
    ] {
        check(said, reason, code);
    }
}

#[test]
fn packets_that_mean_nothing_are_ignored() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join(0);
    for text in ["0{}", "5", "6", "3", "3probe", "4399[]", "43[1]"].iter().take(6) {
        world.clients[id].text(text);
    }
    world.clients[id].send(Opcode::Ping, b"are you there");
    world.clients[id].send(Opcode::Pong, b"");
    world.clients[id].emit("[\"unknown\"]");
    world.clients[id].emit("[7]");
    world.clients[id].text("420[\"unknown\"]");
    world.settle();
    assert_eq!(world.clients[id].closed, None);
    assert_eq!(world.clients[id].ws_pongs, [b"are you there".to_vec()]);
    assert_eq!(world.clients[id].acks, [(0, "[\"unknown\"]".to_owned())]);
    world.finish();
}

#[test]
fn an_invalid_namespace_and_a_refusal_keep_the_connection() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.open(0);
    world.clients[id].text("40/unknown,");
    world.clients[id].text("40{\"refuse\":[1]}");
    world.settle();
    let expected = [
        ("/unknown".to_owned(), "{\"message\":\"Invalid namespace\"}".to_owned()),
        ("/".to_owned(), "{\"message\":\"not you\",\"data\":[1]}".to_owned()),
    ];
    assert_eq!(world.clients[id].refusals, expected);
    // Of its own refusal the application knows.
    assert_eq!(world.log.borrow().refused, ["Invalid namespace"]);
    assert_eq!(world.clients[id].closed, None);
    world.clients[id].connect("/");
    world.settle();
    assert!(world.clients[id].is_joined("/"));
    assert_eq!(world.stat(|stats| stats.connects_refused.get()), 2);
    world.finish();
}

#[test]
fn namespaces_of_one_connection_are_apart() {
    let mut world = World::new(Limits::default(), 2, 1);
    let (id, other) = (world.join(0), world.join(1));
    world.clients[id].connect("/other");
    world.settle();
    world.clients[id].text("42/other,1[\"all\",1]");
    world.settle();
    assert_eq!(world.clients[other].heard(), Vec::<&str>::new());
    assert_eq!(world.clients[id].events[0].namespace, "/other");
    let ids: Vec<_> = world.clients[id].joined.iter().map(|(_, id)| id.clone()).collect();
    assert_ne!(ids[0], ids[1], "a socket id is of one namespace");
    assert!(!world.clients[id].open.contains(&ids[0][1..]), "the session id is another");
    world.clients[id].text("41/other,");
    world.settle();
    world.clients[id].emit("[\"echo\",1]");
    world.settle();
    assert_eq!(world.clients[id].heard().len(), 2, "the connection lives on");
    let ends = world.log.borrow().ends_of(id);
    assert_eq!(ends, [EndReason::ClientNamespaceDisconnect]);
    world.finish();
}

#[test]
fn late_packets_are_forgiven_for_a_while() {
    let mut world = World::new(Limits::default(), 1, 1);
    let grace = u64::try_from(world.instance.limits().left_namespace_grace.as_millis()).unwrap();
    let id = world.join(0);
    world.clients[id].emit("[\"out\"]");
    for late in ["42[\"late\"]", "431[]", "41", "451-[\"a\",{\"_placeholder\":true,\"num\":0}]"] {
        world.clients[id].text(late);
    }
    world.clients[id].binary(b"x");
    world.settle();
    assert_eq!(world.log.borrow().ends_of(id), [EndReason::ServerNamespaceDisconnect]);
    assert_eq!(world.clients[id].put_out, ["/"]);
    world.advance(grace - 1);
    world.clients[id].emit("[\"late\"]");
    world.settle();
    assert_eq!(world.clients[id].closed, None);
    world.advance(1);
    world.clients[id].emit("[\"too late\"]");
    world.settle();
    assert_eq!(world.clients[id].closed, Some(None));
    assert_eq!(world.hub(0).stats().ends[EndReason::ProtocolError.index()].get(), 1);
    world.finish();
}

#[test]
fn a_client_that_was_put_out_may_join_again() {
    let mut world = World::new(Limits::default(), 1, 1);
    let id = world.join(0);
    world.clients[id].emit("[\"out\"]");
    world.clients[id].connect("/");
    world.clients[id].emit("[\"echo\",1]");
    world.settle();
    assert_eq!(world.clients[id].joined.len(), 2);
    assert_eq!(world.clients[id].heard(), ["[\"echo\",1]"]);
    world.finish();
}

#[test]
fn who_joins_nothing_in_time_is_closed() {
    let limits = Limits { ping_interval: Duration::from_secs(600), ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    let (never, refused, left) = (world.open(0), world.open(0), world.join(0));
    world.clients[refused].text("40/unknown,");
    world.clients[left].text("41");
    world.settle();
    world.advance(44_999);
    assert!(world.clients.iter().all(|client| client.closed.is_none()));
    world.advance(1);
    for id in [never, refused] {
        assert_eq!(world.clients[id].closed, Some(None), "client {id}");
    }
    assert_eq!(world.hub(0).stats().ends[EndReason::ConnectTimeout.index()].get(), 2);
    assert_eq!(world.clients[left].closed, None, "it joined once, which is enough");
    world.finish();
}

#[test]
fn a_closing_handshake_has_its_time() {
    let mut world = World::new(Limits::default(), 1, 1);
    let (answers, silent) = (world.join(0), world.join(0));
    world.clients[silent].reading = Reading::Nothing;
    world.shut_down();
    world.settle();
    assert!(world.clients[answers].dropped, "both close frames are through");
    world.advance(4_999);
    assert!(!world.clients[silent].dropped);
    world.advance(1);
    assert!(world.clients[silent].dropped);
    assert_eq!(world.log.borrow().ends_of(silent), [EndReason::ServerShuttingDown]);
    world.finish();
}

#[test]
fn attachments_must_arrive_in_time() {
    let limits = Limits { ping_interval: Duration::from_secs(600), ..Limits::default() };
    let mut world = World::new(limits, 1, 1);
    let (late, in_time) = (world.join(0), world.join(0));
    let text = "452-[\"echo\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";
    for id in [late, in_time] {
        world.clients[id].text(text);
        world.clients[id].binary(b"one");
    }
    world.settle();
    world.advance(15_000);
    // An attachment that does not complete the packet gives no further time.
    world.advance(14_999);
    world.clients[in_time].binary(b"two");
    world.settle();
    world.advance(1);
    assert_eq!(world.log.borrow().ends_of(late), [EndReason::AttachmentsTimeout]);
    assert_eq!(world.clients[in_time].events[0].attachments, [b"one", b"two"]);
    world.advance(100_000);
    assert_eq!(world.clients[in_time].closed, None);
    world.finish();
}
