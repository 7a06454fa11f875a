//! Notifies a waiting run that there is more to do.
//!
//! Has the semantics of `tokio::sync::Notify` with one waiter.

use std::{
    cell::{Cell, RefCell},
    task::{Poll, Waker},
};

use futures_util::future::poll_fn;

/// A notification for one waiter.
#[derive(Default)]
pub(super) struct Notify {
    is_notified: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    pub(super) fn notify_one(&self) {
        self.is_notified.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Resolves at the next notification, or at once if there was one since the last call resolved.
    pub(super) fn notified(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            if self.is_notified.take() {
                return Poll::Ready(());
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
    }
}
