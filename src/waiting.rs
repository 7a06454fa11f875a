//! Waiting: for a future that several callers share, for a change, and for a limited time.
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
