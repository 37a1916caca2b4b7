//! Bodies of requests: read whole within a bound, or read to be forgotten.
//!
//! Does not own what they say.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::reactor::timeout;

/// Why a body is not here.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It has more bytes than it may, or says that it will.
    TooLarge,
    /// It took too long.
    TimedOut,
    /// The client went away in the middle, or its chunks are none.
    Broken,
}

/// A body, counted as it streams. One that is announced to be too large is not waited for.
pub(crate) async fn whole(
    body: &mut Incoming,
    bytes_max: usize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    // All of it if it has a length, nothing if it comes in chunks.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    let read = timeout(patience, gather(body, bytes_max));
    read.await.unwrap_or(Err(BodyError::TimedOut))
}

async fn gather(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    // Most bodies come in one piece, which is not copied.
    let mut all: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        let before = all.as_ref().map_or(first.len(), BytesMut::len);
        if before + data.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        match &mut all {
            Some(all) => all.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let all = all.insert(BytesMut::from(&first[..]));
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(all.map_or(first, BytesMut::freeze))
}

/// Reads what is left of a body and forgets it. Were it left in the socket, the system would answer
/// it with a reset, which can overtake the answer; and the client may ask again on the connection.
/// Whoever needs longer than `patience` loses the connection. `unread` says so until the end of the
/// body is there.
pub(crate) fn forget(mut body: Incoming, patience: Duration, unread: Rc<Cell<bool>>) {
    if body.is_end_stream() {
        unread.set(false);
        return;
    }
    tokio::task::spawn_local(async move {
        let rest = async {
            while let Some(frame) = body.frame().await {
                if frame.is_err() {
                    return;
                }
            }
            unread.set(false);
        };
        let _ = timeout(patience, rest).await;
    });
}
