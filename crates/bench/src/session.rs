//! What the packets of one session mean, whatever carried them: how far it has come, and what is
//! to be answered.
//!
//! It owns no socket and no framing. It does not know what is measured: events of the namespace
//! are handed to the caller as they lie in the read buffer.

use crate::clock::Nanos;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The connection is being made, or the answer to the opening request is awaited.
    Dialing,
    /// Waits for the Engine.IO open packet, `0{…}`.
    Opening,
    /// Sent `40`, waits for the answer.
    Joining,
    /// In the namespace, while the transport is still being changed.
    Switching,
    /// In the namespace, over the transport that it will keep.
    Joined,
    /// The connection is gone.
    Closed,
}

/// Times of a client that has joined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    /// From the first SYN until the transport stands that will be kept: the 101 of a WebSocket,
    /// the open packet of a poll, the `5` of an upgrade.
    pub(crate) settled_after: Nanos,
    /// From the first SYN until also the namespace is joined.
    pub(crate) joined_after: Nanos,
}

/// What is needed only until the namespace is joined.
#[derive(Clone, Copy, Debug)]
struct Times {
    dialed_at: Nanos,
    settled_at: Option<Nanos>,
    joined_at: Nanos,
}

/// One Engine.IO session.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    times: Option<Times>,
    /// Whether the server has acknowledged the last event that asked for it.
    acknowledged: bool,
}

impl Session {
    /// A session whose first connection was begun at `now`.
    pub(crate) fn new(now: Nanos) -> Self {
        let times = Times { dialed_at: now, settled_at: None, joined_at: now };
        Self { phase: Phase::Dialing, times: Some(times), acknowledged: false }
    }

    /// How far it has come.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the last event that asked for an acknowledgement has got it.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// An event is being sent that asks for an acknowledgement.
    pub(crate) fn want_acknowledgement(&mut self) {
        self.acknowledged = false;
    }

    /// The server's first bytes have come: the open packet is next.
    pub(crate) fn on_connected(&mut self) {
        self.phase = Phase::Opening;
    }

    /// The transport that will be kept stands.
    pub(crate) fn on_settled(&mut self, now: Nanos) {
        if let Some(times) = &mut self.times {
            times.settled_at = Some(now);
        }
        if self.phase == Phase::Switching {
            self.join(now);
        }
    }

    /// Handles a packet that came at `now`. What is to be sent back is appended to `answer`;
    /// `join` is the packet that joins the namespace. Events of the namespace go to `on_event`.
    ///
    /// # Errors
    /// A description when the server has ended the session.
    pub(crate) fn on_packet(
        &mut self,
        packet: &[u8],
        now: Nanos,
        join: &str,
        answer: &mut Vec<u8>,
        on_event: &mut impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        match packet {
            [b'4', b'2' | b'5', ..] => on_event(packet, now),
            [b'2', payload @ ..] => {
                answer.push(b'3');
                answer.extend_from_slice(payload);
            }
            [b'0', ..] if self.phase == Phase::Opening => {
                self.phase = Phase::Joining;
                answer.extend_from_slice(join.as_bytes());
            }
            [b'4', b'0', ..] if self.phase == Phase::Joining => match self.times {
                Some(Times { settled_at: None, .. }) => self.phase = Phase::Switching,
                Some(_) | None => self.join(now),
            },
            [b'4', b'3', ..] => self.acknowledged = true,
            [b'4', b'4', ..] => {
                let text = String::from_utf8_lossy(packet);
                return Err(format!("the namespace was refused: {text}"));
            }
            [b'4', b'1', ..] | [b'1', ..] => return Err("the server ended the session".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn join(&mut self, now: Nanos) {
        self.phase = Phase::Joined;
        if let Some(times) = &mut self.times {
            times.joined_at = now;
        }
    }

    /// Its opening times, once: after it has joined.
    pub(crate) fn take_opened(&mut self) -> Option<Opened> {
        if self.phase != Phase::Joined {
            return None;
        }
        let times = self.times.take()?;
        Some(Opened {
            settled_after: times.settled_at?.saturating_sub(times.dialed_at),
            joined_after: times.joined_at.saturating_sub(times.dialed_at),
        })
    }

    /// It is over.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Closed;
        self.times = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `packets` to a session that is settled at time 5 or stays unsettled.
    fn check(is_settled: bool, packets: &[&str], answers: &str, events: usize, phase: Phase) {
        let mut session = Session::new(1);
        session.on_connected();
        if is_settled {
            session.on_settled(5);
        }
        let (mut answer, mut seen) = (Vec::new(), 0);
        for packet in packets {
            let mut on_event = |_: &[u8], _| seen += 1;
            session.on_packet(packet.as_bytes(), 9, "40/x,", &mut answer, &mut on_event).unwrap();
        }
        assert_eq!(String::from_utf8(answer).unwrap(), answers, "{packets:?}");
        assert_eq!((seen, session.phase()), (events, phase), "{packets:?}");
    }

    #[test]
    fn packets() {
        check(true, &[], "", 0, Phase::Opening);
        check(true, &["0{}"], "40/x,", 0, Phase::Joining);
        check(true, &["0{}", "40/x,{}"], "40/x,", 0, Phase::Joined);
        check(false, &["0{}", "40/x,{}"], "40/x,", 0, Phase::Switching);
        check(true, &["0{}", "2", "2probe", "6", "bAQI="], "40/x,33probe", 0, Phase::Joining);
        check(true, &["0{}", "40", "42[]", "451-[]", "0{}"], "40/x,", 2, Phase::Joined);
    }

    #[test]
    fn ends() {
        for packet in ["44{}", "41/x,", "1"] {
            let mut session = Session::new(0);
            let ended =
                session.on_packet(packet.as_bytes(), 0, "", &mut Vec::new(), &mut |_, _| {});
            assert!(ended.is_err(), "{packet}");
        }
    }

    #[test]
    fn times() {
        let mut session = Session::new(10);
        session.on_connected();
        let feed = |session: &mut Session, packet: &str, now| {
            session.on_packet(packet.as_bytes(), now, "", &mut Vec::new(), &mut |_, _| {}).unwrap();
        };
        feed(&mut session, "0{}", 20);
        feed(&mut session, "40", 30);
        assert!(session.take_opened().is_none(), "the upgrade is not done");
        session.on_settled(50);
        let opened = session.take_opened().unwrap();
        assert_eq!((opened.settled_after, opened.joined_after), (40, 40));
        assert!(session.take_opened().is_none(), "once");
    }
}
