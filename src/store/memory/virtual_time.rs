//! A clock that advances only when nothing else can happen, and the tasks that run by it.
//!
//! It makes asynchronous code deterministic: tasks are polled in the order in which they were
//! spawned, and a pause takes no real time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::future::LocalBoxFuture;

use crate::id::UnixMillis;

/// A virtual clock and its tasks. A clone is the same clock.
#[derive(Clone, Default)]
pub struct VirtualTime(Rc<Inner>);

#[derive(Default)]
struct Inner {
    now: Cell<UnixMillis>,
    tasks: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    timers: RefCell<BTreeSet<(UnixMillis, u64)>>,
    timers_created: Cell<u64>,
    woken: Arc<Woken>,
}

/// Whether a task can make progress.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualTime").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl VirtualTime {
    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.0.now.get()
    }

    /// Sets the time. Pauses that are over by then end in the next call that runs tasks.
    pub fn set(&self, now: UnixMillis) {
        self.0.now.set(now);
    }

    /// Adds a task.
    pub fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.0.tasks.borrow_mut().push(task);
        self.0.woken.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether there is no task.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.tasks.borrow().is_empty()
    }

    /// Drops all tasks, as a crash does. No pause ends any more.
    pub fn drop_tasks(&self) {
        // Outside of the borrow: dropping a task may use this clock.
        drop(self.0.tasks.take());
        self.0.timers.take();
    }

    /// Resolves after so many milliseconds.
    pub fn sleep(&self, millis: u64) -> impl Future<Output = ()> + use<> {
        let id = self.0.timers_created.get();
        self.0.timers_created.set(id.wrapping_add(1));
        let timer = (self.now().saturating_add(millis), id);
        self.0.timers.borrow_mut().insert(timer);
        Sleep { time: self.clone(), timer }
    }

    /// Returns when the next pause ends.
    #[must_use]
    pub fn next_timer(&self) -> Option<UnixMillis> {
        self.0.timers.borrow().first().map(|(due, _)| *due)
    }

    /// Polls every task once. Returns whether one of them ended, or woke another one.
    pub fn poll_tasks(&self) -> bool {
        self.0.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.0.woken));
        let mut context = Context::from_waker(&waker);
        let tasks = self.0.tasks.take();
        let count = tasks.len();
        let mut pending = tasks;
        pending.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        let has_ended = pending.len() < count;
        let spawned = self.0.tasks.replace(pending);
        self.0.tasks.borrow_mut().extend(spawned);
        has_ended || self.0.woken.0.load(Ordering::Relaxed)
    }

    /// Runs a future and the tasks until the future ends. Time passes whenever nothing else can
    /// happen. Returns `None` if the future waits for something that never happens.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.0.woken));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return Some(result);
            }
            let mut progress = self.poll_tasks();
            while self.poll_tasks() {
                progress = true;
            }
            if !progress {
                let next = self.next_timer()?;
                self.set(self.now().max(next));
            }
        }
    }
}

/// A pause.
struct Sleep {
    time: VirtualTime,
    timer: (UnixMillis, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.timer.0 <= self.time.now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.0.timers.borrow_mut().remove(&self.timer);
    }
}
