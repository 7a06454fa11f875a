//! Customers: <https://docs.stripe.com/api/customers>.
//!
//! `id` at creation is ours: who bills elsewhere has names for customers already.

use serde_json::Value;

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
    params::{MAX_STRING_LEN, Passthrough},
};
use crate::catalog::{
    objects::{
        customer::{self, Customer},
        test_clock,
    },
    operations::customers::{self, CustomerPatch},
};

/// The most characters of a customer's address, by Stripe's documentation.
const MAX_EMAIL_LEN: usize = 512;

const PASSTHROUGH: [Passthrough; 9] = [
    Passthrough::Map("address"),
    Passthrough::String("business_name"),
    Passthrough::String("description"),
    Passthrough::String("individual_name"),
    Passthrough::String("invoice_prefix"),
    Passthrough::String("name"),
    Passthrough::String("phone"),
    Passthrough::List("preferred_locales"),
    Passthrough::Map("shipping"),
];

/// What only moves money.
const IGNORED_PARAMS: [&str; 6] =
    ["balance", "cash_balance", "next_invoice_sequence", "tax", "tax_id_data", "validate"];

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let email = visit.params.non_empty("email", MAX_EMAIL_LEN)?;
    let clock = visit.params.non_empty("test_clock", MAX_STRING_LEN)?;
    let page = visit.params.list_query_with_created()?;
    visit.reject_unknown()?;
    if let Some(clock) = &clock {
        test_clock::load(&visit.tx, clock, "test_clock")?;
    }
    let list = customer::index(clock.as_deref(), email.as_deref());
    let livemode = visit.tx.livemode;
    visit.page_response(
        &[list],
        &page,
        |_| true,
        |customer: &Customer| Ok(customer.to_json(livemode)),
    )
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let clock = visit.params.non_empty("test_clock", MAX_STRING_LEN)?;
    let id = visit.params.client_id()?;
    let change = parse_patch(visit)?;
    visit.reject_unknown()?;
    let customer = customers::create(&visit.tx, id, change, clock.as_deref())?;
    Ok(customer.to_json(visit.tx.livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let customer: Customer = visit.tx.load(visit.id(), "id")?;
    Ok(customer.to_json(visit.tx.livemode))
}

pub(super) fn update(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let change = parse_patch(visit)?;
    visit.reject_unknown()?;
    let customer = customers::update(&visit.tx, visit.id(), change)?;
    Ok(customer.to_json(visit.tx.livemode))
}

pub(super) fn delete(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    customers::delete(&visit.tx, visit.id())?;
    Ok(deleted_object(visit.id(), "customer"))
}

fn parse_patch(visit: &mut RequestContext<'_>) -> Result<CustomerPatch, Error> {
    let params = &mut visit.params;
    params.ignore(&IGNORED_PARAMS);
    // The last of these that is given counts, as the most particular one.
    let mut payment_method = None;
    for name in ["source", "default_source", "payment_method"] {
        payment_method = params.bounded_string(name, MAX_STRING_LEN)?.or(payment_method);
    }
    if let Some(mut settings) = params.object("invoice_settings")? {
        payment_method =
            settings.bounded_string("default_payment_method", MAX_STRING_LEN)?.or(payment_method);
        settings.ignore(&["custom_fields", "footer", "rendering_options"]);
        settings.reject_unknown()?;
    }
    let mut details = params.passthrough(&PASSTHROUGH)?;
    let words = ["none", "exempt", "reverse"].map(|word| (word, word));
    if let Some(word) = params.one_of("tax_exempt", &words)? {
        details.insert("tax_exempt".to_owned(), word.into());
    }
    Ok(CustomerPatch {
        email: params.bounded_string("email", MAX_EMAIL_LEN)?,
        payment_method,
        metadata: params.metadata()?,
        passthrough: details,
    })
}
