//! What is done to very many subscriptions, a few at a time.
//!
//! | because                                        | each of these                              |
//! |------------------------------------------------|--------------------------------------------|
//! | a product's features are to be applied at once | with that product takes what it has now    |
//! | a status grants something else than before     | of that status has its customer's set settled |
//!
//! The work remembers how far it has come, so that a crash costs nothing and a request in between is
//! not kept waiting.

use serde::Serialize;

use super::{
    Catalog, Error, Object,
    event::Kind,
    product::Product,
    settle::settle,
    shelf::{Entry, Order, Place, Range},
    status::Status,
    subscription::{self, Subscription},
};
use crate::{id::Timestamp, json::readable, policy::Policy};

/// The subscriptions that an application gets to before it is answered.
const AT_ONCE: usize = 100;

/// The list of what is under way.
const LIST: &str = "applications";

/// Where the policy is kept by which all sets were derived.
const POLICY: &str = "policy";

/// Something that is under way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct Application {
    id: String,
    created: Timestamp,
    what: What,
    /// The place of the last subscription that it got to.
    done: Option<(Timestamp, i64)>,
}

readable! { struct Application { id, created, what, done } }

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
enum What {
    Product(String),
    Status(Status),
}

readable! { enum What { Product(_) = "Product", Status(_) = "Status" } }

impl Object for Application {
    const KIND: &'static str = "application";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(LIST, self.created)]
    }
}

/// The policy by which all sets were derived.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct Derived {
    policy: Policy,
}

readable! { struct Derived { policy } }

impl Object for Derived {
    const KIND: &'static str = "settings";

    fn id(&self) -> &'static str {
        POLICY
    }

    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// How far an application has come when it is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    Done,
    UnderWay,
}

/// Has all subscriptions with a product take what it has now.
pub(crate) fn apply(catalog: &Catalog<'_>, product: &str) -> Result<Progress, Error> {
    let product: Product = catalog.load(product, "id")?;
    let application = catalog.begin(What::Product(product.id))?;
    proceed(catalog, &application, AT_ONCE)
}

/// Whether there is something under way, or to begin.
pub(super) fn is_pending(catalog: &Catalog<'_>) -> Result<bool, Error> {
    Ok(policy_before(catalog)? != Some(catalog.policy) || catalog.any(LIST)?)
}

/// Brings what is under way on by so many subscriptions.
pub(super) fn work(catalog: &Catalog<'_>, limit: usize) -> Result<(), Error> {
    notice(catalog)?;
    let first = Range { above: None, below: None, order: Order::Ascending, limit: 1 };
    let applications: Vec<Application> = catalog.list(LIST, first)?;
    match applications.first() {
        None => Ok(()),
        Some(application) => proceed(catalog, application, limit).map(drop),
    }
}

/// Notices that the policy is another one than the sets were derived by, before one is derived by it:
/// whoever it concerns is settled in time.
pub(super) fn notice(catalog: &Catalog<'_>) -> Result<(), Error> {
    let before = policy_before(catalog)?;
    if before == Some(catalog.policy) {
        return Ok(());
    }
    catalog.add(&Derived { policy: catalog.policy })?;
    for status in Status::ALL {
        let same = before.is_some_and(|it| status.grants(it) == status.grants(catalog.policy));
        if !same && catalog.any(&subscription::of_status(status))? {
            catalog.begin(What::Status(status))?;
        }
    }
    Ok(())
}

impl Catalog<'_> {
    fn begin(&self, what: What) -> Result<Application, Error> {
        let id = self.name("app_", 24);
        let application = Application { id, created: self.now, what, done: None };
        self.add(&application)?;
        Ok(application)
    }
}

fn policy_before(catalog: &Catalog<'_>) -> Result<Option<Policy>, Error> {
    Ok(catalog.find::<Derived>(POLICY)?.map(|derived| derived.policy))
}

fn proceed(
    catalog: &Catalog<'_>,
    application: &Application,
    limit: usize,
) -> Result<Progress, Error> {
    let list = match &application.what {
        What::Product(product) => subscription::of_product(product),
        What::Status(status) => subscription::of_status(*status),
    };
    let above = application.done.map(|(at, seq)| Place { at, seq });
    let more = limit.saturating_add(1);
    let range = Range { above, below: None, order: Order::Ascending, limit: more };
    let ahead: Vec<(Place, Subscription)> = catalog.places(&list, range)?;
    let reached = ahead.get(..limit.min(ahead.len())).unwrap_or_default();
    for (_, subscription) in reached {
        match &application.what {
            What::Product(product) => take(catalog, subscription, product)?,
            What::Status(_) => {
                let at = catalog.moment(subscription.clock.as_deref())?;
                settle(catalog, &subscription.customer, at)?;
            }
        }
    }
    match reached.last() {
        Some((place, _)) if ahead.len() > limit => {
            let done = Some((place.at, place.seq));
            let after = Application { done, ..application.clone() };
            catalog.replace(application, &after)?;
            Ok(Progress::UnderWay)
        }
        _ => {
            catalog.remove(application)?;
            Ok(Progress::Done)
        }
    }
}

/// Has the items with a product take what it has now.
fn take(catalog: &Catalog<'_>, before: &Subscription, product: &str) -> Result<(), Error> {
    let now = catalog.moment(before.clock.as_deref())?;
    let before = match before.clock {
        None => &catalog.up_to_date(before.clone(), now)?,
        Some(_) => before,
    };
    if before.status == Status::Incomplete || before.status.is_final() {
        return Ok(());
    }
    let mut after = before.clone();
    for item in after.items.iter_mut().filter(|item| item.product == product) {
        catalog.look(std::slice::from_mut(item))?;
    }
    catalog.keep(Some(before), &after, Kind::SubscriptionUpdated, now)
}
