//! The process of one coordinator: its alarm, and its requests.
//!
//! The alarm is set again before it works, so that work that never ends cannot stop the next alarm. A
//! platform may lose an alarm all the same: every request sets a lost one again. While an alarm works,
//! requests are answered.
//!
//! Not here: the poll ([`super::poll`]) and the duties ([`super::duties`]).

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use super::{
    budget::ReadBudget,
    duties,
    poll::{Poll, PollProgress, RequestAllowance},
    ports::{CoordinatorPorts, CoordinatorSettings, CoordinatorStorage as _},
    request::{CoordinatorRequest, CoordinatorResponse},
    state::CoordinatorState,
    status::CoordinatorStatus,
};
use crate::{
    id::{LookupKey, UnixMillis},
    ledger::{LogLevel, ObservedFeatures, PortError, ReadPriority},
};

/// The most requests of one alarm. The free plan allows 50:
/// <https://developers.cloudflare.com/workers/platform/limits/#subrequests>.
const MAX_REQUESTS_PER_ALARM: u32 = 40;

/// The most features of one mode: as many as one ledger records, since one customer may have all.
const MAX_FEATURES: usize = ObservedFeatures::MAX_FEATURES;

/// The most routine reads that one request reserves.
const MAX_RESERVED_READS: u32 = 1_000;

/// The alarm of work in progress, in milliseconds from its start. If the process is lost, it continues
/// the work.
const WATCHDOG: u64 = 5_000;

/// The next alarm of a process whose work fails or is not allowed, in milliseconds from now.
const FAILURE_BACKOFF: u64 = 60_000;

/// The least time between two alarms, in milliseconds.
const MIN_ALARM_PAUSE: u64 = 100;

/// How late an alarm must be to count as lost, in milliseconds.
const LOST_ALARM_DELAY: u64 = 60_000;

/// The coordinator of one mode.
pub struct CoordinatorProcess<P> {
    ports: P,
    budget: RefCell<ReadBudget>,
    is_budget_restored: Cell<bool>,
    /// When the alarm goes off, if this process knows it.
    alarm_at: Cell<Option<UnixMillis>>,
    /// Whether the alarm works.
    is_working: Cell<bool>,
}

impl<P> std::fmt::Debug for CoordinatorProcess<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoordinatorProcess").finish_non_exhaustive()
    }
}

impl<P: CoordinatorPorts> CoordinatorProcess<P> {
    /// A process that knows no alarm.
    #[must_use]
    pub fn new(ports: P) -> Self {
        Self {
            ports,
            budget: RefCell::default(),
            is_budget_restored: Cell::default(),
            alarm_at: Cell::default(),
            is_working: Cell::default(),
        }
    }

    /// The platform.
    #[must_use]
    pub fn ports(&self) -> &P {
        &self.ports
    }

    /// Handles a request.
    ///
    /// # Errors
    ///
    /// When the storage fails, or a setting is malformed.
    pub async fn handle(
        &self,
        request: CoordinatorRequest,
    ) -> Result<CoordinatorResponse, PortError> {
        let settings = self.ports.settings()?;
        let now = self.ports.now();
        match request {
            CoordinatorRequest::ReserveRead(priority) => {
                self.restore_budget()?;
                let slot = self.budget.borrow_mut().reserve(priority, settings.rate, now);
                self.save_budget(now)?;
                return Ok(CoordinatorResponse::Slot(slot));
            }
            CoordinatorRequest::ReserveRoutineReads(count) => {
                self.restore_budget()?;
                let count = count.min(MAX_RESERVED_READS);
                let slots = (0..count).map(|_| {
                    let mut budget = self.budget.borrow_mut();
                    budget.reserve(ReadPriority::Routine, settings.rate, now)
                });
                let slots = slots.collect();
                self.save_budget(now)?;
                return Ok(CoordinatorResponse::Slots(slots));
            }
            CoordinatorRequest::RateLimited => {
                self.budget.borrow_mut().rate_limited(now);
                return Ok(CoordinatorResponse::Done);
            }
            CoordinatorRequest::Features => {
                let features = self.ports.storage().features()?;
                return Ok(CoordinatorResponse::Features(features));
            }
            CoordinatorRequest::AddFeatures(features) => return self.add_features(&features),
            CoordinatorRequest::Arm
            | CoordinatorRequest::Status
            | CoordinatorRequest::FreshStatus
            | CoordinatorRequest::SurveySoon
            | CoordinatorRequest::PollSoon => {}
        }
        self.arm(settings).await?;
        match request {
            CoordinatorRequest::Status => self.status(settings, BacklogAge::Recent).await,
            CoordinatorRequest::FreshStatus => self.status(settings, BacklogAge::Current).await,
            CoordinatorRequest::PollSoon => {
                if settings.poll_interval.is_some() {
                    self.hasten(settings, |state| state.poll.poll_soon(now)).await?;
                }
                Ok(CoordinatorResponse::Done)
            }
            CoordinatorRequest::SurveySoon => {
                self.hasten(settings, |state| state.note_problem(now)).await?;
                Ok(CoordinatorResponse::Done)
            }
            CoordinatorRequest::Arm
            | CoordinatorRequest::ReserveRead(_)
            | CoordinatorRequest::ReserveRoutineReads(_)
            | CoordinatorRequest::RateLimited
            | CoordinatorRequest::AddFeatures(_)
            | CoordinatorRequest::Features => Ok(CoordinatorResponse::Done),
        }
    }

