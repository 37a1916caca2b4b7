//! One request on a connection: whose it is, whether it may begin or take over a session, and the
//! answer.
//!
//! Does not own the connection (`http`), the requests of a session that polls (`polling`), nor the
//! WebSocket handshake as such (`upgrade`).

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use relay_engineio::handshake::{self, HandshakeError, Query, Transport, Verified};
use relay_engineio::sid::SessionId;
use relay_hub::Handshake;

use crate::answer::{Answer, AnswerBody, bare, close, forbidden, last, refusal, response};
use crate::body::forget;
use crate::bundle;
use crate::hook::HttpHook;
use crate::http::{Accepted, Door, HandshakeRequest, HttpRequest, own_headers, own_uri};
use crate::patient::Covered;
use crate::polling;
use crate::reactor::timeout;
use crate::refused::{HandshakeRefused, RefusalReason, because, reason_of};
use crate::upgrade::{has_token, is_upgrade, switching};

/// One request on a connection.
pub(crate) struct Visit {
    pub(crate) door: Rc<Door>,
    /// Who opened the connection.
    pub(crate) peer: IpAddr,
    /// The connection uses a reserved descriptor: no sessions.
    pub(crate) reserved: bool,
    /// Left here for the connection once the 101 is on its way.
    pub(crate) accepted: Rc<Cell<Option<Accepted>>>,
    /// Whether something of the request's body may still be to be read.
    pub(crate) unread: Rc<Cell<bool>>,
    /// Until the answer is there, unless it takes its time.
    pub(crate) covered: Rc<Cell<Option<Covered>>>,
}

