//! Customers: <https://docs.stripe.com/api/customers>.
//!
//! `id` at creation is ours: who bills elsewhere has names for customers already.

use serde_json::Value;

use super::{
    super::error::Error,
    Visit, deleted,
    fields::{Detail, TEXT},
};
use crate::catalog::customer::{self, Change, Customer};

/// The most characters of a customer's address, by Stripe's documentation.
const EMAIL: usize = 512;

const DETAILS: [Detail; 9] = [
    Detail::Map("address"),
    Detail::Text("business_name"),
    Detail::Text("description"),
    Detail::Text("individual_name"),
    Detail::Text("invoice_prefix"),
    Detail::Text("name"),
    Detail::Text("phone"),
    Detail::List("preferred_locales"),
    Detail::Map("shipping"),
];

/// What only moves money.
const MONEY: [&str; 6] =
    ["balance", "cash_balance", "next_invoice_sequence", "tax", "tax_id_data", "validate"];

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let email = visit.params.filled("email", EMAIL)?;
    let clock = visit.params.filled("test_clock", TEXT)?;
    let page = visit.params.page_by_date()?;
    visit.finish()?;
    if let Some(clock) = &clock {
        visit.catalog.clock(clock, "test_clock")?;
    }
    let list = customer::list(clock.as_deref(), email.as_deref());
    let livemode = visit.catalog.livemode;
    visit.page(&[list], &page, |_| true, |customer: &Customer| Ok(customer.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let clock = visit.params.filled("test_clock", TEXT)?;
    let id = visit.params.own_id()?;
    let change = change(visit)?;
    visit.finish()?;
    let customer = customer::create(&visit.catalog, id, change, clock.as_deref())?;
    Ok(customer.shown(visit.catalog.livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let customer: Customer = visit.catalog.load(visit.id(), "id")?;
    Ok(customer.shown(visit.catalog.livemode))
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let change = change(visit)?;
    visit.finish()?;
    let customer = customer::update(&visit.catalog, visit.id(), change)?;
    Ok(customer.shown(visit.catalog.livemode))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    customer::delete(&visit.catalog, visit.id())?;
    Ok(deleted(visit.id(), "customer"))
}

fn change(visit: &mut Visit<'_>) -> Result<Change, Error> {
    let params = &mut visit.params;
    params.ignore(&MONEY);
    // The last of these that is given counts, as the most particular one.
    let mut payment_method = None;
    for name in ["source", "default_source", "payment_method"] {
        payment_method = params.string(name, TEXT)?.or(payment_method);
    }
    if let Some(mut settings) = params.map("invoice_settings")? {
        payment_method = settings.string("default_payment_method", TEXT)?.or(payment_method);
        settings.ignore(&["custom_fields", "footer", "rendering_options"]);
        settings.finish()?;
    }
    let mut details = params.details(&DETAILS)?;
    let words = ["none", "exempt", "reverse"].map(|word| (word, word));
    if let Some(word) = params.one_of("tax_exempt", &words)? {
        details.insert("tax_exempt".to_owned(), word.into());
    }
    Ok(Change {
        email: params.string("email", EMAIL)?,
        payment_method,
        metadata: params.metadata()?,
        details,
    })
}
