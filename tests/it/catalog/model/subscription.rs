//! What the rules say of one subscription by itself.
//!
//! Periods have a fixed length: months are for vectors to test.

use std::collections::BTreeSet;

use super::reference::Refused;
use crate::catalog::fixture::{DAY, HOUR};

/// How long a first payment can be made.
const FIRST_PAYMENT: i64 = 23 * HOUR;

/// How long a payment that failed is tried again.
const RETRIES: i64 = 14 * DAY;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::IncompleteExpired | Self::Canceled)
    }
}

/// How a customer or a subscription is paid for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    None,
    Works,
    Fails,
}

/// What a first charge that fails, or waits, leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payment {
    Allow,
    Default,
    Error,
}

/// What the end of a trial leads to where there is no method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    CreateInvoice,
    Pause,
    Cancel,
}

/// Why a subscription ended, or will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    Requested,
    NotPaid,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requested => "cancellation_requested",
            Self::NotPaid => "payment_failed",
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(crate) price: usize,
    pub(crate) granted: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) customer: usize,
    pub(crate) status: Status,
    pub(crate) items: Vec<Item>,
    pub(crate) created: i64,
    pub(crate) every: i64,
    /// What periods are counted from.
    pub(crate) anchor: i64,
    /// When the present one begins.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// From when until when it is, or was, on trial.
    pub(crate) trial: Option<(i64, i64)>,
    pub(crate) missing: Missing,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) at_period_end: bool,
    pub(crate) canceled: Option<i64>,
    pub(crate) reason: Option<Reason>,
    pub(crate) ended: Option<i64>,
    pub(crate) method: Method,
    /// Whether its customer gets invoices, so that others see to the money.
    pub(crate) invoices: bool,
    /// Since when it is past due because a charge failed.
    pub(crate) failing: Option<i64>,
    pub(crate) collected_at: Option<i64>,
}

/// What time does. Of what falls together, the first here comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Turn {
    Cancel,
    Expire,
    GiveUp,
    EndTrial,
    Renew,
    Collect,
}

impl Subscription {
    pub(crate) fn next(&self) -> Option<(i64, Turn)> {
        if self.status.is_over() {
            return None;
        }
        let own = match self.status {
            Status::Incomplete => Some((self.created + FIRST_PAYMENT, Turn::Expire)),
            Status::Trialing => self.trial.map(|(_, end)| (end, Turn::EndTrial)),
            Status::Active | Status::PastDue | Status::Unpaid => Some((self.end, Turn::Renew)),
            Status::Paused | Status::Canceled | Status::IncompleteExpired => None,
        };
        let cancel = self.cancel_at.map(|at| (at, Turn::Cancel));
        let give_up = self
            .failing
            .filter(|_| self.status == Status::PastDue)
            .map(|since| (since + RETRIES, Turn::GiveUp));
        let collect = self.collected_at.map(|at| (at, Turn::Collect));
        [own, cancel, give_up, collect].into_iter().flatten().min()
    }

    /// Periods are counted from the anchor: this one ends where the next one begins.
    pub(crate) fn begin_period(&mut self, start: i64) {
        self.start = start;
        self.end = self.anchor + ((start - self.anchor).div_euclid(self.every) + 1) * self.every;
        if self.at_period_end {
            self.cancel_at = Some(self.end);
        }
    }

    pub(crate) fn begin_anew(&mut self, now: i64) {
        self.anchor = now;
        self.begin_period(now);
    }

    pub(crate) fn become_status(&mut self, status: Status) {
        self.status = status;
        if status != Status::PastDue {
            self.failing = None;
        }
    }

    pub(crate) fn cancel(&mut self, at: i64, reason: Reason) {
        self.become_status(Status::Canceled);
        self.reason = Some(reason);
        self.canceled.get_or_insert(at);
        self.ended = Some(at);
    }

    /// A charge of this method.
    pub(crate) fn charge(&mut self, method: Method, at: i64) {
        match method {
            Method::Fails => {
                self.become_status(Status::PastDue);
                self.failing.get_or_insert(at);
            }
            // Others see to the money: nobody said that what is owed was paid.
            Method::None if self.status == Status::PastDue => {}
            Method::Works | Method::None => self.become_status(Status::Active),
        }
    }

    /// A trial that is not over ends; whether there was one.
    pub(crate) fn leave_trial(&mut self, now: i64) -> bool {
        match &mut self.trial {
            Some((_, end)) if *end > now => {
                *end = now;
                true
            }
            _ => false,
        }
    }

    /// When it will end, if at all.
    pub(crate) fn end_at(
        &mut self,
        at_period_end: bool,
        by: Option<i64>,
        now: i64,
    ) -> Result<(), Refused> {
        // Where it is paused, time goes on and its periods do not.
        let over = at_period_end && self.end <= now;
        if over || by.is_some_and(|by| by <= 0) {
            return Err(400);
        }
        self.at_period_end = at_period_end;
        self.cancel_at = if at_period_end { Some(self.end) } else { by.map(|by| now + by) };
        self.canceled = self.cancel_at.map(|_| now);
        self.reason = self.cancel_at.map(|_| Reason::Requested);
        Ok(())
    }
}
