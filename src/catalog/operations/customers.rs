//! Operations on customers: create, update and delete.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::{
            emit::{emit, emit_update},
            payments, transitions,
        },
        error::Error,
        objects::{
            customer::Customer,
            event::EventType,
            metadata::{self, Metadata},
            subscription, test_clock,
        },
        operations::subscriptions::cancel,
        tx::Tx,
    },
    id::Timestamp,
};

/// What a request says of a customer.
#[derive(Debug, Default)]
pub(crate) struct CustomerPatch {
    pub(crate) email: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

pub(crate) fn create(
    tx: &Tx<'_>,
    id: Option<String>,
    change: CustomerPatch,
    clock: Option<&str>,
) -> Result<Customer, Error> {
    let created = test_clock::writable_now(tx, clock)?;
    let id = id.unwrap_or_else(|| tx.new_id("cus_", 14));
    if tx.find::<Customer>(&id)?.is_some() {
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
    tx.insert(&customer)?;
    emit(tx, EventType::CustomerCreated, customer.to_json(tx.livemode), None)?;
    Ok(customer)
}

pub(crate) fn update(tx: &Tx<'_>, id: &str, change: CustomerPatch) -> Result<Customer, Error> {
    let (before, now) = transitions::load_current_customer(tx, id, "id")?;
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
    let (old, new) = (before.to_json(tx.livemode), customer.to_json(tx.livemode));
    tx.update(&before, &customer)?;
    emit_update(tx, EventType::CustomerUpdated, &old, new)?;
    if pays_anew {
        payments::retry_payments_of(tx, &customer, now)?;
    }
    Ok(customer)
}

/// Deletes a customer: subscriptions are canceled, and with them goes what they granted.
pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), Error> {
    let (customer, now) = transitions::load_current_customer(tx, id, "id")?;
    delete_loaded(tx, &customer, now)
}

pub(crate) fn delete_loaded(tx: &Tx<'_>, before: &Customer, now: Timestamp) -> Result<(), Error> {
    for subscription in subscription::list_live(tx, &before.id)? {
        cancel::cancel_loaded(tx, &subscription, now)?;
    }
    tx.update(before, &Customer { deleted: true, ..before.clone() })?;
    emit(tx, EventType::CustomerDeleted, before.to_json(tx.livemode), None)
}
