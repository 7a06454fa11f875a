//! The steps of a sequence.
//!
//! A number selects one of the existing objects of its type, modulo how many there are. A time is a
//! number of seconds from now.

use super::{
    reference::Policy,
    subscription::{MissingMethod, PausingFailure, PaymentBehavior, PaymentMethod, Status},
};

/// A step, and whether the background work that is due after it is postponed.
#[derive(Clone, Debug)]
pub(super) struct TimedStep {
    pub(super) step: Step,
    pub(super) postpones_work: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Product(ProductStep),
    Customer(CustomerStep),
    Subscribe(NewSubscription),
    Act(usize, SubscriptionAction),
    Update(usize, SubscriptionUpdate),
    /// Lists the entitlements of a customer.
    ListEntitlements(usize),
    Environment(EnvironmentStep),
}

#[derive(Clone, Debug)]
pub(super) enum ProductStep {
    /// Creates a feature with one of a few lookup keys.
    CreateFeature(usize),
    ArchiveFeature(usize),
    CreateProduct,
    /// Attaches this many new features to a product.
    AddFeatures(usize, usize),
    Attach(usize, usize),
    Detach(usize, usize),
    ApplyFeatures(usize),
    /// Creates a price of a product: the period in days, and whether it is free.
    CreatePrice(usize, i64, bool),
    DeactivatePrice(usize),
    /// Makes a price the default price of its product.
    SetDefaultPrice(usize),
    /// Archives a product, or makes it active again.
    SetActive(usize, bool),
}

#[derive(Clone, Debug)]
pub(super) enum CustomerStep {
    /// Creates a customer, with or without a test clock.
    Create(Option<usize>, PaymentMethod),
    SetPaymentMethod(usize, PaymentMethod),
    Delete(usize),
}

/// The parameters of a new subscription.
#[derive(Clone, Debug)]
pub(super) struct NewSubscription {
    pub(super) customer: usize,
    pub(super) prices: Vec<usize>,
    pub(super) trial_days: i64,
    pub(super) payment_method: PaymentMethod,
    pub(super) payment_behavior: PaymentBehavior,
    pub(super) missing_method: MissingMethod,
    pub(super) sends_invoices: bool,
    pub(super) anchor_in: Option<i64>,
    pub(super) cancel_at_period_end: bool,
    pub(super) cancel_in: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) enum SubscriptionAction {
    Cancel,
    Pause,
    Resume(ResumeParams),
}

/// The parameters of a resume.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResumeParams {
    /// Whether the billing cycle is reset to now.
    pub(super) resets_cycle: bool,
    /// Whether the subscription stays paused if the charge is declined.
    pub(super) requires_payment: bool,
}

/// The parameters of one update request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SubscriptionUpdate {
    /// One change alone is a request about this item.
    pub(super) items: Vec<ItemChange>,
    pub(super) cancellation: Option<Cancellation>,
    pub(super) reported_status: Option<Status>,
    /// The new end of the trial. Zero ends it now.
    pub(super) trial_end_in: Option<i64>,
    pub(super) missing_method: Option<MissingMethod>,
    pub(super) payment_method: Option<PaymentMethod>,
    pub(super) sends_invoices: Option<bool>,
    pub(super) collection: Option<Collection>,
    /// Whether the billing cycle is reset to now.
    pub(super) resets_cycle: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ItemChange {
    Add(usize),
    SetPrice(usize, usize),
    SetQuantity(usize),
    Remove(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cancellation {
    AtPeriodEnd(bool),
    /// Schedules a cancellation, or removes the scheduled one.
    In(Option<i64>),
}

/// Whether invoices are collected, or when collection resumes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Collection {
    Active,
    PausedFor(i64),
}

#[derive(Clone, Debug)]
pub(super) enum EnvironmentStep {
    CreateClock,
    DeleteClock(usize),
    AdvanceClock(usize, i64),
    /// Time passes outside of all test clocks.
    AdvanceTime(i64),
    ChangePolicy(Policy),
    ChangePausingFailure(PausingFailure),
}
