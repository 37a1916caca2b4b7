//! Timers of tasks.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;

use super::REACTOR;

/// Over at its time, which the thread of a shard keeps.
#[derive(Debug)]
pub(crate) struct Sleep {
    due: Instant,
    /// Its number among the timers, while somebody waits.
    number: Option<u64>,
}

impl Sleep {
    fn until(due: Instant) -> Self {
        Self { due, number: None }
    }

    fn forget(&mut self) {
        if let Some(number) = self.number.take() {
            REACTOR.with(|reactor| reactor.timers.borrow_mut().remove(&(self.due, number)));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.due {
            self.forget();
            return Poll::Ready(());
        }
        REACTOR.with(|reactor| {
            let number = self.number.unwrap_or_else(|| {
                let number = reactor.timers_set.get();
                reactor.timers_set.set(number + 1);
                number
            });
            self.number = Some(number);
            let mut timers = reactor.timers.borrow_mut();
            let task = timers.entry((self.due, number)).or_insert_with(|| cx.waker().clone());
            task.clone_from(cx.waker());
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep::until(after(duration))
}

/// Waits for `future`, but no longer than `patience`: then there is `None`.
pub(crate) async fn timeout<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut over = pin!(sleep(patience));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => over.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// A year is as good as never.
fn after(duration: Duration) -> Instant {
    let longest = Duration::from_secs(365 * 24 * 3_600);
    Instant::now() + duration.min(longest)
}

/// The same for `hyper`.
pub(crate) struct HttpTimer;

impl rt::Sleep for Sleep {}

impl rt::Timer for HttpTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, due: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep::until(due))
    }

    fn reset(&self, timer: &mut Pin<Box<dyn rt::Sleep>>, due: Instant) {
        match timer.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut timer) => timer.set(Sleep::until(due)),
            None => *timer = self.sleep_until(due),
        }
    }
}
