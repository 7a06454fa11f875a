//! Waiting: for a future that several callers share, for a change, and for a limited time.
//!
//! Requests to a Worker cannot wake each other: work of one request must not run in the context of
//! another one. So a request polls for the result of another one, with its own timers
//! ([`poll_while()`]). A Durable Object has one context, so its callers may share a future.
//!
//! Not here: timers, which are a platform's. A caller passes one as a future.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    task::{Poll, Waker},
};

use futures_util::future::{Either, LocalBoxFuture, Shared, poll_fn, select};

/// A future in flight, shared by all its callers.
pub(crate) type SharedFuture<T> = Shared<LocalBoxFuture<'static, T>>;

/// Returns the result of a future, or `None` if the timer ends first.
pub(crate) async fn within<T>(
    timer: impl Future<Output = ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), pin!(timer)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

/// How often a caller polls for the result of another request, in milliseconds.
const POLL_INTERVAL: u64 = 25;

/// Waits while the work of another request is in flight, at most so many milliseconds. The condition
/// gets the time that has passed. Returns whether the work has ended.
pub(crate) async fn poll_while<S: Future<Output = ()>>(
    sleep: impl Fn(u64) -> S,
    timeout: u64,
    mut is_in_flight: impl FnMut(u64) -> bool,
) -> bool {
    let mut waited = 0;
    while is_in_flight(waited) {
        if waited >= timeout {
            return false;
        }
        sleep(POLL_INTERVAL).await;
        waited = waited.saturating_add(POLL_INTERVAL);
    }
    true
}

/// Lets other futures run: a fake waits for its response like this.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts changes, and wakes the callers that wait for one.
#[derive(Default)]
pub(crate) struct ChangeSignal {
    count: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl ChangeSignal {
    /// Resolves at the first change after this call.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> {
        let seen = self.count.get();
        poll_fn(move |context| {
            if self.count.get() != seen {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    pub(crate) fn notify_waiters(&self) {
        self.count.set(self.count.get().wrapping_add(1));
        for waker in self.wakers.take() {
            waker.wake();
        }
    }
}