impl Visit {
    /// Answers the request, and sees to it that its body is out of the way.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Answer {
        let (head, mut body) = request.into_parts();
        // On the heap: each of the calls below would have room for one of its own.
        let head = Box::new(head);
        let patience = self.door.shared.limits().http_body_timeout;
        // Who speaks HTTP/1.0 and does not ask for more hangs up, and waits for us to do so too.
        let ends = head.version == Version::HTTP_10
            && !has_token(&head.headers, &header::CONNECTION, "keep-alive");
        // Who waits for a 100 may send no body at all behind a refusal.
        let waits = head.headers.contains_key(header::EXPECT);
        let (unread, door) = (self.unread.clone(), self.door.clone());
        let address = self.address(&head.headers);
        let mut answer = match malformed(&head) {
            Some(wrong) if self.file(&head).is_some() => because(RefusalReason::BrokenHttp, wrong),
            Some(wrong) => wrong,
            None => self.route(head, &mut body).await,
        };
        if let Some(tell) = &door.shared.refused
            && let Some(reason) = reason_of(&answer)
        {
            tell(&HandshakeRefused { address, reason, status: answer.status().as_u16() });
        }
        if !waits && !answer.headers().contains_key(header::CONNECTION) {
            forget(body, patience, unread);
        }
        if ends {
            close(&mut answer);
        }
        answer
    }

    /// Answers whatever is asked for.
    async fn route(self, head: Box<Parts>, body: &mut Incoming) -> Answer {
        let shared = self.door.shared.clone();
        let upgrade = is_upgrade(&head);
        let Some(file) = self.file(&head) else {
            return self.foreign(&head, upgrade, body).await;
        };
        let cors = shared.cors.as_ref();
        if let Some(cors) = cors.filter(|_| head.method == Method::OPTIONS) {
            let mut preflight = bare(StatusCode::NO_CONTENT);
            *preflight.headers_mut() = cors.preflight(&head.headers);
            return preflight;
        }
        let serves = shared.serve_client && !upgrade;
        let file = serves.then(|| bundle::serve(&head.method, file, &head.headers));
        // Who may see the answer depends on the request's header. A copy: what is shared keeps all
        // that was read with it.
        let origin = cors.and_then(|_| head.headers.get(header::ORIGIN));
        let origin = origin.and_then(|it| HeaderValue::from_bytes(it.as_bytes()).ok());
        let mut answer = match file.flatten() {
            Some(file) => file.map(AnswerBody::from),
            None => {
                // As the protocol reads it, to the letter: what only looks like a session's is not.
                let has_begun = Query::parse(head.uri.query().unwrap_or("")).sid().is_some();
                let own = if has_begun { None } else { self.first(&head, upgrade, body).await };
                match own {
                    Some(error) if error.status().as_u16() >= 400 => {
                        because(RefusalReason::Hook, error)
                    }
                    Some(answer) => answer,
                    None => self.protocol(head, upgrade, body).await,
                }
            }
        };
        // No browser shows a refused WebSocket to a page.
        if let Some(cors) = cors
            && (!upgrade || answer.status() == StatusCode::SWITCHING_PROTOCOLS)
        {
            let mut asked = HeaderMap::new();
            if let Some(origin) = origin {
                asked.insert(header::ORIGIN, origin);
            }
            cors.decorate(&asked, answer.headers_mut());
        }
        answer
    }

    /// What a request names under our path; `None` if it is not for us.
    fn file<'a>(&self, head: &'a Parts) -> Option<&'a str> {
        // A target that names a scheme is meant for a proxy: it is the program's, as in the stock
        // server.
        let is_ours = head.uri.scheme().is_none();
        head.uri.path().strip_prefix(&*self.door.shared.path).filter(|_| is_ours)
    }

    /// What the program answers before anybody else is asked. Not for sessions that have begun, nor
    /// for the preflights of browsers, which bear no secret.
    async fn first(&self, head: &Parts, upgrade: bool, body: &mut Incoming) -> Option<Answer> {
        let hook = self.door.shared.hook.as_ref()?;
        let mut answer = self.ask(hook, head, body).await?;
        // Who asks for a WebSocket has nothing more to ask for by HTTP.
        if upgrade {
            close(&mut answer);
        }
        Some(answer)
    }

    /// Answers what is not the protocol's.
    async fn foreign(&self, head: &Parts, upgrade: bool, body: &mut Incoming) -> Answer {
        if let Some(answer) = self.first(head, upgrade, body).await {
            return answer;
        }
        let plain = HttpRequest { method: head.method.as_str(), path: head.uri.path() };
        let mut answer = match (self.door.shared.http)(&plain) {
            Some(made) => response(made.status, made.content_type, made.body),
            None => {
                let own = match &self.door.shared.fallback {
                    Some(fallback) => self.ask(fallback, head, body).await,
                    None => None,
                };
                own.unwrap_or_else(|| response(404, "text/plain; charset=utf-8", "not found\n"))
            }
        };
        if upgrade {
            close(&mut answer);
        }
        answer
    }

    /// Asks the program.
    async fn ask(&self, hook: &HttpHook, head: &Parts, body: &mut Incoming) -> Option<Answer> {
        // It may take its time, and read the body.
        drop(self.covered.take());
        Box::pin(hook.ask(&self.door, head, body, self.address(&head.headers))).await
    }

    /// Answers a request of Engine.IO.
    async fn protocol(self, head: Box<Parts>, upgrade: bool, body: &mut Incoming) -> Answer {
        let facts = handshake::Request {
            method_is_get: head.method == Method::GET,
            upgrade,
            origin: head.headers.get(header::ORIGIN).map(HeaderValue::as_bytes),
            query: Query::parse(head.uri.query().unwrap_or("")),
        };
        let verified = match handshake::verify(&facts, self.door.shared.transports) {
            Ok(verified) => verified,
            Err(error) => return self.refuse(error, upgrade),
        };
        match verified {
            Verified::Existing { sid, transport, eio_matches } => {
                let Some(session) = SessionId::parse(sid) else {
                    return self.refuse(HandshakeError::SessionIdUnknown, upgrade);
                };
                if upgrade {
                    return Box::pin(self.probe(&head, session, transport, eio_matches)).await;
                }
                // A plain request that names the other transport is no better than one for a
                // session that is on it.
                let eio_matches = eio_matches && transport == Transport::Polling;
                polling::request(self.door, session, eio_matches, head, body).await
            }
            Verified::Handshake { transport, eio_matches } => {
                Box::pin(self.handshake(&head, transport, eio_matches, upgrade)).await
            }
        }
    }

    /// Answers a request that begins a session.
    async fn handshake(
        self,
        head: &Parts,
        transport: Transport,
        eio_matches: bool,
        upgrade: bool,
    ) -> Answer {
        if let Err(error) = self.welcome(head, upgrade).await {
            return *error;
        }
        if !eio_matches {
            return self.refuse(HandshakeError::UnsupportedProtocolVersion, upgrade);
        }
        if self.reserved || self.door.shared.refuses() {
            self.door.shared.stats.full.fetch_add(1, Ordering::Relaxed);
            let mut full = response(503, "text/plain; charset=utf-8", "no connections left\n");
            close(&mut full);
            let reason = if self.reserved { RefusalReason::Full } else { RefusalReason::Draining };
            return because(reason, full);
        }
        match transport {
            Transport::Polling if !upgrade => {
                polling::open(&self.door, self.facts(head), &head.headers).await
            }
            // The stock server accepts a WebSocket that names the other transport, and closes it.
            Transport::Polling => self.switch(head, Accepted::Nothing),
            Transport::WebSocket => self.switch(head, Accepted::Session(self.facts(head))),
        }
    }

    /// Whose request it is.
    fn address(&self, headers: &HeaderMap) -> IpAddr {
        self.door.shared.trusted_proxies.client(self.peer, headers)
    }

    /// What a session keeps of the request that it begins with.
    fn facts(&self, head: &Parts) -> Handshake {
        let mut handshake = Handshake::new(self.address(&head.headers));
        handshake.head = self.door.shared.keep.of(head);
        handshake
    }

    /// Whether the program and the list of origins let a new session in.
    async fn welcome(&self, head: &Parts, upgrade: bool) -> Result<(), Box<Answer>> {
        let shared = &self.door.shared;
        if upgrade && !self.is_origin_allowed(&head.headers) {
            return Err(self.refuse_origin(upgrade).into());
        }
        let Some(allow) = &shared.allow else { return Ok(()) };
        let asked = HandshakeRequest {
            address: self.address(&head.headers),
            uri: own_uri(&head.uri),
            headers: own_headers(&head.headers),
        };
        let patience = shared.limits().decision_timeout;
        // Whoever goes away meanwhile is not decided on.
        drop(self.covered.take());
        match timeout(patience, allow(asked)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(message)) => {
                self.count_refusal(HandshakeError::Forbidden);
                let answer = forbidden(&message, upgrade);
                Err(because(RefusalReason::NotAllowed, answer).into())
            }
            None => {
                let answer = self.refuse(HandshakeError::Forbidden, upgrade);
                Err(because(RefusalReason::Undecided, answer).into())
            }
        }
    }

    fn is_origin_allowed(&self, headers: &HeaderMap) -> bool {
        let cors = self.door.shared.cors.as_ref();
        cors.is_none_or(|cors| cors.allows_upgrade(headers.get(header::ORIGIN)))
    }

    /// Answers a WebSocket handshake that names a session.
    async fn probe(
        self,
        head: &Parts,
        session: SessionId,
        transport: Transport,
        eio_matches: bool,
    ) -> Answer {
        if let Err(error) = polling::may_probe(&self.door.shared, session, eio_matches).await {
            return self.refuse(error, true);
        }
        if head.method == Method::GET && !self.is_origin_allowed(&head.headers) {
            return self.refuse_origin(true);
        }
        match transport {
            Transport::Polling => self.switch(head, Accepted::Nothing),
            Transport::WebSocket => self.switch(head, Accepted::Probe(session)),
        }
    }

    fn count_refusal(&self, error: HandshakeError) {
        let refused = &self.door.shared.stats.refused[usize::from(error.code())];
        refused.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self, error: HandshakeError, upgrade: bool) -> Answer {
        self.count_refusal(error);
        refusal(error, upgrade)
    }

    fn refuse_origin(&self, upgrade: bool) -> Answer {
        because(RefusalReason::Origin, self.refuse(HandshakeError::Forbidden, upgrade))
    }

    /// The 101, or what is wrong with the WebSocket handshake.
    fn switch(&self, head: &Parts, accepted: Accepted) -> Answer {
        match switching(head) {
            Ok(switching) => {
                self.accepted.set(Some(accepted));
                switching
            }
            Err(wrong) => because(RefusalReason::BadUpgrade, *wrong),
        }
    }
}

/// The answer to a head that HTTP forbids, or that asks for what there is not.
fn malformed(head: &Parts) -> Option<Answer> {
    // Two of them, or none: a proxy in front of us may have gone by another one (RFC 9112 §3.2).
    if head.version == Version::HTTP_11 && head.headers.get_all(header::HOST).iter().count() != 1 {
        return Some(last(StatusCode::BAD_REQUEST));
    }
    // The one expectation that there is (RFC 9110 §10.1.1).
    let expected = head.headers.get(header::EXPECT)?;
    let is_known = expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    (!is_known).then(|| last(StatusCode::EXPECTATION_FAILED))
}
