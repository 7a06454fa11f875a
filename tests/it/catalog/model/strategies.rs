//! The strategies that generate the steps of a sequence.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy},
    prop_oneof,
    sample::select,
};

use super::{
    reference::Policy,
    steps::{
        Cancellation, Collection, CustomerStep, EnvironmentStep, ItemChange, NewSubscription,
        ProductStep, ResumeParams, Step, SubscriptionAction, SubscriptionUpdate, TimedStep,
    },
    subscription::{MissingMethod, PausingFailure, PaymentBehavior, PaymentMethod, Status},
};
use crate::catalog::fixture::{DAY, HOUR};

pub(super) fn timed_step() -> impl Strategy<Value = TimedStep> {
    let step = prop_oneof![
        6 => product_step().prop_map(Step::Product),
        2 => customer_step().prop_map(Step::Customer),
        6 => new_subscription().prop_map(Step::Subscribe),
        4 => (index(), action()).prop_map(|(index, action)| Step::Act(index, action)),
        10 => (index(), update()).prop_map(|(index, update)| Step::Update(index, update)),
        2 => index().prop_map(Step::ListEntitlements),
        9 => environment_step().prop_map(Step::Environment),
    ];
    (step, proptest::bool::weighted(0.3))
        .prop_map(|(step, postpones_work)| TimedStep { step, postpones_work })
}

/// Selects an object, modulo how many there are.
fn index() -> impl Strategy<Value = usize> {
    0..64_usize
}

/// Durations around the boundaries: whole days, and the 23 hours of a first payment.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![
        7 => (0..9_i64, -1..2_i64).prop_map(|(days, offset)| days * DAY + offset),
        1 => (7..45_i64, -1..2_i64).prop_map(|(days, offset)| days * DAY + offset),
        1 => (-1..1_i64).prop_map(|offset| 23 * HOUR + offset),
        1 => 1..3 * DAY,
    ]
}

fn payment_method() -> impl Strategy<Value = PaymentMethod> {
    select(&[PaymentMethod::None, PaymentMethod::Valid, PaymentMethod::Declined])
}

fn missing_method() -> impl Strategy<Value = MissingMethod> {
    select(&[MissingMethod::CreateInvoice, MissingMethod::Pause, MissingMethod::Cancel])
}

fn product_step() -> impl Strategy<Value = ProductStep> {
    let days = select(&[1, 3, 3, 7, 7, 14]);
    let price = (index(), days, proptest::bool::weighted(0.2));
    prop_oneof![
        2 => (0..6_usize).prop_map(ProductStep::CreateFeature),
        1 => index().prop_map(ProductStep::ArchiveFeature),
        1 => Just(ProductStep::CreateProduct),
        1 => (index(), 1..13_usize)
            .prop_map(|(product, count)| ProductStep::AddFeatures(product, count)),
        4 => (index(), index())
            .prop_map(|(product, feature)| ProductStep::Attach(product, feature)),
        3 => (index(), index())
            .prop_map(|(product, feature)| ProductStep::Detach(product, feature)),
        2 => index().prop_map(ProductStep::ApplyFeatures),
        2 => price
            .prop_map(|(product, days, is_free)| ProductStep::CreatePrice(product, days, is_free)),
        1 => index().prop_map(ProductStep::DeactivatePrice),
        1 => index().prop_map(ProductStep::SetDefaultPrice),
        1 => (index(), proptest::bool::weighted(0.7))
            .prop_map(|(product, is_active)| ProductStep::SetActive(product, is_active)),
    ]
}

fn customer_step() -> impl Strategy<Value = CustomerStep> {
    prop_oneof![
        2 => (option::of(index()), payment_method())
            .prop_map(|(clock, method)| CustomerStep::Create(clock, method)),
        2 => (index(), payment_method())
            .prop_map(|(customer, method)| CustomerStep::SetPaymentMethod(customer, method)),
        1 => index().prop_map(CustomerStep::Delete),
    ]
}

fn new_subscription() -> impl Strategy<Value = NewSubscription> {
    let trial_days = option::weighted(0.4, 1..20_i64).prop_map(Option::unwrap_or_default);
    let payment_behavior = prop_oneof![
        4 => Just(PaymentBehavior::AllowIncomplete),
        1 => Just(PaymentBehavior::DefaultIncomplete),
        1 => Just(PaymentBehavior::ErrorIfIncomplete),
    ];
    let plan = (index(), vec(index(), 1..4), trial_days);
    let payment =
        (payment_method(), payment_behavior, missing_method(), proptest::bool::weighted(0.1));
    let anchor_in = option::weighted(0.1, seconds());
    let cancellation = (proptest::bool::weighted(0.1), option::weighted(0.15, seconds()));
    (plan, payment, anchor_in, cancellation).prop_map(
        |(
            (customer, prices, trial_days),
            (payment_method, payment_behavior, missing_method, sends_invoices),
            anchor_in,
            (cancel_at_period_end, cancel_in),
        )| NewSubscription {
            customer,
            prices,
            trial_days,
            payment_method,
            payment_behavior,
            missing_method,
            sends_invoices,
            anchor_in,
            cancel_at_period_end,
            cancel_in,
        },
    )
}

