//! What an instance of a ledger object keeps in memory, and its alarm.
//!
//! At most one read of the source and one write of the replica are in flight. A caller that needs
//! one joins it. Everything here may be lost: after an eviction, the stored tasks and the alarm
//! start the work again.
//!
//! Not here: the operations, which are functions in the files that use this one.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Poll, Waker},
};

use futures_util::{FutureExt as _, future::poll_fn};
use worker::{Env, Result, State};

use super::storage::LedgerStorage;
use crate::{
    api::settings::Source,
    id::{CustomerKey, Livemode, UnixMillis},
    ledger::{Activity, Reconciliation, Task},
    source::{StripeClient, Transport},
    worker::{
        activity_log::ActivityBuffer,
        customer_index::CustomerIndexStub,
        replica::KvReplica,
        rpc::NEWER_RELEASE_BACKOFF,
        runtime::{SharedFuture, load_settings, now_millis, scheduled_time},
        source::open_source,
    },
};

/// The alarm of a read or write in flight, in milliseconds from now. It starts the task again if
/// the object is evicted.
const WATCHDOG: u64 = 5_000;

/// A read of the source in flight.
pub(super) type SharedRead = SharedFuture<std::result::Result<Reconciliation, String>>;

/// The state of one customer's ledger object.
pub(super) struct CustomerState {
    /// The platform's side of the object: its storage, its alarm, its WebSockets.
    pub(super) context: State,
    env: Env,
    storage: LedgerStorage,
    alarm: Cell<AlarmState>,
    /// The write of the replica in flight.
    pub(super) replica_write: RefCell<Option<SharedFuture<()>>>,
    /// The read of the source in flight.
    pub(super) source_read: RefCell<Option<SharedRead>>,
    /// How many reads were started. A caller that needs a fresh read ignores one that started
    /// before.
    pub(super) reads_started: Cell<u64>,
    /// Until when loads do not read the source again, since it has no such customer.
    pub(super) unknown_until: Cell<UnixMillis>,
    /// Until when loads do not read the source, and the error of the last read.
    pub(super) source_backoff: RefCell<Option<(UnixMillis, String)>>,
    /// Wakes callers that wait for another set.
    pub(super) set_changed: ChangeSignal,
    activity_buffer: Rc<ActivityBuffer>,
}

/// When the alarm is due.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum AlarmState {
    #[default]
    Unknown,
    /// At this time, or there is no alarm.
    Known(Option<UnixMillis>),
}

impl CustomerState {
    pub(super) fn new(context: State, env: Env) -> Self {
        Self {
            storage: LedgerStorage::new(&context),
            context,
            env,
            alarm: Cell::default(),
            replica_write: RefCell::default(),
            source_read: RefCell::default(),
            reads_started: Cell::default(),
            unknown_until: Cell::default(),
            source_backoff: RefCell::default(),
            set_changed: ChangeSignal::default(),
            activity_buffer: Rc::default(),
        }
    }

    pub(super) fn storage(&self) -> &LedgerStorage {
        &self.storage
    }

    pub(super) fn source_client(
        &self,
        livemode: Livemode,
    ) -> Option<StripeClient<impl Transport + use<>>> {
        let settings = load_settings(&self.env).ok()?;
        open_source(&self.env, &settings, livemode).ok()?
    }

    /// Returns which source is configured.
    pub(super) fn source_kind(&self) -> Source {
        load_settings(&self.env).map(|settings| settings.source).unwrap_or_default()
    }

    pub(super) fn customer_index(&self) -> Result<CustomerIndexStub> {
        CustomerIndexStub::from_env(&self.env)
    }

    pub(super) fn replica(&self) -> Result<KvReplica> {
        KvReplica::from_env(&self.env)
    }

    /// Starts a future that runs to its end, even if no caller waits for it.
    pub(super) fn spawn_shared<T: Clone + 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> SharedFuture<T> {
        let shared = future.boxed_local().shared();
        self.context.wait_until(shared.clone().map(drop));
        shared
    }

    /// Appends an activity to the activity log, in the background.
    pub(super) fn log_activity(&self, customer: &CustomerKey, activity: Activity) {
        if let Some(flush) = self.activity_buffer.push(&self.env, customer, activity) {
            self.context.wait_until(flush);
        }
    }

    /// Notes that the alarm went off: the platform has deleted it.
    pub(super) fn alarm_fired(&self) {
        self.alarm.take();
    }

    /// Sets the alarm again, for an object that may not write its tables.
    pub(super) async fn postpone_alarm(&self) -> Result<()> {
        let at = now_millis().saturating_add(NEWER_RELEASE_BACKOFF);
        self.context.storage().set_alarm(scheduled_time(at)).await
    }

    /// Sets the alarm for the next pending task, or deletes it.
    pub(super) async fn schedule_alarm(&self) -> Result<()> {
        let storage = self.storage();
        if storage.customer()?.is_none() {
            return Ok(());
        }
        let mut outbox = storage.outbox()?;
        let watchdog = now_millis().saturating_add(WATCHDOG);
        if self.source_read.borrow().is_some() {
            outbox.defer_until(Task::Read, watchdog);
            outbox.defer_until(Task::Confirm, watchdog);
        }
        if self.replica_write.borrow().is_some() {
            outbox.defer_until(Task::Replica, watchdog);
        }
        let due = outbox.next_due();
        if self.alarm.replace(AlarmState::Known(due)) == AlarmState::Known(due) {
            return Ok(());
        }
        let result = match due {
            Some(due) => self.context.storage().set_alarm(scheduled_time(due)).await,
            None => self.context.storage().delete_alarm().await,
        };
        if result.is_err() {
            self.alarm.take();
        }
        result
    }
}

/// Counts changes of the set, and wakes the callers that wait for one.
#[derive(Default)]
pub(super) struct ChangeSignal {
    count: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl ChangeSignal {
    /// Resolves at the first change after this call.
    pub(super) fn changed(&self) -> impl Future<Output = ()> {
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

    pub(super) fn notify_waiters(&self) {
        self.count.set(self.count.get().wrapping_add(1));
        for waker in self.wakers.take() {
            waker.wake();
        }
    }
}
