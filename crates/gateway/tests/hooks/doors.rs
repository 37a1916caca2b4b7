//! How clients come in and go.

use std::sync::{Arc, Mutex};

use relay_gateway::{Admission, Code, Event, Hooks, Verdict};
use relay_hub::{Audience, EndReason, Limits, Refusal, Room};

use crate::world::{Notes, World};

#[test]
fn authorize_sees_the_handshake_and_admits_or_refuses() {
    let hooks = Hooks::new().authorize(|asked| {
        let knock = asked.handshake();
        assert!(knock.address().is_loopback());
        assert_eq!(knock.header("X-Key"), Some("k"));
        assert_eq!(knock.query("room").as_deref(), Some("a b"));
        match knock.auth_text("token").as_deref() {
            Some("good") => Ok(()),
            _ => Err(Refusal { message: "no".into(), data: Some(r#"{"code":7}"#.into()) }),
        }
    });
    let mut world = World::new(hooks);
    world.join(r#"{"token":"good"}"#);
    let it = world.open();
    world.send(it, r#"40/relay,{"token":"bad"}"#);
    world.expect(it, &[r#"44{"message":"no","data":{"code":7}}"#]);
    assert_eq!(world.stats.connections.get(), 1);
    // Whoever was refused may try again, and the other namespaces are open.
    world.send(it, "40");
    assert!(world.next(it).is_some_and(|answer| answer.starts_with("40{\"sid\"")));
}

#[test]
fn a_decision_at_the_door_may_take_its_time() {
    let hooks = Hooks::new().authorize(|asked| {
        let token = asked.handshake().auth_text("token").unwrap_or_default();
        Verdict::later(async move {
            match &*token {
                "good" => Ok(Admission::with(7_u32)),
                "panic" => panic!("on purpose"),
                _ => Err(Refusal::new("no")),
            }
        })
    });
    let hooks = hooks.connection(|socket| assert_eq!(socket.state::<u32>().as_deref(), Some(&7)));
    let mut world = World::new(hooks);
    let clients: Vec<_> = ["good", "bad", "panic"]
        .into_iter()
        .map(|token| {
            let it = world.open();
            world.send(it, &format!(r#"40/relay,{{"token":"{token}"}}"#));
            world.expect(it, &[]);
            it
        })
        .collect();
    world.think();
    assert!(world.next(clients[0]).is_some_and(|it| it.starts_with("40/relay,{\"sid\"")));
    world.expect(clients[1], &[r#"44{"message":"no"}"#]);
    assert_eq!(world.closed(clients[2]), Some(Some(1011)), "a panic ends that connection");
    assert_eq!((world.closed(clients[0]), world.closed(clients[1])), (None, None));
}

#[test]
fn there_is_a_bound_on_decisions_whatever_becomes_of_their_clients() {
    let hooks = Hooks::new().authorize(|_| Verdict::<(), _>::later(std::future::pending()));
    let (limits, notes) =
        (Limits { decisions_max: 2, ..Limits::default() }, Arc::<Notes>::default());
    let mut world = World::observed(hooks, limits, notes.clone());
    for _ in 0..2 {
        let it = world.open();
        world.send(it, "40/relay,");
        world.hang_up(it);
    }
    notes.take();
    let it = world.open();
    world.send(it, "40/relay,");
    world.expect(it, &[r#"44{"message":"Server busy"}"#]);
    assert_eq!(notes.take(), ["connect_refused address=127.0.0.1 reason=Server busy"]);
    assert_eq!((world.background.waiting(), world.stats.thoughts_refused.get()), (2, 1));
}

#[test]
fn a_connection_hook_acts_before_anything_that_the_client_says() {
    let hooks = Hooks::new().connection(|socket| {
        let knock = socket.handshake().expect("it has just come");
        if knock.auth_text("token").is_none() {
            return socket.disconnect();
        }
        socket.join("hall").expect("room");
        socket.emit(Event::new("hello").unwrap().arg(&socket.id().to_string()).unwrap()).unwrap();
        let others = Audience::rooms(vec![Room::from("hall")]).except(Room::from(socket.id()));
        socket.broadcast(Event::new("came").unwrap(), others).unwrap();
    });
    let mut world = World::new(hooks);
    let (a, id) = world.join(r#"{"token":"t"}"#);
    world.expect(a, &[&format!(r#"42["hello","{id}"]"#)]);
    let (b, _) = world.join(r#"{"token":"t"}"#);
    world.expect(a, &[r#"42["came"]"#]);
    assert_eq!(world.next(b).map(|it| it.contains("hello")), Some(true));
    world.say(a, r#"["relay",{"destino":"room","room":"hall"}]"#);
    world.expect(b, &[r#"42["relay",{"destino":"room","room":"hall"}]"#]);
    // Without a token: it is told that it is in, then that it is out, and may stay connected.
    let (c, _) = world.join("");
    world.expect(c, &["41"]);
    assert_eq!((world.closed(c), world.stats.connections.get()), (None, 2));
}

#[test]
fn a_connection_hook_lets_nobody_hear_what_is_anothers() {
    let hooks = Hooks::new().connection(|socket| {
        for room in ["~u:s5:ana", "~AAAAAAAAAAAAAAAAAAA", "~"] {
            assert_eq!(socket.join(room), Err(Code::BadRoom), "{room}");
            assert!(!socket.leave(room), "{room}");
        }
        assert_eq!(socket.join(Room::from(socket.id())), Err(Code::BadRoom));
    });
    let mut world = World::new(hooks);
    let (a, _) = world.join("");
    assert_eq!(world.closed(a), None, "nothing of it failed");
}

#[test]
fn a_connection_hook_may_say_whose_a_socket_is() {
    let hooks = Hooks::new()
        .connection(|socket| {
            assert_eq!(socket.identify(f64::NAN), Err(Code::BadUser));
            assert_eq!(socket.identify("x".repeat(2_000)), Err(Code::TooLarge));
            socket.identify("ana \"☃\"").expect("there is room");
        })
        .message(|message| {
            let user = message.user().expect("it was told");
            assert_eq!(user.as_str(), Some("ana \"☃\""));
            Ok(())
        });
    let mut world = World::new(hooks);
    let (a, _) = world.join("");
    world.say(a, r#"["relay",1]"#);
    world.expect(a, &[r#"42["relay",1]"#]);
    let room = relay_gateway::User::from("ana \"☃\"").room(world.instance.limits());
    let socket = world.hub.sockets()[0];
    world.hub.run(world.now, |cx| assert!(cx.rooms(socket).eq(room.as_ref())));
}

#[test]
fn a_panic_at_the_connection_ends_that_connection_alone() {
    let hooks = Hooks::new().connection(|socket| {
        let knock = socket.handshake().expect("it has just come");
        assert!(knock.auth_json().is_none(), "on purpose");
    });
    let mut world = World::new(hooks);
    let (well, _) = world.join("");
    let (ill, _) = world.join("{}");
    assert_eq!((world.closed(ill), world.closed(well)), (Some(Some(1011)), None));
    world.say(well, r#"["relay",1]"#);
    world.expect(well, &[r#"42["relay",1]"#]);
}

#[test]
fn a_disconnection_is_told_with_its_reason() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let hooks = Hooks::new()
        .authorize(|_| Verdict::<_, Refusal>::Allow(Admission::with("kept".to_owned())))
        .disconnected(move |gone| {
            let user = gone.user().and_then(|it| it.as_str().map(str::to_owned));
            let state = gone.state::<String>();
            tell.lock().unwrap().push((gone.id().to_string(), user, state, gone.end_reason()));
        });
    let mut world = World::new(hooks);
    let (a, id_a) = world.join("");
    let (b, id_b) = world.join("");
    world.say(a, r#"["identificar","ana"]"#);
    world.send(b, "41/relay,");
    world.hang_up(a);
    let kept = || Some(Arc::new("kept".to_owned()));
    let expect = [
        (id_b, None, kept(), EndReason::ClientNamespaceDisconnect),
        (id_a, Some("ana".to_owned()), kept(), EndReason::TransportClose),
    ];
    assert_eq!(*told.lock().unwrap(), expect);
}
