//! The events of the model's customer, from Stripe to their acknowledgement.

use std::cell::RefCell;

use entgate::{entitlement::Summary, ledger::ApplyOutcome, store::memory::MemoryTables};

/// The events of the customer.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// Events that Stripe has created, and that were not acknowledged.
    pub(crate) unsent: RefCell<Vec<Summary>>,
    /// Events whose webhook is in progress.
    pub(crate) in_progress: RefCell<Vec<Summary>>,
    /// Acknowledged events, in the order of their acknowledgement.
    pub(crate) acknowledged: RefCell<Vec<Summary>>,
    /// Stored events, in the order in which they were applied.
    pub(crate) applied: RefCell<Vec<Summary>>,
}

impl Deliveries {
    pub(crate) fn note_if_applied(&self, event: &Summary, tables: &MemoryTables) {
        let mut applied = self.applied.borrow_mut();
        if tables.has_event(&event.event) && !applied.contains(event) {
            applied.push(event.clone());
        }
    }

    /// Ends the webhook of an event. Stripe sends the event again if it was not acknowledged.
    pub(crate) fn finish(&self, event: &Summary, outcome: Option<ApplyOutcome>) {
        let mut in_progress = self.in_progress.borrow_mut();
        let index = in_progress.iter().position(|other| other == event).unwrap();
        let event = in_progress.remove(index);
        let mut acknowledged = self.acknowledged.borrow_mut();
        let is_repeated = acknowledged.contains(&event);
        match outcome {
            Some(outcome) if is_repeated => assert_eq!(outcome, ApplyOutcome::Duplicate),
            Some(_) => acknowledged.push(event),
            None if is_repeated => {}
            None => self.unsent.borrow_mut().push(event),
        }
    }

    /// Ends all webhooks without an acknowledgement.
    pub(crate) fn fail_all(&self) {
        let lost = self.in_progress.borrow().clone();
        for event in &lost {
            self.finish(event, None);
        }
    }
}

/// Removes one of these events.
pub(crate) fn take(events: &RefCell<Vec<Summary>>, which: usize) -> Option<Summary> {
    let mut events = events.borrow_mut();
    if events.is_empty() {
        return None;
    }
    let index = which % events.len();
    Some(events.remove(index))
}
