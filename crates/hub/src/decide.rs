//! The door of a namespace: CONNECTs, what the application says to them, now or later.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::application::{
    Application, ConnectRefused, ConnectRequest, Decision, Happening, Refusal, SocketKey, Ticket,
};
use crate::cluster::Serving;
use crate::connection::NEVER;
use crate::core::{Core, Timer, millis};
use crate::encode::Outgoing;
use crate::hub::Hub;
use crate::id::SocketId;
use crate::namespace::Socket;
use crate::reason::EndReason;
use crate::slots::Key;

/// What a client is told whom the hub refuses by itself.
const NO_NAMESPACE: &str = "Invalid namespace";
const NAMESPACES_FULL: &str = "Too many namespaces";
const BUSY: &str = "Server busy";

impl<A: Application> Hub<A> {
    pub(crate) fn on_connect(&mut self, key: Key, name: &str, auth: Option<&str>) {
        let (core, application) = self.parts();
        let Some(connection) = core.connections.get(key) else { return };
        let handshake = connection.handshake.clone();
        if core.socket_of(key, name).is_some() || core.is_deciding(key, name) {
            return core.end_connection(key, EndReason::ProtocolError);
        }
        if let Some(message) = core.bounds_refusal(key, name) {
            return core.refuse_unasked(key, name, message);
        }
        // Never twice: the application may have handed it over, and then answered or panicked.
        let ticket = Ticket { shard: core.shard, number: core.tickets_made };
        core.tickets_made += 1;
        let request = ConnectRequest { ticket, namespace: name, handshake, auth };
        let is_static = core.instance.namespaces().is_static(name);
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let exists = is_static || application.offers(&request);
            exists.then(|| application.authorize(&request))
        }));
        match decided {
            Ok(None) => core.refuse_unasked(key, name, NO_NAMESPACE),
            Ok(Some(Decision::Later)) => core.await_decision(key, name, ticket.number),
            Ok(Some(Decision::Refuse(refusal))) => core.refuse_connect(key, name, &refusal),
            Ok(Some(Decision::Admit(data))) => self.admit(key, name, data),
            Err(_) => {
                core.stats.panics.add(1);
                core.end_connection(key, EndReason::HandlerPanic);
            }
        }
    }

    /// Tells what the application decided on a CONNECT that it wanted to think about. Without
    /// effect if that is out of time or its connection gone.
    pub fn decide(&mut self, now: u64, ticket: Ticket, decided: Result<A::Data, Refusal>) {
        let core = self.core();
        core.now = now;
        let Some((key, name)) = core.take_decision(ticket.number) else { return };
        core.cause = Some(key);
        match decided {
            Ok(data) => self.admit(key, &name, data),
            Err(refusal) => core.refuse_connect(key, &name, &refusal),
        }
        self.core().cause = None;
        self.settle();
        self.core().hold_if_heavy(key);
        self.core().schedule(key);
    }

    /// The application panicked while it thought about a CONNECT: ends that connection. Without
    /// effect if it is out of time or gone.
    pub fn abandon(&mut self, now: u64, ticket: Ticket) {
        let core = self.core();
        core.now = now;
        let Some((key, _)) = core.take_decision(ticket.number) else { return };
        core.stats.panics.add(1);
        core.end_connection(key, EndReason::HandlerPanic);
        self.settle();
    }

    fn admit(&mut self, key: Key, name: &str, data: A::Data) {
        match self.core().admit(key, name, data) {
            Some(socket) => self.tell(Some(key), Happening::Connected(socket)),
            None => self.core().refuse_unasked(key, name, NAMESPACES_FULL),
        }
    }
}

impl<D> Core<D> {
    /// The index of a namespace that exists, so that something can be said in it; that this shard
    /// has a socket there is not needed.
    pub(crate) fn look_up(&mut self, name: &str) -> Option<usize> {
        let (index, shared) = self.instance.namespaces().get(name)?;
        self.make_room_for(index);
        self.namespaces[index].shared = Some(shared);
        Some(index)
    }

    pub(crate) fn socket_of(&self, connection: Key, namespace: &str) -> Option<SocketKey> {
        let connection = self.connections.get(connection)?;
        let is_its = |socket: &&SocketKey| self.namespaces[socket.namespace].name() == namespace;
        connection.sockets.iter().find(is_its).copied()
    }

    fn is_deciding(&self, connection: Key, namespace: &str) -> bool {
        let doors = self.connections.get(connection).and_then(|it| it.doors.as_ref());
        doors.is_some_and(|doors| doors.deciding.iter().any(|(_, name)| **name == *namespace))
    }

