//! A customer: who subscribes, and holds entitlements.
//!
//! <https://docs.stripe.com/api/customers>. A deleted one is remembered by its id.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Catalog, Error, Object, amendment,
    event::{self, Kind},
    interruption,
    metadata::{self, Metadata},
    shelf::{Entry, Range},
    subscription::{self, Subscription},
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
};

/// The most subscriptions of one customer, as at Stripe. All of them are read when one changes.
pub(crate) const SUBSCRIPTIONS: usize = 500;

/// A customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) email: Option<String>,
    /// The test clock that the customer lives by.
    pub(crate) clock: Option<String>,
    /// How the customer pays, if that is known.
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) details: Map<String, Value>,
    pub(crate) deleted: bool,
}

readable! {
    struct Customer {
        id, created, email, clock, payment_method, metadata, details, deleted,
    }
}

impl Object for Customer {
    const KIND: &'static str = "customer";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        if self.deleted {
            return Vec::new();
        }
        let clock = self.clock.as_deref();
        let email = self.email.as_deref();
        let lists = [Some(list(clock, None)), email.map(|email| list(clock, Some(email)))];
        lists.into_iter().flatten().map(|list| Entry::new(list, self.created)).collect()
    }
}

/// The list of the customers on a test clock, or on none; of one address, or all.
pub(crate) fn list(clock: Option<&str>, email: Option<&str>) -> String {
    let clock = clock.unwrap_or_default();
    match email {
        None => format!("customers clock={clock}"),
        Some(email) => format!("customers clock={clock} email={email}"),
    }
}

/// What a request says of a customer.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) email: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: metadata::Change,
    pub(crate) details: Map<String, Value>,
}

impl Customer {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        let mut shown = json!({
            "id": self.id,
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": self.created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": null,
            "email": self.email,
            "invoice_settings": {
                "custom_fields": null,
                "default_payment_method": self.payment_method,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": bool::from(livemode),
            "metadata": self.metadata,
            "name": null,
            "phone": null,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": self.clock,
        });
        event::overlay(&mut shown, &self.details);
        shown
    }
}

impl Catalog<'_> {
    /// A customer who was not deleted.
    pub(crate) fn present(&self, id: &str, param: &str) -> Result<Customer, Error> {
        let customer: Customer = self.load(id, param)?;
        if customer.deleted {
            let (kind, id, param) = (Customer::KIND, id.to_owned(), param.to_owned());
            return Err(Error::NoSuch { kind, id, param });
        }
        Ok(customer)
    }

    /// A customer who can be dealt with: present, not on a test clock that is under way, and with all
    /// that was due.
    pub(crate) fn customer(&self, id: &str, param: &str) -> Result<(Customer, Timestamp), Error> {
        let customer = self.present(id, param)?;
        self.bring_up_to_date(&customer)?;
        let now = self.time(customer.clock.as_deref())?;
        Ok((customer, now))
    }

    /// All subscriptions of a customer that are not over, oldest first.
    pub(crate) fn subscriptions_of(&self, customer: &str) -> Result<Vec<Subscription>, Error> {
        let live = subscription::of_customer(customer, subscription::Group::Live);
        let mut subscriptions: Vec<Subscription> =
            self.list(&live, Range::newest(SUBSCRIPTIONS))?;
        subscriptions.reverse();
        Ok(subscriptions)
    }
}

pub(crate) fn create(
    catalog: &Catalog<'_>,
    id: Option<String>,
    change: Change,
    clock: Option<&str>,
) -> Result<Customer, Error> {
    let created = catalog.time(clock)?;
    let id = id.unwrap_or_else(|| catalog.name("cus_", 14));
    if catalog.find::<Customer>(&id)?.is_some() {
        return Err(Error::Exists { param: "id", message: "Customer already exists.".to_owned() });
    }
    let customer = Customer {
        id,
        created,
        email: change.email.filter(|email| !email.is_empty()),
        clock: clock.map(str::to_owned),
        payment_method: change.payment_method.filter(|method| !method.is_empty()),
        metadata: Metadata::default().changed(change.metadata)?,
        details: change.details,
        deleted: false,
    };
    catalog.add(&customer)?;
    catalog.emit(Kind::CustomerCreated, customer.shown(catalog.livemode), None)?;
    Ok(customer)
}

pub(crate) fn update(catalog: &Catalog<'_>, id: &str, change: Change) -> Result<Customer, Error> {
    let (before, now) = catalog.customer(id, "id")?;
    let mut customer = before.clone();
    if let Some(email) = change.email {
        customer.email = Some(email).filter(|email| !email.is_empty());
    }
    let pays_anew = change.payment_method.is_some();
    if let Some(method) = change.payment_method {
        customer.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    customer.metadata = before.metadata.changed(change.metadata)?;
    customer.details.extend(change.details);
    let (old, new) = (before.shown(catalog.livemode), customer.shown(catalog.livemode));
    catalog.replace(&before, &customer)?;
    catalog.emit_change(Kind::CustomerUpdated, &old, new)?;
    if pays_anew {
        amendment::pay_anew(catalog, &customer, now)?;
    }
    Ok(customer)
}

/// Deletes a customer: subscriptions are canceled, and with them goes what they granted.
pub(crate) fn delete(catalog: &Catalog<'_>, id: &str) -> Result<(), Error> {
    let (customer, now) = catalog.customer(id, "id")?;
    remove(catalog, &customer, now)
}

pub(super) fn remove(
    catalog: &Catalog<'_>,
    before: &Customer,
    now: Timestamp,
) -> Result<(), Error> {
    for subscription in catalog.subscriptions_of(&before.id)? {
        interruption::end(catalog, &subscription, now)?;
    }
    catalog.replace(before, &Customer { deleted: true, ..before.clone() })?;
    catalog.emit(Kind::CustomerDeleted, before.shown(catalog.livemode), None)
}
