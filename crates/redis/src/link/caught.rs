//! A panic of ours ends one connection, as if Redis had closed it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::publisher::Failure;
use super::stats::{LinkStats, count};

/// Runs `work` to its end. A panic is one, and is counted. What it says is not repeated: it may hold
/// what a client said, and stands on standard error already.
///
/// Whatever `work` has borrowed must be fit for another attempt after it broke off anywhere.
pub(super) async fn caught<T>(
    stats: &LinkStats,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            count(&stats.panics, 1);
            Poll::Ready(Err("a panic in this instance".into()))
        })
    })
    .await
}
