//! What may happen, at random.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy},
    prop_oneof,
    sample::select,
};

use super::{
    Change, Collection, Ending, Happening, Interruption, Passing, Purchase, Sale, Service, Step,
    Update,
    reference::Policy,
    subscription::{Method, Missing, Payment, Status},
};
use crate::catalog::fixture::{DAY, HOUR};

pub(super) fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        6 => sale().prop_map(Happening::Sell),
        2 => service().prop_map(Happening::Serve),
        6 => purchase().prop_map(Happening::Subscribe),
        4 => (any(), interruption()).prop_map(|(which, what)| Happening::Interrupt(which, what)),
        10 => (any(), update()).prop_map(|(which, update)| Happening::Amend(which, update)),
        2 => any().prop_map(Happening::Ask),
        9 => passing().prop_map(Happening::Pass),
    ];
    (what, proptest::bool::weighted(0.3)).prop_map(|(what, late)| Step { what, late })
}

/// The place of a thing.
fn any() -> impl Strategy<Value = usize> {
    0..64_usize
}

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![
        7 => (0..9_i64, -1..2_i64).prop_map(|(days, by)| days * DAY + by),
        1 => (7..45_i64, -1..2_i64).prop_map(|(days, by)| days * DAY + by),
        1 => (-1..1_i64).prop_map(|by| 23 * HOUR + by),
        1 => 1..3 * DAY,
    ]
}

fn method() -> impl Strategy<Value = Method> {
    select(&[Method::None, Method::Works, Method::Fails])
}

fn missing() -> impl Strategy<Value = Missing> {
    select(&[Missing::CreateInvoice, Missing::Pause, Missing::Cancel])
}

fn sale() -> impl Strategy<Value = Sale> {
    let days = select(&[1, 3, 3, 7, 7, 14]);
    let price = (any(), days, proptest::bool::weighted(0.2));
    prop_oneof![
        2 => (0..6_usize).prop_map(Sale::Feature),
        1 => any().prop_map(Sale::Archive),
        1 => Just(Sale::Product),
        1 => (any(), 1..13_usize).prop_map(|(product, count)| Sale::Stock(product, count)),
        4 => (any(), any()).prop_map(|(product, feature)| Sale::Attach(product, feature)),
        3 => (any(), any()).prop_map(|(product, which)| Sale::Detach(product, which)),
        2 => any().prop_map(Sale::Apply),
        2 => price.prop_map(|(product, days, free)| Sale::Price(product, days, free)),
        1 => any().prop_map(Sale::Withdraw),
    ]
}

fn service() -> impl Strategy<Value = Service> {
    prop_oneof![
        2 => (option::of(any()), method())
            .prop_map(|(clock, method)| Service::Customer(clock, method)),
        2 => (any(), method()).prop_map(|(customer, method)| Service::Pays(customer, method)),
        1 => any().prop_map(Service::Leaves),
    ]
}

fn purchase() -> impl Strategy<Value = Purchase> {
    let trial_days = option::weighted(0.4, 1..20_i64).prop_map(Option::unwrap_or_default);
    let payment = prop_oneof![
        4 => Just(Payment::Allow),
        1 => Just(Payment::Default),
        1 => Just(Payment::Error),
    ];
    let what = (any(), vec(any(), 1..4), trial_days);
    let paid = (method(), payment, missing(), proptest::bool::weighted(0.1));
    let anchor_in = option::weighted(0.1, seconds());
    let ends = (proptest::bool::weighted(0.1), option::weighted(0.15, seconds()));
    (what, paid, anchor_in, ends).prop_map(
        |(
            (customer, prices, trial_days),
            (method, payment, missing, invoices),
            anchor_in,
            (at_period_end, cancel_in),
        )| Purchase {
            customer,
            prices,
            trial_days,
            method,
            payment,
            missing,
            invoices,
            anchor_in,
            at_period_end,
            cancel_in,
        },
    )
}

fn interruption() -> impl Strategy<Value = Interruption> {
    prop_oneof![
        2 => Just(Interruption::Cancel),
        3 => Just(Interruption::Pause),
        3 => proptest::bool::ANY.prop_map(Interruption::Resume),
    ]
}

/// A part of an update, and sometimes more than one.
fn update() -> impl Strategy<Value = Update> {
    let parts = prop_oneof![3 => vec(part(), 1), 1 => vec(part(), 2..4)];
    parts.prop_map(|parts| {
        parts.into_iter().fold(Update::default(), |update, part| Update {
            items: if part.items.is_empty() { update.items } else { part.items },
            ending: part.ending.or(update.ending),
            told: part.told.or(update.told),
            trial: part.trial.or(update.trial),
            missing: part.missing.or(update.missing),
            method: part.method.or(update.method),
            invoices: part.invoices.or(update.invoices),
            collection: part.collection.or(update.collection),
            anew: part.anew || update.anew,
        })
    })
}

fn part() -> impl Strategy<Value = Update> {
    let nothing = Update::default;
    let at_period_end = proptest::bool::weighted(0.7).prop_map(Ending::AtPeriodEnd);
    let ending = prop_oneof![at_period_end, option::weighted(0.7, seconds()).prop_map(Ending::In)];
    let told = select(&[Status::Active, Status::PastDue, Status::Unpaid]);
    let trial = prop_oneof![Just(0), seconds()];
    let collection = prop_oneof![Just(Collection::On), seconds().prop_map(Collection::PausedFor)];
    prop_oneof![
        6 => vec(change(), 1..3).prop_map(move |items| Update { items, ..nothing() }),
        4 => ending.prop_map(move |ending| Update { ending: Some(ending), ..nothing() }),
        5 => told.prop_map(move |told| Update { told: Some(told), ..nothing() }),
        3 => trial.prop_map(move |trial| Update { trial: Some(trial), ..nothing() }),
        1 => missing().prop_map(move |missing| Update { missing: Some(missing), ..nothing() }),
        3 => method().prop_map(move |method| Update { method: Some(method), ..nothing() }),
        1 => proptest::bool::ANY.prop_map(move |so| Update { invoices: Some(so), ..nothing() }),
        1 => collection.prop_map(move |it| Update { collection: Some(it), ..nothing() }),
        1 => Just(Update { anew: true, ..nothing() }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => any().prop_map(Change::Add),
        5 => (any(), any()).prop_map(|(item, price)| Change::Price(item, price)),
        1 => any().prop_map(Change::Quantity),
        2 => any().prop_map(Change::Remove),
    ]
}

fn passing() -> impl Strategy<Value = Passing> {
    let standing = || proptest::bool::ANY;
    let policy = (standing(), standing(), standing())
        .prop_map(|(past_due, unpaid, paused)| Policy { past_due, unpaid, paused });
    prop_oneof![
        1 => Just(Passing::Clock),
        1 => any().prop_map(Passing::DeleteClock),
        12 => (any(), seconds()).prop_map(|(clock, by)| Passing::Advance(clock, by)),
        9 => seconds().prop_map(Passing::Time),
        3 => policy.prop_map(Passing::Policy),
    ]
}
