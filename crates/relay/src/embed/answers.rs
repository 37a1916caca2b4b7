//! What clients and instances answered.

use relay_gateway::User;
use relay_hub::{Room, SocketInfo};
use serde::de::DeserializeOwned;

/// What the clients of an audience answered to an event.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answers<T> {
    /// In the order in which they came. An error is an answer of another shape: its client's fault.
    pub answers: Vec<Result<T, serde_json::Error>>,
    /// Sockets that were asked.
    pub asked: u32,
    /// Whether all of them answered in time.
    pub complete: bool,
}

impl<T: DeserializeOwned> Answers<T> {
    pub(super) fn read(told: &relay_hub::Answers) -> Self {
        let answers = told.answers.iter().map(|it| serde_json::from_slice(&it.json)).collect();
        Self { answers, asked: told.asked, complete: told.complete }
    }
}

/// The sockets of an audience.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// In no order.
    pub sockets: Vec<FetchedSocket>,
    /// Whether every instance said all that it knows in time.
    pub complete: bool,
}

/// How many sockets an audience has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Counted {
    /// On all instances together, as far as they said.
    pub sockets: u64,
    /// Whether every instance told of all of its own in time.
    pub complete: bool,
}

/// A socket, on whatever instance.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct FetchedSocket {
    /// Its public id. Those of Node servers in the cluster look otherwise than ours.
    pub id: String,
    /// Whose it is, if it said so.
    pub user: Option<User>,
    /// The rooms that it is in, but for those that are Relay's own.
    pub rooms: Vec<Room>,
}

impl FetchedSocket {
    pub(super) fn read(info: SocketInfo) -> Self {
        let user = User::of(&info);
        let rooms = info.rooms.into_iter().filter(|room| !room.is_reserved()).collect();
        Self { id: info.id.into(), user, rooms }
    }
}
