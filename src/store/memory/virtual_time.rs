//! A deterministic executor with a simulated clock, for the processes of stores in memory.
//!
//! Tasks are polled in turn, and only after they were woken: a lost wake-up therefore stops the test.
//! The clock stands still while any task can continue.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt as _, future::LocalBoxFuture};

use crate::id::UnixMillis;

/// The executor and its clock. Clones share both.
#[derive(Clone, Default)]
pub struct VirtualTime(Rc<Executor>);

#[derive(Default)]
struct Executor {
    now: Cell<UnixMillis>,
    tasks: RefCell<Vec<RunningTask>>,
    /// By end and number.
    timers: RefCell<BTreeMap<(UnixMillis, u64), Waker>>,
    timer_count: Cell<u64>,
}

struct RunningTask {
    future: LocalBoxFuture<'static, ()>,
    wakeup: Arc<Wakeup>,
}

/// Whether a task was woken since its last poll.
struct Wakeup(AtomicBool);

impl Wakeup {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Wakeup {
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
    /// Creates a clock that starts at this time.
    #[must_use]
    pub fn starting_at(now: UnixMillis) -> Self {
        let time = Self::default();
        time.set(now);
        time
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.0.now.get()
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let task = RunningTask { future: task.boxed_local(), wakeup: Wakeup::new() };
        self.0.tasks.borrow_mut().push(task);
    }

    /// Resolves after this time, at the earliest when no task can continue.
    pub fn sleep(&self, millis: u64) -> impl Future<Output = ()> + use<> {
        let number = self.0.timer_count.get();
        self.0.timer_count.set(number.wrapping_add(1));
        let timer = (self.now().saturating_add(millis), number);
        Sleep { time: self.clone(), timer, is_started: false }
    }

    /// Polls the task that can continue and was polled least recently. Returns whether there was one.
    #[expect(clippy::must_use_candidate, reason = "a caller may only want the step")]
    pub fn poll_next(&self) -> bool {
        let index = self.0.tasks.borrow().iter().position(|task| task.wakeup.take());
        let Some(index) = index else { return false };
        let mut task = self.0.tasks.borrow_mut().remove(index);
        let waker = Waker::from(Arc::clone(&task.wakeup));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.0.tasks.borrow_mut().push(task);
        }
        true
    }

    /// Runs a future and the tasks until the future ends. Time passes whenever nothing else can
    /// happen. Returns `None` if the future waits for something that never happens.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let wakeup = Wakeup::new();
        let waker = Waker::from(Arc::clone(&wakeup));
        let mut future = pin!(future);
        loop {
            if wakeup.take() {
                if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return Some(result);
                }
            } else if !self.poll_next() {
                self.advance_to(self.next_timer()?);
            }
        }
    }

    /// Runs the tasks until none can continue without time passing.
    pub fn run_ready(&self) {
        loop {
            while self.poll_next() {}
            if self.next_timer().is_none_or(|due| due > self.now()) {
                return;
            }
            self.advance_to(self.now());
        }
    }

    /// Returns when the next timer ends.
    #[must_use]
    pub fn next_timer(&self) -> Option<UnixMillis> {
        self.0.timers.borrow().first_key_value().map(|((end, _), _)| *end)
    }

    /// Advances the clock to this time, if it is not past, and ends the timers that are due by then.
    pub fn advance_to(&self, at: UnixMillis) {
        self.set(self.now().max(at));
    }

    /// Sets the clock, and ends the timers that are due by then.
    pub fn set(&self, now: UnixMillis) {
        self.0.now.set(now);
        let later = self.0.timers.borrow_mut().split_off(&(now.saturating_add(1), 0));
        self.0.timers.replace(later).into_values().for_each(Waker::wake);
    }

    /// Returns whether there is no task.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.tasks.borrow().is_empty()
    }

    /// Drops all tasks and timers, as a crash does.
    pub fn abort_all(&self) {
        drop(self.0.tasks.take());
        self.0.timers.take();
    }
}

/// A timer, which is deleted when it is dropped.
struct Sleep {
    time: VirtualTime,
    timer: (UnixMillis, u64),
    is_started: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.is_started, true) && self.time.now() >= self.timer.0 {
            return Poll::Ready(());
        }
        self.time.0.timers.borrow_mut().insert(self.timer, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.0.timers.borrow_mut().remove(&self.timer);
    }
}
