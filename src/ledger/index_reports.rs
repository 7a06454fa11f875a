//! The reports of a ledger to the customer index: its sync status and new features.
//!
//! A report is sent when something differs from the last one that was acknowledged. Until then it stays a
//! pending task. Not here: the status itself ([`SyncStatus`]).

use super::{
    observed_features::ObservedFeatures,
    outbox::{Outbox, Task},
    sync_status::{StatusReport, SyncStatus},
};
use crate::id::UnixMillis;

/// Changes of one customer within this time are reported together, in milliseconds.
const REPORT_DEBOUNCE: u64 = 1_000;

/// What was reported to the customer index, and what was not yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IndexReports {
    /// The last status that the customer index acknowledged.
    pub last_status: Option<SyncStatus>,
    /// The features that appeared in the customer's sets, reported or not.
    pub observed_features: ObservedFeatures,
}

impl IndexReports {
    /// Schedules a report if there is something to report.
    pub(super) fn schedule_if_changed(
        &self,
        outbox: &mut Outbox,
        status: SyncStatus,
        now: UnixMillis,
    ) {
        if self.differs(status) {
            outbox.schedule(Task::Report, now.saturating_add(REPORT_DEBOUNCE), now);
        }
    }

    /// Starts a report, or returns `None` if there is nothing to report.
    pub(super) fn begin(&self, outbox: &mut Outbox, status: SyncStatus) -> Option<StatusReport> {
        // An earlier report that was not acknowledged may have taken effect.
        let is_unacknowledged = outbox.pending(Task::Report).is_some_and(|task| task.attempts > 0);
        if !self.differs(status) && !is_unacknowledged {
            outbox.complete(Task::Report);
            return None;
        }
        outbox.record_attempt(Task::Report);
        Some(StatusReport { status, features: self.observed_features.unreported().clone() })
    }

    /// Notes that the customer index acknowledged a report.
    pub(super) fn succeeded(&mut self, outbox: &mut Outbox, report: &StatusReport) {
        self.last_status = Some(report.status);
        self.observed_features.mark_reported(&report.features);
        outbox.complete(Task::Report);
    }

    fn differs(&self, status: SyncStatus) -> bool {
        !self.observed_features.unreported().is_empty()
            || status.differs_from_reported(self.last_status)
    }
}
