//! A deterministic executor with a simulated clock.
//!
//! Tasks are polled in the order of their start, and only after they were woken: a lost wake-up
//! therefore stops the test. The clock stands still while any task can continue.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use entgate::id::UnixMillis;

/// The executor and its clock. Clones share both.
#[derive(Clone, Default)]
pub(crate) struct VirtualTime(Rc<Executor>);

#[derive(Default)]
struct Executor {
    now: Cell<UnixMillis>,
    tasks: RefCell<Vec<Task>>,
    /// By end and number.
    timers: RefCell<BTreeMap<(UnixMillis, u64), Waker>>,
    timer_count: Cell<u64>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    wakeup: Arc<Wakeup>,
}

/// Whether a task was woken since its last poll.
struct Wakeup(AtomicBool);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl VirtualTime {
    /// A clock that starts at this time.
    pub(crate) fn starting_at(now: UnixMillis) -> Self {
        let time = Self::default();
        time.0.now.set(now);
        time
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.0.now.get()
    }

    /// Starts a task.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let wakeup = Arc::new(Wakeup(AtomicBool::new(true)));
        self.0.tasks.borrow_mut().push(Task { future: Box::pin(future), wakeup });
    }

    /// Resolves after this time, at the earliest when no task can continue.
    pub(crate) fn sleep(&self, millis: u64) -> Sleep {
        let number = self.0.timer_count.get();
        self.0.timer_count.set(number + 1);
        let timer = (self.now().saturating_add(millis), number);
        Sleep { time: self.clone(), timer, is_started: false }
    }

    /// Polls the first task that can continue. Returns false if there is none.
    pub(crate) fn poll_next(&self) -> bool {
        let is_ready = |task: &Task| task.wakeup.0.swap(false, Ordering::Relaxed);
        let Some(index) = self.0.tasks.borrow().iter().position(is_ready) else { return false };
        let mut task = self.0.tasks.borrow_mut().remove(index);
        let waker = Waker::from(Arc::clone(&task.wakeup));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            let mut tasks = self.0.tasks.borrow_mut();
            let index = index.min(tasks.len());
            tasks.insert(index, task);
        }
        true
    }

    /// When the next timer ends.
    pub(crate) fn next_timer(&self) -> Option<UnixMillis> {
        self.0.timers.borrow().first_key_value().map(|((end, _), _)| *end)
    }

    /// Advances the clock to this time, if it is not past, and ends the timers that are due by then.
    pub(crate) fn advance_to(&self, at: UnixMillis) {
        let now = self.now().max(at);
        self.0.now.set(now);
        let later = self.0.timers.borrow_mut().split_off(&(now.saturating_add(1), 0));
        self.0.timers.replace(later).into_values().for_each(Waker::wake);
    }

    /// Drops all tasks and timers.
    pub(crate) fn abort_all(&self) {
        drop(self.0.tasks.take());
        self.0.timers.take();
    }
}

/// A timer, which is deleted when it is dropped.
pub(crate) struct Sleep {
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

#[test]
fn tasks_run_in_order_and_the_clock_advances_to_the_next_timer() {
    let time = VirtualTime::starting_at(UnixMillis(100));
    let log = Rc::new(RefCell::new(Vec::new()));
    for (name, millis) in [("a", 20), ("b", 0), ("c", 10)] {
        let (sleep, log, clock) = (time.sleep(millis), Rc::clone(&log), time.clone());
        time.spawn(async move {
            log.borrow_mut().push((name, clock.now().0));
            sleep.await;
            log.borrow_mut().push((name, clock.now().0));
        });
    }
    loop {
        while time.poll_next() {}
        let Some(next) = time.next_timer() else { break };
        time.advance_to(next);
    }
    let expected = [("a", 100), ("b", 100), ("c", 100), ("b", 100), ("c", 110), ("a", 120)];
    assert_eq!(*log.borrow(), expected);
}
