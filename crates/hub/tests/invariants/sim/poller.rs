//! A client's side of long-polling: one GET and one POST at a time, as stock clients do, and how
//! each of them goes over to WebSocket.
//!
//! Owns when a request begins and what it carries. Does not own what the packets say.

use std::collections::VecDeque;

use relay_engineio::SessionId;
use relay_engineio::payload;
use relay_hub::Reply;

use super::random::Random;

/// What kind of client it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// It polls, and that is all.
    Polls,
    /// As the stock JavaScript client: it polls while a WebSocket probes.
    Upgrades,
    /// As python-engineio: the WebSocket comes right behind the handshake, before any GET.
    UpgradesFirst,
    /// It does nothing by itself: its test says what it does, and looks at what it got.
    Scripted,
}

/// How far its upgrade is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Polling,
    /// The WebSocket is asked for.
    Dialing,
    /// `2probe` is sent.
    Probing,
    /// `3probe` came: its requests come to their ends, no others begin.
    Pausing,
    /// `5` is sent.
    Upgraded,
}

/// What a client wants of the network.
#[derive(Debug)]
pub(super) enum Wish {
    Get,
    Post(Vec<u8>),
    Dial,
    /// It takes a request back.
    Abort(u64),
}

#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) session: SessionId,
    pub(crate) style: Style,
    pub(crate) phase: Phase,
    /// It has tried to upgrade, and will not again.
    pub(crate) has_tried: bool,
    /// It does nothing more: it was told the end, or an answer that it did not expect.
    pub(crate) is_over: bool,
    /// Answers that were not what a client hopes for.
    pub(crate) refusals: Vec<Reply>,
    /// It goes away as soon as its requests are taken back.
    pub(super) hangs_up: bool,
    /// Packets in text form that wait for a POST.
    outgoing: VecDeque<Vec<u8>>,
    get: Option<u64>,
    post: Option<u64>,
    /// Answers that it has yet to look at.
    inbox: VecDeque<(u64, Reply)>,
}

impl Poller {
    pub(super) fn new(session: SessionId, style: Style) -> Self {
        Self {
            session,
            style,
            phase: Phase::Polling,
            has_tried: matches!(style, Style::Polls | Style::Scripted),
            is_over: false,
            refusals: Vec::new(),
            hangs_up: false,
            outgoing: VecDeque::new(),
            get: None,
            post: None,
            inbox: VecDeque::new(),
        }
    }

    /// Whether what it says goes by POST.
    pub(super) fn is_current(&self) -> bool {
        self.phase != Phase::Upgraded
    }

    pub(crate) fn push(&mut self, packet: Vec<u8>) {
        self.outgoing.push_back(packet);
    }

    /// It says no more by POST; what waits goes by WebSocket.
    pub(super) fn take_outgoing(&mut self) -> VecDeque<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    /// Whether both of its requests are over, so that it may go on with an upgrade.
    pub(super) fn is_paused(&self) -> bool {
        self.phase == Phase::Pausing && self.get.is_none() && self.post.is_none()
    }

    /// Whether a GET, and a POST, is under way.
    pub(super) fn unanswered(&self) -> (bool, bool) {
        (self.get.is_some(), self.post.is_some())
    }

    fn may_request(&self) -> bool {
        let waits = self.style == Style::UpgradesFirst && self.phase != Phase::Polling;
        let polls = matches!(self.phase, Phase::Polling | Phase::Dialing | Phase::Probing);
        polls && !waits && !self.is_over && self.style != Style::Scripted
    }

    fn may_dial(&self) -> bool {
        !self.has_tried && !self.is_over
    }

    fn may_get(&self, reads: bool) -> bool {
        self.may_request() && self.get.is_none() && reads
    }

    fn may_post(&self) -> bool {
        self.may_request() && self.post.is_none() && !self.outgoing.is_empty()
    }

    /// Whether it would do something now.
    pub(super) fn has_work(&self, reads: bool) -> bool {
        let is_answered = self.inbox.iter().any(|(number, _)| reads || self.get != Some(*number));
        let takes_back = self.hangs_up && !self.is_over;
        is_answered
            || takes_back
            || self.may_dial()
            || self.may_get(reads)
            || self.may_post()
            || (self.is_paused() && !self.is_over)
    }

    /// The next thing that it asks of the network; `number` names the request, if it is one.
    pub(super) fn wish(
        &mut self,
        number: u64,
        reads: bool,
        payload_bytes_max: usize,
        random: &mut Random,
    ) -> Option<Wish> {
        if self.hangs_up {
            let aborted = self.get.take().or_else(|| self.post.take());
            self.is_over = aborted.is_none();
            return aborted.map(Wish::Abort);
        }
        // Sooner or later: a JavaScript client may well have polled for a while.
        if self.may_dial() && (self.style == Style::UpgradesFirst || random.one_in(2)) {
            self.has_tried = true;
            self.phase = Phase::Dialing;
            return Some(Wish::Dial);
        }
        if self.may_get(reads) {
            self.get = Some(number);
            return Some(Wish::Get);
        }
        if self.may_post() {
            self.post = Some(number);
            let mut body = self.outgoing.pop_front().unwrap_or_default();
            while let Some(next) = self.outgoing.front()
                && body.len() + 1 + next.len() <= payload_bytes_max
                && !random.one_in(8)
            {
                payload::append(&mut body, next);
                self.outgoing.pop_front();
            }
            return Some(Wish::Post(body));
        }
        None
    }

    /// An answer is on its way to it.
    pub(super) fn answered(&mut self, number: u64, reply: Reply) {
        self.inbox.push_back((number, reply));
    }

    /// Whether no answer is on its way to it, and it would take one.
    pub(super) fn is_quiet(&self) -> bool {
        self.inbox.is_empty() && !self.is_over
    }

    /// The next answer that it looks at; whoever reads nothing does not look at that of a GET.
    /// Returns the packets in it.
    pub(super) fn read(&mut self, reads: bool) -> Option<Option<Vec<u8>>> {
        let looks = |(number, _): &(u64, Reply)| reads || self.get != Some(*number);
        let at = self.inbox.iter().position(looks)?;
        let (number, reply) = self.inbox.remove(at)?;
        let is_get = self.get.take_if(|get| *get == number).is_some();
        let is_post = self.post.take_if(|post| *post == number).is_some();
        if self.is_over {
            return Some(None);
        }
        match reply {
            Reply::Payload(body) if is_get => return Some(Some(body)),
            Reply::Done if is_post => {}
            refusal => {
                assert!(is_get || is_post, "an answer to a request that is none");
                self.refusals.push(refusal);
                self.is_over = true;
            }
        }
        Some(None)
    }

    /// Its WebSocket did not come through: it goes on polling.
    pub(super) fn probe_failed(&mut self) {
        if self.phase == Phase::Upgraded {
            self.is_over = true;
        } else {
            self.phase = Phase::Polling;
        }
    }
}
