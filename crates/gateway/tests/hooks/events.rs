//! What clients say: allowed, refused, thought about.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use relay_gateway::{Code, Denial, Destination, Hooks, User, Verdict};
use relay_hub::{Limits, Room};

use crate::world::World;

/// Refuses what says so, thinks about what says so.
fn picky() -> Hooks {
    Hooks::new().message(|message| {
        let data: serde_json::Value = message.data().expect("the client sent JSON");
        let refused = || Denial::new(Code::Forbidden, "not \"this\"");
        match data["how"].as_str() {
            Some("refuse") => Verdict::Refuse(refused()),
            Some("later") => Verdict::later(async { Ok(()) }),
            Some("later refuse") => Verdict::later(async move { Err(refused()) }),
            Some("panic") => panic!("on purpose"),
            Some("later panic") => Verdict::later(async { panic!("on purpose") }),
            Some("never") => Verdict::later(std::future::pending()),
            _ => Verdict::Allow(()),
        }
    })
}

const REFUSED: &str = r#"{"code":"forbidden","message":"not \"this\""}"#;

fn refusals(world: &World) -> Vec<(&'static str, &'static str, u64)> {
    world.stats.refusals().into_iter().map(|it| (it.event, it.code, it.count)).collect()
}

#[test]
fn a_refusal_reaches_the_sender_alone() {
    let mut world = World::new(picky());
    let (a, _) = world.join("");
    let (b, _) = world.join("");
    world.say(a, r#"["relay",{"destino":"nosotros","how":"refuse"}]"#);
    let error = REFUSED.replacen('{', r#"{"event":"relay","#, 1);
    world.expect(a, &[&format!(r#"42["relay:error",{error}]"#)]);
    world.send(a, r#"42/relay,7["relay",{"destino":"nosotros","how":"refuse"}]"#);
    world.expect(a, &[&format!("437[false,{REFUSED}]")]);
    world.expect(b, &[]);
    world.say(a, r#"["relay",{"destino":"nosotros"}]"#);
    world.expect(b, &[r#"42["relay",{"destino":"nosotros"}]"#]);
    assert_eq!(refusals(&world), [("relay", "forbidden", 2)]);
}

#[test]
fn a_message_that_is_thought_about_holds_its_sender_back_and_nobody_else() {
    let mut world = World::new(picky());
    let (a, _) = world.join("");
    let (b, _) = world.join("");
    world.send(a, r#"42/relay,1["relay",{"destino":"ustedes","tipo":"t","how":"later"}]"#);
    world.send(a, r#"42/relay,2["relay",{"destino":"ustedes","n":2}]"#);
    world.say(b, r#"["relay",{"n":"mine"}]"#);
    world.expect(b, &[r#"42["relay",{"n":"mine"}]"#]);
    world.expect(a, &[]);
    world.think();
    world.expect(a, &["431[true]", "432[true]"]);
    world.expect(
        b,
        &[
            r#"42["relay",{"destino":"ustedes","tipo":"t","how":"later"}]"#,
            r#"42["relay",{"destino":"ustedes","n":2}]"#,
        ],
    );
    let counted: Vec<_> =
        world.stats.messages().into_iter().map(|it| (it.kind, it.count)).collect();
    assert!(counted.contains(&("t".to_owned(), 1)), "{counted:?}");
    world.send(a, r#"42/relay,3["relay",{"destino":"ustedes","how":"later refuse"}]"#);
    world.think();
    world.expect(a, &[&format!("433[false,{REFUSED}]")]);
    world.expect(b, &[]);
}

#[test]
fn nobody_is_timed_out_while_the_program_thinks() {
    let done = Arc::new(AtomicBool::new(false));
    let is_done = done.clone();
    let hooks = Hooks::new().message(move |_| {
        let is_done = is_done.clone();
        Verdict::later(poll_fn(move |_| match is_done.load(Ordering::Relaxed) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }))
    });
    let decision_timeout = Duration::from_secs(300);
    let mut world = World::with(hooks, Limits { decision_timeout, ..Limits::default() });
    let (a, _) = world.join("");
    world.say(a, r#"["relay",1]"#);
    // Far longer than a client may take for its pong; what it says is not read meanwhile.
    for _ in 0..20 {
        world.wait(10_000);
        world.think();
        world.send(a, "3");
    }
    assert_eq!(world.closed(a), None);
    done.store(true, Ordering::Relaxed);
    world.think();
    let heard = std::iter::from_fn(|| world.next(a)).filter(|it| it != "2").collect::<Vec<_>>();
    assert_eq!(heard, [r#"42/relay,["relay",1]"#]);
    world.wait(1_000);
    assert_eq!(world.closed(a), None);
}

#[test]
fn binaries_wait_with_their_message() {
    let hooks = Hooks::new().notify(|message| {
        assert_eq!(message.attachments(), [&[1, 2, 3][..]]);
        assert_eq!(*message.destination(), Destination::Sender);
        Verdict::later(async { Ok(()) })
    });
    let mut world = World::new(hooks);
    let (a, _) = world.join("");
    world.send(a, r#"451-/relay,["notificar",{"x":{"_placeholder":true,"num":0}}]"#);
    world.send_binary(a, &[1, 2, 3]);
    world.expect(a, &[]);
    world.think();
    world.expect(a, &[r#"451-["notificar",{"x":{"_placeholder":true,"num":0}}]"#, "<1,2,3>"]);
}

#[test]
fn whoever_is_not_answered_is_told_so_and_goes_on() {
    let mut world = World::new(picky());
    let (a, _) = world.join("");
    world.send(a, r#"42/relay,1["relay",{"how":"never"}]"#);
    world.say(a, r#"["relay",{"n":2}]"#);
    world.wait(10_001);
    let message = "this cannot be done now; try again later";
    let unavailable = format!(r#"431[false,{{"code":"unavailable","message":"{message}"}}]"#);
    world.expect(a, &[&unavailable, r#"42["relay",{"n":2}]"#]);
    assert_eq!(refusals(&world), [("relay", "unavailable", 1)]);
}

#[test]
fn a_panic_ends_the_connection_of_whoever_caused_it() {
    for how in ["panic", "later panic"] {
        let mut world = World::new(picky());
        let (a, _) = world.join("");
        let (b, _) = world.join("");
        world.say(a, &format!(r#"["relay",{{"destino":"nosotros","how":"{how}"}}]"#));
        world.think();
        assert_eq!((world.closed(a), world.closed(b)), (Some(Some(1011)), None), "{how}");
        world.say(b, r#"["relay",1]"#);
        world.expect(b, &[r#"42["relay",1]"#]);
        assert_eq!(world.hub.stats().panics.get(), 1);
    }
}

#[test]
fn messages_that_wait_weigh_on_the_memory_budget() {
    let limits = Limits { memory_step_bytes: 1, ..Limits::default() };
    let mut world = World::with(picky(), limits);
    let (a, _) = world.join("");
    let before = world.instance.memory().used();
    let filler = "x".repeat(100_000);
    world.say(a, &format!(r#"["relay",{{"how":"never","x":"{filler}"}}]"#));
    assert!(world.instance.memory().used() >= before + 100_000);
    world.hang_up(a);
    assert!(world.instance.memory().used() <= before);
}

#[test]
fn a_client_that_goes_away_takes_its_message_along() {
    let mut world = World::new(picky());
    let (a, _) = world.join("");
    let (b, _) = world.join("");
    world.say(a, r#"["relay",{"destino":"nosotros","how":"later"}]"#);
    world.hang_up(a);
    world.think();
    world.expect(b, &[]);
    assert_eq!(world.background.waiting(), 0);
}

#[test]
fn an_identity_is_checked_before_it_counts() {
    let hooks = Hooks::new().identify(|who| {
        let (claimed, before) = (who.claimed(), who.user());
        Verdict::later(async move {
            match claimed {
                Some(User::Number(_)) => Err(Code::BadUser.into()),
                claimed if before.is_some() && claimed != before => Err(Code::Forbidden.into()),
                _ => Ok(()),
            }
        })
    });
    let mut world = World::new(hooks);
    let (a, _) = world.join("");
    let ana = User::from("ana").room(world.instance.limits());
    let in_it = |world: &mut World| {
        let mut found = false;
        let socket = world.hub.sockets()[0];
        world.hub.run(world.now, |cx| found = cx.rooms(socket).any(|it| Some(it) == ana.as_ref()));
        found
    };
    world.send(a, r#"42/relay,1["identificar",5]"#);
    world.send(a, r#"42/relay,2["identificar","ana"]"#);
    world.think();
    assert!(!in_it(&mut world), "one at a time");
    world.think();
    assert!(in_it(&mut world));
    world.send(a, r#"42/relay,3["identificar","eva"]"#);
    world.think();
    assert!(in_it(&mut world), "it stays who it was");
    let codes = ["\"code\":\"bad_user\"", "432[true]", "\"code\":\"forbidden\""];
    for code in codes {
        let answer = world.next(a).unwrap_or_default().replacen("/relay,", "", 1);
        assert!(answer.contains(code), "{answer}");
    }
}

#[test]
fn a_user_that_finds_no_room_is_nobody_new() {
    let limits = Limits { rooms_per_socket_max: 1, ..Limits::default() };
    let mut world = World::with(Hooks::new(), limits);
    let (a, _) = world.join("");
    world.say(a, r#"["unirse","x"]"#);
    world.send(a, r#"42/relay,1["identificar","ana"]"#);
    assert!(world.next(a).is_some_and(|it| it.contains("too_many")));
    let socket = world.hub.sockets()[0];
    world.hub.run(world.now, |cx| {
        assert!(cx.rooms(socket).eq([&Room::from("x")]));
    });
    // The place of the old one serves for the new one.
    world.say(a, r#"["salir","x"]"#);
    for user in [r#""ana""#, r#""eva""#] {
        world.send(a, &format!(r#"42/relay,1["identificar",{user}]"#));
        world.expect(a, &["431[true]"]);
    }
}

#[test]
fn hooks_are_not_asked_about_what_is_wrong_anyway() {
    let mut world = World::new(Hooks::new().message(|_| -> Result<(), Denial> { panic!() }));
    let (a, _) = world.join("");
    for data in ["", ",null", r#",{"destino":"room"}"#, r#",{"destino":"room","room":"~x"}"#] {
        world.say(a, &format!(r#"["relay"{data}]"#));
        assert!(world.next(a).is_some_and(|it| it.contains("relay:error")), "{data}");
    }
    assert_eq!(world.closed(a), None);
}