    /// What a CONNECT is refused with before the application is asked.
    fn bounds_refusal(&self, key: Key, name: &str) -> Option<&'static str> {
        let limits = self.limits();
        // A name must fit between the separators of packets and polling bodies. Without the slash
        // only a client of the msgpack parser could name it.
        let is_name = name.starts_with('/') && !name.chars().any(char::is_control);
        if !is_name || name.len() > limits.namespace_name_bytes_max {
            return Some(NO_NAMESPACE);
        }
        let connection = self.connections.get(key)?;
        let deciding = connection.doors.as_ref().map_or(0, |doors| doors.deciding.len());
        if connection.sockets.len() + deciding >= limits.namespaces_per_connection_max {
            return Some(NAMESPACES_FULL);
        }
        None
    }

    fn await_decision(&mut self, key: Key, name: &str, number: u64) {
        let limits = self.limits();
        let Some(connection) = self.connections.get(key) else { return };
        let deciding = connection.doors.as_ref().map_or(0, |doors| doors.deciding.len());
        // Whoever is admitted at once gets in all the same.
        if self.decisions.len() >= limits.decisions_max
            || deciding >= limits.decisions_per_connection_max
        {
            self.stats.decisions_refused.add(1);
            return self.refuse_unasked(key, name, BUSY);
        }
        self.decisions.insert(number, key);
        self.stats.decisions.set(self.decisions.len() as u64);
        let due = self.now + millis(self.limits().decision_timeout);
        self.timers.push(Reverse((due, Timer::Decision(number))));
        if let Some(connection) = self.connections.get_mut(key) {
            let doors = connection.doors.get_or_insert_default();
            doors.deciding.push((number, name.into()));
        }
    }

    /// Who asked, and for what; `None` if that is settled already.
    fn take_decision(&mut self, number: u64) -> Option<(Key, Box<str>)> {
        let key = self.decisions.remove(&number)?;
        self.stats.decisions.set(self.decisions.len() as u64);
        let deciding = &mut self.connections.get_mut(key)?.doors.as_mut()?.deciding;
        let place = deciding.iter().position(|(its, _)| *its == number)?;
        Some((key, deciding.swap_remove(place).1))
    }

    pub(crate) fn decision_timeout(&mut self, number: u64) {
        if let Some((key, name)) = self.take_decision(number) {
            self.stats.decisions_overdue.add(1);
            self.refuse_unasked(key, &name, BUSY);
        }
    }

    /// Nobody waits for the decisions on a connection that ends.
    pub(crate) fn forget_decisions(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(doors) = connection.doors.take() else { return };
        for (number, _) in doors.deciding {
            self.decisions.remove(&number);
        }
        self.stats.decisions.set(self.decisions.len() as u64);
    }

    pub(crate) fn left_lately(&mut self, key: Key, namespace: &str) -> bool {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let Some(doors) = &mut connection.doors else { return false };
        doors.left.retain(|&(_, until)| until > now);
        doors.left.iter().any(|(left, _)| left.name() == namespace)
    }

    /// Refuses without the application's word; it is told.
    fn refuse_unasked(&mut self, key: Key, namespace: &str, message: &'static str) {
        if let Some(connection) = self.connections.get(key) {
            let address = connection.handshake.address;
            self.refused_connects.push_back((key, ConnectRefused { address, message }));
        }
        self.refuse_connect(key, namespace, &Refusal::new(message));
    }

    fn refuse_connect(&mut self, key: Key, namespace: &str, refusal: &Refusal) {
        self.stats.connects_refused.add(1);
        let (message, data) = (&*refusal.message, refusal.data.as_deref());
        self.send_packet(key, namespace, Outgoing::ConnectError { message, data });
    }

    /// Makes the socket and tells the client its id. `None` if there are too many namespaces.
    fn admit(&mut self, key: Key, name: &str, data: D) -> Option<SocketKey> {
        let (namespace, shared, is_new) = self.instance.namespaces().enter(name)?;
        if is_new {
            self.cluster.0.serve(name, Serving::Begins);
        }
        // What was placed before is not for it.
        self.take_in();
        self.make_room_for(namespace);
        let random = self.random();
        let shard = u8::try_from(self.shard).unwrap_or(u8::MAX);
        let it = &mut self.namespaces[namespace];
        it.shared = Some(shared);
        let id = SocketId::new(shard, it.sockets.next_key(), random);
        let key_in = it.sockets.insert(Socket::new(key, id, data, self.stamp));
        let socket = SocketKey { namespace, key: key_in };
        self.stats.sockets.add(1);
        if let Some(connection) = self.connections.get_mut(key) {
            connection.sockets.push(socket);
            if let Some(doors) = &mut connection.doors {
                doors.left.retain(|(left, _)| left.name() != name);
            }
            if !connection.joined {
                connection.joined = true;
                connection.deadline = NEVER;
            }
        }
        let payload = &*format!("{{\"sid\":\"{id}\"}}");
        self.send_packet(key, name, Outgoing::Connect { payload });
        Some(socket)
    }
}
