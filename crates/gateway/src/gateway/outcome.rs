//! What becomes of events and CONNECTs: the program's decisions come back, refusals are told.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use relay_hub::{Context, Refusal, SocketKey, Ticket};

use crate::client::{Client, Command, Pending};
use crate::denial::{Code, Denial, Reply};
use crate::fact::{Fact, Witness};
use crate::later::{Background, Outcome, Work};
use crate::message::Delivery;
use crate::metrics::GatewayStats;
use crate::rooms::be;

/// One of the program's futures, until it is dropped.
pub(super) struct Slot(pub(super) Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Works on a decision in the background, and tells the shard.
pub(super) fn think(
    background: &Arc<dyn Background>,
    slot: Slot,
    ticket: Ticket,
    thought: impl Future<Output = Outcome> + Send + 'static,
) {
    let told = background.clone();
    let work: Work = Box::pin(async move {
        let outcome = thought.await;
        drop(slot);
        told.tell(ticket, outcome);
    });
    background.spawn(work);
}

/// Goes on with an event that the program thought about.
pub(super) fn resume(
    cx: &mut Context<'_, Client>,
    stats: &GatewayStats,
    witness: &Witness,
    socket: SocketKey,
    decided: Result<(), Denial>,
) {
    let pending = cx.data_mut(socket).and_then(Client::take_pending);
    let Some(Pending { reply, command }) = pending else { return };
    let done = decided.and_then(|()| match command {
        Command::Identify(usuario) => Ok(identify(cx, witness, socket, &usuario)?),
        Command::Message(delivery) => Ok(send(cx, stats, witness, reply, &delivery)?),
    });
    match done {
        Ok(()) => reply.accept(cx),
        Err(denial) => refuse(cx, stats, witness, reply, &denial),
    }
}

/// A client is who it says it is.
pub(super) fn identify(
    cx: &mut Context<'_, Client>,
    witness: &Witness,
    socket: SocketKey,
    usuario: &str,
) -> Result<(), Code> {
    be(cx, socket, usuario)?;
    witness.identified(cx, socket);
    Ok(())
}

/// A message that was accepted goes its way.
pub(super) fn send(
    cx: &mut Context<'_, Client>,
    stats: &GatewayStats,
    witness: &Witness,
    reply: Reply,
    delivery: &Delivery<'_>,
) -> Result<(), Code> {
    delivery.send(cx, reply.socket)?;
    stats.message(delivery.kind.as_deref(), &delivery.destination);
    witness.tell_of(cx, reply.socket, |socket, user| {
        Some(Fact::Message {
            is_notification: reply.event != "relay",
            socket,
            user,
            kind: delivery.kind.as_deref(),
            destination: &delivery.destination,
            bytes: delivery.bytes(),
        })
    });
    Ok(())
}

pub(super) fn refuse_connect(witness: &Witness, address: IpAddr, refusal: &Refusal) {
    witness.tell(&Fact::ConnectRefused { address, message: &refusal.message });
}

pub(super) fn refuse(
    cx: &mut Context<'_, Client>,
    stats: &GatewayStats,
    witness: &Witness,
    reply: Reply,
    denial: &Denial,
) {
    witness.refused(cx, reply, denial.code);
    stats.refused(reply.event, denial.code);
    reply.refuse(cx, denial);
}
