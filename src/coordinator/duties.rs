//! The duties of a coordinator: adds up the customer index, and wakes ledgers.
//!
//! They are due each minute while they find something, and otherwise every ten minutes. A shard of the index
//! with a new problem makes them due at once. So a deployment without problems asks its 32 shards 144 times a
//! day.
//!
//! | ledgers                                                                  | request             |
//! |--------------------------------------------------------------------------|---------------------|
//! | with a failed task that is overdue by ten minutes                        | set the alarm again |
//! | not read for a day, while no poll runs or events may be missing          | read the source     |
//!
//! The first kind has lost its alarm. The second one heals what no event reports. While there is a gap
//! in the poll, a ledger that was read before the gap was found counts as unread.

use std::cell::RefCell;

use futures_util::{StreamExt as _, stream};

use super::{
    budget::ReadBudget,
    poll::RequestAllowance,
    ports::{
        CoordinatorPorts, CoordinatorSettings, CoordinatorStorage as _, IndexQuery, IndexReport,
    },
    state::CoordinatorState,
    status::PollGap,
};
use crate::{
    id::{CustomerKey, UnixMillis},
    ledger::{LogLevel, PortError, ReadPriority},
    waiting::within,
};

/// The time until the next duties if more ledgers are unread, in milliseconds.
const SWEEP_PAUSE: u64 = 5_000;

/// The most ledgers whose alarms one run of the duties sets again.
const MAX_OVERDUE: u32 = 10;

/// The most ledgers that one run of the duties reads.
const MAX_UNREAD: u32 = 20;

/// The most requests to ledgers in flight: as many connections as a Worker may have open.
const MAX_CONCURRENT_REQUESTS: usize = 6;

/// How long a read is waited for after its slot, in milliseconds. The ledger completes it in any case.
const READ_TIMEOUT: u64 = 10_000;

/// The latest slot of a first read, in milliseconds from now. While more reads after events wait, no ledger is
/// read without an event. An alarm may take fifteen minutes.
const MAX_SWEEP_DELAY: u64 = 10_000;

/// After how many milliseconds a set counts as unread: a day.
const CONFIRMATION_TTL: u64 = 24 * 60 * 60 * 1_000;

/// Runs the duties. Returns which ledgers must be read, if any may miss events: [`sweep()`] reads them.
pub(super) async fn run<P: CoordinatorPorts>(
    ports: &P,
    budget: &RefCell<ReadBudget>,
    settings: CoordinatorSettings,
    allowance: &RequestAllowance,
) -> Result<Option<IndexReport>, PortError> {
    let (storage, now) = (ports.storage(), ports.now());
    let next = budget.borrow().next_slot(ReadPriority::Background, now);
    let is_free = next.millis_since(now) <= MAX_SWEEP_DELAY;
    let (must_sweep, gap) = storage.update(|state| {
        let must_sweep = must_sweep(settings, state, now) && is_free;
        state.begin_duties(must_sweep, now);
        (must_sweep, state.poll.gap)
    })?;
    let day_ago = now.saturating_sub(CONFIRMATION_TTL);
    // A gap is known to the second: what was read in that second may be older.
    let gap_end = gap.map(|gap| UnixMillis::from(gap.found_at.saturating_add(1)));
    allowance.take();
    let query = IndexQuery {
        livemode: settings.livemode,
        max_overdue: MAX_OVERDUE,
        max_unread: if must_sweep { MAX_UNREAD } else { 0 },
        read_before: gap_end.map_or(day_ago, |end| end.max(day_ago)),
    };
    let Some(report) = add_up(ports, query).await? else { return Ok(None) };
    if report.is_quiet() {
        storage.update(CoordinatorState::note_quiet)?;
    }
    let overdue = customers(&report.overdue).map(|customer| async move {
        allowance.take();
        if let Err(error) = ports.rearm(&customer).await {
            let line = format!("{}: failed to re-arm the alarm: {error}", customer.to_key());
            ports.log(LogLevel::Error, &line);
        }
    });
    stream::iter(overdue).buffer_unordered(MAX_CONCURRENT_REQUESTS).collect::<()>().await;
    if !must_sweep {
        return Ok(None);
    }
    if let Some(gap) = gap {
        let unread = report.unread_count;
        storage.update(|state| {
            // A later gap stays.
            if state.poll.gap.is_some_and(|current| current.found_at == gap.found_at) {
                state.poll.gap = (unread > 0).then_some(PollGap { unread: Some(unread), ..gap });
            }
        })?;
    }
    for _ in &report.unread {
        allowance.take();
    }
    Ok(Some(report))
}

/// Whether ledgers that were not read for a day must be read, because they may miss events.
pub(super) fn must_sweep(
    settings: CoordinatorSettings,
    state: &CoordinatorState,
    now: UnixMillis,
) -> bool {
    let is_polled = settings.poll_interval.is_some() && !state.poll.may_miss_events(now);
    settings.has_source && !is_polled
}

/// Asks the customer index, and stores the failed tasks of all customers.
pub(super) async fn add_up<P: CoordinatorPorts>(
    ports: &P,
    request: IndexQuery,
) -> Result<Option<IndexReport>, PortError> {
    let report = ports.query_index(request).await.inspect_err(|error| {
        ports.log(LogLevel::Error, &format!("failed to call the customer index: {error}"));
    });
    let report = report.ok();
    let backlog = report.as_ref().map(|report| report.backlog);
    ports.storage().update(|state| state.backlog = backlog)?;
    Ok(report)
}

/// Reads the ledgers that were not read for a day, as fast as the budget allows.
pub(super) async fn sweep<P: CoordinatorPorts>(
    ports: &P,
    budget: &RefCell<ReadBudget>,
    settings: CoordinatorSettings,
    report: &IndexReport,
) -> Result<(), PortError> {
    if report.unread.is_empty() {
        return Ok(());
    }
    let reads = customers(&report.unread).map(|customer| async move {
        let now = ports.now();
        let slot = budget.borrow_mut().reserve(ReadPriority::Background, settings.rate, now);
        ports.sleep(slot.millis_since(now)).await;
        match within(ports.sleep(READ_TIMEOUT), ports.reconcile(&customer)).await {
            // The ledger has logged the error.
            Some(Err(_)) => 1,
            Some(Ok(())) | None => 0_u32,
        }
    });
    let reads = stream::iter(reads).buffer_unordered(MAX_CONCURRENT_REQUESTS);
    let failed = reads.fold(0_u32, async |sum, failed| sum.saturating_add(failed)).await;
    let count = report.unread.len();
    let line = format!(
        "sweep: {count} sets that were not confirmed for a day were read; {failed} could not be read"
    );
    ports.log(LogLevel::Warning, &line);
    if u32::try_from(count).is_ok_and(|count| count < report.unread_count) {
        let due = ports.now().saturating_add(SWEEP_PAUSE);
        ports.storage().update(|state| state.duties_due_at = state.duties_due_at.min(due))?;
    }
    Ok(())
}

fn customers(keys: &[String]) -> impl Iterator<Item = CustomerKey> {
    keys.iter().filter_map(|key| CustomerKey::from_key(key))
}

/// The request that only adds up.
pub(super) fn backlog_request(settings: CoordinatorSettings) -> IndexQuery {
    let CoordinatorSettings { livemode, .. } = settings;
    IndexQuery { livemode, max_overdue: 0, max_unread: 0, read_before: UnixMillis(0) }
}
