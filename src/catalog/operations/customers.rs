//! Operations on customers: create, update and delete.
//!
//! Specification: <https://docs.stripe.com/api/customers>.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::{
            emit::{emit, emit_update},
            payments, transitions,
        },
        error::Error,
        objects::{customer::Customer, event::EventType, subscription, test_clock},
        operations::subscriptions::cancel,
        tx::Tx,
    },
    id::Timestamp,
    metadata::{Metadata, MetadataPatch},
};

/// The members of a customer in a request.
#[derive(Debug, Default)]
pub(crate) struct CustomerPatch {
    pub(crate) email: Option<String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

pub(crate) fn create(
    tx: &Tx<'_>,
    id: Option<String>,
    patch: CustomerPatch,
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
        email: patch.email.filter(|email| !email.is_empty()),
        test_clock: clock.map(str::to_owned),
        payment_method: patch.payment_method.filter(|method| !method.is_empty()),
        metadata: Metadata::default().apply(patch.metadata)?,
        passthrough: patch.passthrough,
        deleted: false,
    };
    tx.insert(&customer)?;
    emit(tx, EventType::CustomerCreated, customer.to_json(tx.livemode), None)?;
    Ok(customer)
}

pub(crate) fn update(tx: &Tx<'_>, id: &str, patch: CustomerPatch) -> Result<Customer, Error> {
    let (before, now) = transitions::load_current_customer(tx, id, "id")?;
    let mut customer = before.clone();
    if let Some(email) = patch.email {
        customer.email = Some(email).filter(|email| !email.is_empty());
    }
    let retries_payment = patch.payment_method.is_some();
    if let Some(method) = patch.payment_method {
        customer.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    customer.metadata = before.metadata.apply(patch.metadata)?;
    customer.passthrough.extend(patch.passthrough);
    let (previous, current) = (before.to_json(tx.livemode), customer.to_json(tx.livemode));
    tx.update(&before, &customer)?;
    emit_update(tx, EventType::CustomerUpdated, &previous, current)?;
    if retries_payment {
        payments::retry_payments_of(tx, &customer, now)?;
    }
    Ok(customer)
}

/// Deletes a customer: cancels its subscriptions, and thereby removes its entitlements.
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