    /// Reads the stored budget, once.
    fn restore_budget(&self) -> Result<(), PortError> {
        if !self.is_budget_restored.get() {
            let stored = self.ports.storage().read(|state| state.budget)?;
            self.budget.replace(ReadBudget::restore(stored));
            self.is_budget_restored.set(true);
        }
        Ok(())
    }

    fn save_budget(&self, now: UnixMillis) -> Result<(), PortError> {
        let storage = self.ports.storage();
        let budget = *self.budget.borrow();
        if storage.read(|state| budget.must_save(&state.budget, now))? && storage.may_write()? {
            storage.update(|state| state.budget = budget)?;
        }
        Ok(())
    }

    /// Stores features that are new, up to [`MAX_FEATURES`].
    fn add_features(
        &self,
        features: &BTreeSet<LookupKey>,
    ) -> Result<CoordinatorResponse, PortError> {
        let storage = self.ports.storage();
        if !storage.may_write()? {
            return Ok(CoordinatorResponse::NewerRelease);
        }
        let known = storage.features()?;
        let mut room = MAX_FEATURES.saturating_sub(known.len());
        for feature in features.difference(&known) {
            if room == 0 {
                let line = format!(
                    "failed to add the feature `{feature}`: the coordinator keeps at most {MAX_FEATURES}"
                );
                self.ports.log(LogLevel::Warning, &line);
                break;
            }
            storage.add_feature(feature)?;
            room -= 1;
        }
        Ok(CoordinatorResponse::Done)
    }

    /// Sets the alarm if it is lost, or if the settings have changed since it was set.
    async fn arm(&self, settings: CoordinatorSettings) -> Result<(), PortError> {
        let storage = self.ports.storage();
        if !settings.is_used || self.is_working.get() {
            return Ok(());
        }
        let now = self.ports.now();
        let is_lost = |at: UnixMillis| now.millis_since(at) > LOST_ALARM_DELAY;
        if self.alarm_at.get().is_some_and(|at| !is_lost(at)) || !storage.may_write()? {
            return Ok(());
        }
        let name = describe(settings);
        if storage.read(|state| state.armed_for != name)? {
            storage.update(|state| {
                state.armed_for = name;
                state.duties_due_at = now;
                state.poll.due_at = now;
                state.poll.enabled_at = settings.poll_interval.map(|_| now);
            })?;
            return self.set_alarm(now).await;
        }
        // After a crash, the alarm may also be later than the work is due.
        let due = self.next_due(settings)?.max(now);
        match self.ports.alarm().await?.filter(|at| !is_lost(*at) && *at <= due) {
            Some(at) => self.alarm_at.set(Some(at)),
            None => self.set_alarm(due).await?,
        }
        Ok(())
    }

    async fn set_alarm(&self, at: UnixMillis) -> Result<(), PortError> {
        self.alarm_at.set(Some(at));
        self.ports.set_alarm(at).await.inspect_err(|_| self.alarm_at.set(None))
    }

    /// Makes work due earlier.
    async fn hasten(
        &self,
        settings: CoordinatorSettings,
        step: impl FnOnce(&mut CoordinatorState),
    ) -> Result<(), PortError> {
        let storage = self.ports.storage();
        if !storage.may_write()? || !settings.is_used {
            return Ok(());
        }
        let before = self.next_due(settings)?;
        storage.update(step)?;
        let due = self.next_due(settings)?.max(self.ports.now());
        // An alarm that works sets the next one itself.
        if due < before && !self.is_working.get() { self.set_alarm(due).await } else { Ok(()) }
    }

