//! Two running servers that are each other's cluster: what one publishes comes to the other's
//! sockets through its inboxes, and holds back whoever brings too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use relay_server::hub::{
    Asker, Audience, Broadcast, Cluster, Limits, Others, Packet, Publication, Question, Remote,
    Response, Serving,
};
use relay_server::{Busy, Remotes};

use crate::client::Client;
use crate::{PATIENCE, Running, at_all_sizes};

/// What a shard hands to the other instances.
enum Sent {
    Remote(Remote),
    Answer(Response),
}

/// A shard's port: everything goes to one channel.
struct Port(Sender<Sent>);

impl Port {
    fn send(&self, sent: Sent) {
        // Whoever listened may have ended before the server.
        let _ = self.0.send(sent);
    }
}

impl Cluster for Port {
    fn publish(&mut self, namespace: &str, publication: &Publication) {
        let (namespace, publication) = (namespace.into(), publication.clone());
        self.send(Sent::Remote(Remote::Publication { namespace, publication }));
    }

    fn ask(&mut self, _: &str, _request: u64, _: &Question, _: Duration) -> Others {
        Others::Nobody
    }

    fn done(&mut self, _request: u64) {}

    fn answer(&mut self, _asker: &Asker, response: Response) {
        self.send(Sent::Answer(response));
    }

    fn serve(&mut self, _namespace: &str, _serving: Serving) {}
}

fn start(limits: &Limits, shards: usize) -> (Running, Receiver<Sent>) {
    let (sender, sent) = channel();
    let running = Running::start(limits.clone(), shards, &channel().0, |config| {
        config.clusters = (0..shards)
            .map(|_| Box::new(Port(sender.clone())) as Box<dyn Cluster + Send>)
            .collect();
    });
    (running, sent)
}

/// Brings `count` messages to a shard, one after the other; each waits for its room.
fn bring(sent: Receiver<Sent>, count: usize, remotes: Remotes) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for _ in 0..count {
            match sent.recv_timeout(PATIENCE).expect("it was published") {
                Sent::Remote(remote) => runtime.block_on(remotes.send(0, remote)),
                Sent::Answer(answer) => panic!("nobody asked: {answer:?}"),
            }
        }
        assert!(sent.try_recv().is_err(), "nothing is published twice");
    })
}

#[test]
fn what_one_server_publishes_all_sockets_of_the_other_hear_in_order() {
    at_all_sizes(|shards| {
        let limits = Limits { remote_bytes_max: 65_536, ..Limits::default() };
        let ((here, sent), (there, back)) = (start(&limits, shards), start(&limits, shards));
        let mut clients: Vec<_> = (0..4).map(|_| Client::open(there.address)).collect();
        for client in &mut clients {
            client.join();
        }
        let count = 500;
        let brings = bring(sent, count, there.server.remotes());
        let fill = "x".repeat(1_000);
        here.handle
            .call(0, move |cx| {
                for n in 0..count {
                    let packet = Packet::new(format!("[\"{fill}\",{n}]").as_bytes(), &[]);
                    let all = Broadcast::new(packet, Audience::all());
                    cx.broadcast_to("/", all).expect("within the bounds");
                }
            })
            .expect("not busy");
        for client in &mut clients {
            for n in 0..count {
                let heard = client.next().expect("a message");
                assert!(heard.ends_with(&format!(",{n}]")), "{n}: {}", &heard[heard.len() - 9..]);
            }
        }
        brings.join().expect("all were brought");
        assert!(back.try_recv().is_err(), "what came from elsewhere is not published again");
        drop(clients);
        here.finish();
        there.finish();
    });
}

/// The order has room for one entry at a time, and other instances always have the next: what a
/// client says is read all the same.
#[test]
fn clients_are_read_while_other_instances_flood() {
    let limits = Limits {
        payload_bytes_max: 1_000,
        message_bytes_max: 2_000,
        read_bytes: 1_000,
        order_bytes_per_shard: 3_000,
        fan_out_few: 0,
        fan_out_slice: 1,
        ..Limits::default()
    };
    let (there, _sent) = start(&limits, 1);
    let mut client = Client::open(there.address);
    client.join();
    let mut others: Vec<_> = (0..4).map(|_| Client::open(there.address)).collect();
    for other in &mut others {
        other.join();
    }
    let remotes = there.server.remotes();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let flood = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        while !over.load(Ordering::SeqCst) {
            let all = Broadcast::new(Packet::new(b"[\"flood\"]", &[]), Audience::all());
            let publication = Publication::Broadcast(all);
            let remote = Remote::Publication { namespace: "/".into(), publication };
            runtime.block_on(remotes.send(0, remote));
        }
    });
    assert_eq!(client.next().as_deref(), Some("42[\"flood\"]"));
    client.send("42[\"heard\"]");
    let until = Instant::now() + PATIENCE;
    let heard = loop {
        match client.next() {
            Some(flood) if flood == "42[\"flood\"]" && Instant::now() < until => {}
            other => break other,
        }
    };
    is_over.store(true, Ordering::SeqCst);
    assert_eq!(heard.as_deref(), Some("42[\"heard\"]"));
    drop((client, others));
    flood.join().expect("it was over");
    there.finish();
}

#[test]
fn nobody_waits_for_a_server_that_has_ended() {
    let limits = Limits { remote_bytes_max: 1, ..Limits::default() };
    let (there, _sent) = start(&limits, 1);
    let (remotes, stats) = (there.server.remotes(), there.stats.clone());
    let answer = || Remote::Response { request: 1, response: Response::Receivers(1) };
    there.finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..3 {
        runtime.block_on(remotes.send(0, answer()));
        runtime.block_on(remotes.send(7, answer()));
    }
    assert_eq!(remotes.try_send(0, answer()), Err(Busy));
    assert_eq!(remotes.try_send(7, answer()), Ok(()), "there is no such shard");
    assert_eq!(stats.remotes_refused.load(Ordering::Relaxed), 1);
}

#[test]
fn a_question_reaches_all_shards_and_is_answered_once() {
    at_all_sizes(|shards| {
        let (there, sent) = start(&Limits::default(), shards);
        let mut clients: Vec<_> = (0..8).map(|_| Client::open(there.address)).collect();
        let mut ids: Vec<_> = clients.iter_mut().map(Client::join).collect();
        let remotes = there.server.remotes();
        let question = Remote::Question {
            namespace: "/".into(),
            asker: Asker("somebody".into()),
            question: Question::Sockets(Audience::all()),
            timeout: PATIENCE,
        };
        remotes.try_send(shards - 1, question).expect("there is room");
        let answer = sent.recv_timeout(PATIENCE).expect("it is answered");
        let Sent::Answer(Response::Sockets(sockets)) = answer else { panic!("another answer") };
        let mut found: Vec<_> = sockets.iter().map(|socket| socket.id.to_string()).collect();
        found.sort();
        ids.sort();
        assert_eq!(found, ids);
        assert!(sent.try_recv().is_err(), "it is answered once");
        drop(clients);
        there.finish();
    });
}
