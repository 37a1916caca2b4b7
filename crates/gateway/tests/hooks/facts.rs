//! What observers are told: who came, what was said where, what was refused, how it ended.

use std::sync::Arc;
use std::time::Duration;

use relay_gateway::{Admission, Code, Hooks, Verdict};
use relay_hub::{Limits, Refusal};

use crate::world::{Notes, World};

/// A client comes in, says this, and hangs up: what was told between its coming and its end.
fn check(hooks: Hooks, said: &[&str], facts: &[&str]) {
    let notes = Arc::new(Notes::default());
    let mut world = World::observed(hooks, Limits::default(), notes.clone());
    let (it, _) = world.join("{}");
    let came = notes.take();
    assert_eq!(came, ["connected socketId:20 address=127.0.0.1 transport=websocket"]);
    for args in said {
        world.say(it, args);
        world.think();
    }
    assert_eq!(notes.take(), facts);
    world.wait(250);
    world.hang_up(it);
    let ends = notes.take();
    let [end] = &ends[..] else { panic!("{ends:?}") };
    assert!(end.starts_with("disconnected usuario="), "{end}");
    assert!(
        end.contains(" reason=transport_close closedBy=client durationMs=250 receivedBytes="),
        "{end}"
    );
}

#[test]
fn messages_are_told_without_their_payload() {
    check(
        Hooks::new(),
        &[
            r#"["relay",{"destino":"nosotros","tipo":"mensaje","secreto":1}]"#,
            r#"["identificar","ana"]"#,
            r#"["notificar",{"destino":"room","room":["a",5]}]"#,
            r#"["identificar",{"n":5}]"#,
            r#"["relay",5]"#,
        ],
        &[
            "message usuario=anónimo tipo=mensaje destino=nosotros socketId:20 dataSize=61",
            "identified usuario=ana socketId:20",
            "notification usuario=ana tipo=sin-tipo destino=room room=a rooms=2 socketId:20 \
             dataSize=47",
            "identified usuario={\"n\":5} socketId:20",
            "message usuario={\"n\":5} tipo=sin-tipo destino=yo socketId:20 dataSize=11",
        ],
    );
}

#[test]
fn refusals_are_told_with_their_code() {
    check(
        Hooks::new(),
        &[r#"["relay"]"#, r#"["unirse",true]"#, r#"["identificar",null]"#],
        &[
            "refused usuario=anónimo socketId:20 refused=relay code=bad_data",
            "refused usuario=anónimo socketId:20 refused=unirse code=bad_room",
            "refused usuario=anónimo socketId:20 refused=identificar code=bad_user",
        ],
    );
}

#[test]
fn what_was_thought_about_is_told_when_it_is_decided() {
    let hooks = Hooks::new()
        .message(|_| Verdict::later(async { Ok(()) }))
        .notify(|_| Verdict::later(async { Err(Code::Forbidden.into()) }));
    check(
        hooks,
        &[r#"["relay",{}]"#, r#"["notificar",{}]"#],
        &[
            "message usuario=anónimo tipo=sin-tipo destino=yo socketId:20 dataSize=12",
            "refused usuario=anónimo socketId:20 refused=notificar code=forbidden",
        ],
    );
}

#[test]
fn whoever_does_not_come_in_is_told_too() {
    let notes = Arc::new(Notes::default());
    let refuse = |_: &relay_gateway::Authorize<'_>| Err::<(), _>(Refusal::new("no token"));
    let hooks = Hooks::new().authorize(refuse);
    let mut world = World::observed(hooks, Limits::default(), notes.clone());
    let it = world.open();
    world.send(it, "40/relay,");
    assert_eq!(notes.take(), ["connect_refused address=127.0.0.1 reason=no token"]);
    world.wait(60_000);
    let ends = notes.take();
    let [end] = &ends[..] else { panic!("{ends:?}") };
    assert!(end.starts_with("never_joined address=127.0.0.1 transport=websocket"), "{end}");
    assert!(end.contains("reason=connect_timeout closedBy=server"), "{end}");
}

#[test]
fn whom_the_hub_refuses_by_itself_is_told_too() {
    let notes = Arc::new(Notes::default());
    let slow = |_: &relay_gateway::Authorize<'_>| {
        Verdict::<_, Refusal>::later(async {
            std::future::pending::<()>().await;
            Ok(Admission::new())
        })
    };
    let limits = Limits { decision_timeout: Duration::from_secs(5), ..Limits::default() };
    let mut world = World::observed(Hooks::new().authorize(slow), limits, notes.clone());
    let it = world.open();
    world.send(it, "40/elsewhere,");
    assert_eq!(notes.take(), ["connect_refused address=127.0.0.1 reason=Invalid namespace"]);
    world.send(it, "40/relay,");
    world.wait(5_000);
    assert_eq!(notes.take(), ["connect_refused address=127.0.0.1 reason=Server busy"]);
}