fn action() -> impl Strategy<Value = SubscriptionAction> {
    let resume = (proptest::bool::ANY, proptest::bool::weighted(0.3));
    prop_oneof![
        2 => Just(SubscriptionAction::Cancel),
        3 => Just(SubscriptionAction::Pause),
        3 => resume.prop_map(|(resets_cycle, requires_payment)| {
            SubscriptionAction::Resume(ResumeParams { resets_cycle, requires_payment })
        }),
    ]
}

/// One change of a subscription, or several in one request.
fn update() -> impl Strategy<Value = SubscriptionUpdate> {
    let parts = prop_oneof![3 => vec(partial_update(), 1), 1 => vec(partial_update(), 2..4)];
    parts.prop_map(|parts| {
        parts.into_iter().fold(SubscriptionUpdate::default(), |update, part| SubscriptionUpdate {
            items: if part.items.is_empty() { update.items } else { part.items },
            cancellation: part.cancellation.or(update.cancellation),
            reported_status: part.reported_status.or(update.reported_status),
            trial_end_in: part.trial_end_in.or(update.trial_end_in),
            missing_method: part.missing_method.or(update.missing_method),
            payment_method: part.payment_method.or(update.payment_method),
            sends_invoices: part.sends_invoices.or(update.sends_invoices),
            collection: part.collection.or(update.collection),
            resets_cycle: part.resets_cycle || update.resets_cycle,
        })
    })
}

/// An update that changes one property.
fn partial_update() -> impl Strategy<Value = SubscriptionUpdate> {
    use SubscriptionUpdate as Update;
    let empty = Update::default;
    let at_period_end = proptest::bool::weighted(0.7).prop_map(Cancellation::AtPeriodEnd);
    let cancellation =
        prop_oneof![at_period_end, option::weighted(0.7, seconds()).prop_map(Cancellation::In)];
    let status = select(&[Status::Active, Status::PastDue, Status::Unpaid]);
    let trial_end = prop_oneof![Just(0), seconds()];
    let collection =
        prop_oneof![Just(Collection::Active), seconds().prop_map(Collection::PausedFor)];
    prop_oneof![
        6 => vec(item_change(), 1..3).prop_map(move |items| Update { items, ..empty() }),
        4 => cancellation.prop_map(move |it| Update { cancellation: Some(it), ..empty() }),
        5 => status.prop_map(move |it| Update { reported_status: Some(it), ..empty() }),
        3 => trial_end.prop_map(move |it| Update { trial_end_in: Some(it), ..empty() }),
        1 => missing_method().prop_map(move |it| Update { missing_method: Some(it), ..empty() }),
        3 => payment_method().prop_map(move |it| Update { payment_method: Some(it), ..empty() }),
        1 => proptest::bool::ANY
            .prop_map(move |it| Update { sends_invoices: Some(it), ..empty() }),
        1 => collection.prop_map(move |it| Update { collection: Some(it), ..empty() }),
        1 => Just(Update { resets_cycle: true, ..empty() }),
    ]
}

fn item_change() -> impl Strategy<Value = ItemChange> {
    prop_oneof![
        3 => index().prop_map(ItemChange::Add),
        5 => (index(), index()).prop_map(|(item, price)| ItemChange::SetPrice(item, price)),
        1 => index().prop_map(ItemChange::SetQuantity),
        2 => index().prop_map(ItemChange::Remove),
    ]
}

fn environment_step() -> impl Strategy<Value = EnvironmentStep> {
    let grants = || proptest::bool::ANY;
    let policy = (grants(), grants(), grants()).prop_map(|(past_due, unpaid, paused)| Policy {
        past_due,
        unpaid,
        paused,
    });
    let failure = select(&[PausingFailure::None, PausingFailure::First, PausingFailure::Final]);
    prop_oneof![
        1 => Just(EnvironmentStep::CreateClock),
        1 => index().prop_map(EnvironmentStep::DeleteClock),
        12 => (index(), seconds())
            .prop_map(|(clock, by)| EnvironmentStep::AdvanceClock(clock, by)),
        9 => seconds().prop_map(EnvironmentStep::AdvanceTime),
        3 => policy.prop_map(EnvironmentStep::ChangePolicy),
        2 => failure.prop_map(EnvironmentStep::ChangePausingFailure),
    ]
}