    async fn status(
        &self,
        settings: CoordinatorSettings,
        age: BacklogAge,
    ) -> Result<CoordinatorResponse, PortError> {
        let storage = self.ports.storage();
        let mut backlog = storage.read(|state| state.backlog)?;
        if (age == BacklogAge::Current || backlog.is_none()) && storage.may_write()? {
            let report = duties::add_up(&self.ports, duties::backlog_request(settings)).await?;
            backlog = report.map(|report| report.backlog);
        }
        let (retries, _) = storage.retries()?;
        let poll = storage.read(|state| state.poll.status(retries, self.ports.now()))?;
        let poll = settings.poll_interval.map(|_| poll);
        Ok(CoordinatorResponse::Status(CoordinatorStatus { backlog, poll }))
    }

    /// Works: the platform calls this when the alarm goes off.
    ///
    /// # Errors
    ///
    /// When the next alarm cannot be set. The platform then calls it again.
    pub async fn run_alarm(&self) -> Result<(), PortError> {
        self.alarm_at.set(None);
        let settings = match self.ports.settings() {
            Ok(settings) if !settings.is_used => return Ok(()),
            settings => settings,
        };
        let is_read_only = !self.ports.storage().may_write()?;
        let delay = if is_read_only { FAILURE_BACKOFF } else { WATCHDOG };
        self.set_alarm(self.ports.now().saturating_add(delay)).await?;
        let settings = settings?;
        self.restore_budget()?;
        if is_read_only {
            return Ok(());
        }
        self.is_working.set(true);
        let worked = self.work(settings).await;
        self.is_working.set(false);
        if let Err(error) = worked {
            self.ports.log(LogLevel::Error, &format!("the coordinator failed: {error}"));
            return self.set_alarm(self.ports.now().saturating_add(FAILURE_BACKOFF)).await;
        }
        let earliest = self.ports.now().saturating_add(MIN_ALARM_PAUSE);
        let next = self.next_due(settings)?.max(earliest);
        self.set_alarm(next).await
    }

    async fn work(&self, settings: CoordinatorSettings) -> Result<(), PortError> {
        let storage = self.ports.storage();
        let allowance = RequestAllowance::new(MAX_REQUESTS_PER_ALARM);
        let mut sweep = None;
        if storage.read(|state| state.duties_due_at)? <= self.ports.now() {
            sweep = duties::run(&self.ports, &self.budget, settings, &allowance).await?;
        }
        if let Some(interval) = settings.poll_interval {
            self.poll(settings, interval, &allowance).await?;
            let now = self.ports.now();
            // A poll that was refused or is late.
            if storage.read(|state| duties::must_sweep(settings, state, now))? {
                storage.update(CoordinatorState::hasten_sweep)?;
            }
        }
        // Last, because it waits for slots.
        if let Some(report) = sweep {
            duties::sweep(&self.ports, &self.budget, settings, &report).await?;
        }
        Ok(())
    }

    async fn poll(
        &self,
        settings: CoordinatorSettings,
        interval: u64,
        allowance: &RequestAllowance,
    ) -> Result<(), PortError> {
        let storage = self.ports.storage();
        let found = Cell::default();
        let (ports, budget) = (&self.ports, &self.budget);
        let poll = Poll { ports, budget, settings, allowance, found };
        poll.run_retries().await?;
        let now = self.ports.now();
        if storage.read(|state| state.poll.due_at)? <= now {
            storage.update(|state| state.poll.begin_attempt(interval, now))?;
            if poll.run_pass().await? == PollProgress::OutOfRequests {
                storage.update(|state| state.poll.due_at = now)?;
            }
        }
        if poll.found.get() > 0 && settings.has_webhook_secret {
            let line = format!(
                "{} events of {} mode arrived by the poll only: check the webhook endpoint in Stripe",
                poll.found.get(),
                settings.livemode.as_str()
            );
            self.ports.log(LogLevel::Warning, &line);
        }
        Ok(())
    }

    /// When the next work is due.
    fn next_due(&self, settings: CoordinatorSettings) -> Result<UnixMillis, PortError> {
        let storage = self.ports.storage();
        let (duties, poll) = storage.read(|state| (state.duties_due_at, state.poll.due_at))?;
        if settings.poll_interval.is_none() {
            return Ok(duties);
        }
        let (_, retry) = storage.retries()?;
        Ok(retry.map_or(duties.min(poll), |retry| duties.min(poll).min(retry)))
    }
}

/// How old the backlog of a status may be.
#[derive(Clone, Copy, Eq, PartialEq)]
enum BacklogAge {
    /// As old as the last duties.
    Recent,
    /// It is added up for the request.
    Current,
}

/// The settings that change when work is due.
fn describe(settings: CoordinatorSettings) -> String {
    let CoordinatorSettings { has_source, poll_interval, paused, .. } = settings;
    format!("{poll_interval:?} {has_source} {paused:?}")
}
