//! A customer: who subscribes, and holds entitlements.
//!
//! <https://docs.stripe.com/api/customers>. A deleted one is remembered by its id.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        Error, Tx,
        objects::{
            event::{self, EventType},
            metadata::{self, Metadata},
            subscription::{self, Subscription},
        },
        operations::subscriptions::{cancel as interruption, update as amendment},
        repository::Entity,
        storage::{IndexEntry, IndexRange},
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// The most subscriptions of one customer, as at Stripe. All of them are read when one changes.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 500;

/// A customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) email: Option<String>,
    /// The test clock that the customer lives by.
    pub(crate) test_clock: Option<String>,
    /// How the customer pays, if that is known.
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) passthrough: Map<String, Value>,
    pub(crate) deleted: bool,
}

impl_from_json! {
    struct Customer {
        id, created, email, test_clock, payment_method, metadata, passthrough, deleted,
    }
}

impl Entity for Customer {
    const TYPE: &'static str = "customer";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        if self.deleted {
            return Vec::new();
        }
        let clock = self.test_clock.as_deref();
        let email = self.email.as_deref();
        let lists = [Some(index(clock, None)), email.map(|email| index(clock, Some(email)))];
        lists.into_iter().flatten().map(|list| IndexEntry::new(list, self.created)).collect()
    }
}

/// The list of the customers on a test clock, or on none; of one address, or all.
pub(crate) fn index(clock: Option<&str>, email: Option<&str>) -> String {
    let clock = clock.unwrap_or_default();
    match email {
        None => format!("customers clock={clock}"),
        Some(email) => format!("customers clock={clock} email={email}"),
    }
}

/// What a request says of a customer.
#[derive(Debug, Default)]
pub(crate) struct CustomerPatch {
    pub(crate) email: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

impl Customer {
    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
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
            "test_clock": self.test_clock,
        });
        event::merge_into(&mut shown, &self.passthrough);
        shown
    }
}

impl Tx<'_> {
    /// A customer who was not deleted.
    pub(crate) fn load_existing_customer(&self, id: &str, param: &str) -> Result<Customer, Error> {
        let customer: Customer = self.load(id, param)?;
        if customer.deleted {
            let (kind, id, param) = (Customer::TYPE, id.to_owned(), param.to_owned());
            return Err(Error::NotFound { kind, id, param });
        }
        Ok(customer)
    }

    /// A customer who can be dealt with: present, not on a test clock that is under way, and with all
    /// that was due.
    pub(crate) fn load_current_customer(
        &self,
        id: &str,
        param: &str,
    ) -> Result<(Customer, Timestamp), Error> {
        let customer = self.load_existing_customer(id, param)?;
        self.apply_due(&customer)?;
        let now = self.writable_now(customer.test_clock.as_deref())?;
        Ok((customer, now))
    }

    /// All subscriptions of a customer that are not over, oldest first.
    pub(crate) fn live_subscriptions_of(&self, customer: &str) -> Result<Vec<Subscription>, Error> {
        let live = subscription::customer_index(customer, subscription::Liveness::Live);
        let mut subscriptions: Vec<Subscription> =
            self.list(&live, IndexRange::newest_first(MAX_SUBSCRIPTIONS))?;
        subscriptions.reverse();
        Ok(subscriptions)
    }
}

pub(crate) fn create(
    catalog: &Tx<'_>,
    id: Option<String>,
    change: CustomerPatch,
    clock: Option<&str>,
) -> Result<Customer, Error> {
    let created = catalog.writable_now(clock)?;
    let id = id.unwrap_or_else(|| catalog.new_id("cus_", 14));
    if catalog.find::<Customer>(&id)?.is_some() {
        return Err(Error::AlreadyExists {
            param: "id",
            message: "Customer already exists.".to_owned(),
        });
    }
    let customer = Customer {
        id,
        created,
        email: change.email.filter(|email| !email.is_empty()),
        test_clock: clock.map(str::to_owned),
        payment_method: change.payment_method.filter(|method| !method.is_empty()),
        metadata: Metadata::default().apply(change.metadata)?,
        passthrough: change.passthrough,
        deleted: false,
    };
    catalog.insert(&customer)?;
    catalog.emit(EventType::CustomerCreated, customer.to_json(catalog.livemode), None)?;
    Ok(customer)
}

pub(crate) fn update(catalog: &Tx<'_>, id: &str, change: CustomerPatch) -> Result<Customer, Error> {
    let (before, now) = catalog.load_current_customer(id, "id")?;
    let mut customer = before.clone();
    if let Some(email) = change.email {
        customer.email = Some(email).filter(|email| !email.is_empty());
    }
    let pays_anew = change.payment_method.is_some();
    if let Some(method) = change.payment_method {
        customer.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    customer.metadata = before.metadata.apply(change.metadata)?;
    customer.passthrough.extend(change.passthrough);
    let (old, new) = (before.to_json(catalog.livemode), customer.to_json(catalog.livemode));
    catalog.update(&before, &customer)?;
    catalog.emit_update(EventType::CustomerUpdated, &old, new)?;
    if pays_anew {
        amendment::retry_payments_of(catalog, &customer, now)?;
    }
    Ok(customer)
}

/// Deletes a customer: subscriptions are canceled, and with them goes what they granted.
pub(crate) fn delete(catalog: &Tx<'_>, id: &str) -> Result<(), Error> {
    let (customer, now) = catalog.load_current_customer(id, "id")?;
    delete_loaded(catalog, &customer, now)
}

pub(crate) fn delete_loaded(
    catalog: &Tx<'_>,
    before: &Customer,
    now: Timestamp,
) -> Result<(), Error> {
    for subscription in catalog.live_subscriptions_of(&before.id)? {
        interruption::cancel_loaded(catalog, &subscription, now)?;
    }
    catalog.update(before, &Customer { deleted: true, ..before.clone() })?;
    catalog.emit(EventType::CustomerDeleted, before.to_json(catalog.livemode), None)
}
