//! Handlers of `/v1/customers`.
//!
//! The parameter `id` at creation is an extension, for operators whose customers already have ids
//! in another system.
//!
//! Specification: <https://docs.stripe.com/api/customers>.

use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    context::{RequestContext, deleted_object},
    params::{MAX_STRING_LEN, Passthrough},
};
use crate::catalog::{
    objects::{
        customer::{self, Customer},
        test_clock,
    },
    operations::customers::{self, CustomerPatch},
    page::ListConditions,
};

/// The most characters of an email address, by Stripe's documentation.
const MAX_EMAIL_LEN: usize = 512;

const PASSTHROUGH: [Passthrough; 9] = [
    Passthrough::Address("address"),
    Passthrough::String("business_name"),
    Passthrough::String("description"),
    Passthrough::String("individual_name"),
    Passthrough::String("invoice_prefix"),
    Passthrough::String("name"),
    Passthrough::String("phone"),
    Passthrough::List("preferred_locales"),
    Passthrough::Shipping("shipping"),
];

/// Parameters that only affect payments: accepted and ignored.
const IGNORED_PARAMS: [&str; 6] =
    ["balance", "cash_balance", "next_invoice_sequence", "tax", "tax_id_data", "validate"];

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let email = context.params.non_empty("email", MAX_EMAIL_LEN)?;
    let clock = context.params.non_empty("test_clock", MAX_STRING_LEN)?;
    let page = context.params.list_query_with_created()?;
    context.reject_unknown()?;
    if let Some(clock) = &clock {
        test_clock::load(&context.tx, clock, "test_clock")?;
    }
    let index = customer::index(clock.as_deref(), email.as_deref());
    let livemode = context.tx.livemode;
    context.page_response(
        &[index],
        &page,
        &ListConditions {
            belongs: &|it: &Customer| it.test_clock == clock,
            ..ListConditions::default()
        },
        &|customer: &Customer| Ok(customer.to_json(livemode)),
    )
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let clock = context.params.non_empty("test_clock", MAX_STRING_LEN)?;
    let id = context.params.client_id()?;
    let patch = parse_patch(context)?;
    context.reject_unknown()?;
    let customer = customers::create(&context.tx, id, patch, clock.as_deref())?;
    Ok(customer.to_json(context.tx.livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let customer: Customer = context.tx.load(context.id(), "id")?;
    Ok(customer.to_json(context.tx.livemode))
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let patch = parse_patch(context)?;
    context.reject_unknown()?;
    let customer = customers::update(&context.tx, context.id(), patch)?;
    Ok(customer.to_json(context.tx.livemode))
}

pub(super) fn delete(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    customers::delete(&context.tx, context.id())?;
    Ok(deleted_object(context.id(), "customer"))
}

fn parse_patch(context: &mut RequestContext<'_>) -> Result<CustomerPatch, Error> {
    let params = &mut context.params;
    params.ignore(&IGNORED_PARAMS);
    params.ignore(context.version.removed_params());
    // The last of these parameters wins, because it is the most specific.
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
    let mut passthrough = params.passthrough(&PASSTHROUGH)?;
    let literals = ["none", "exempt", "reverse"].map(|literal| (literal, literal));
    if let Some(literal) = params.one_of("tax_exempt", &literals)? {
        passthrough.insert("tax_exempt".to_owned(), literal.into());
    }
    Ok(CustomerPatch {
        email: parse_email(params)?,
        payment_method,
        metadata: params.metadata()?,
        passthrough,
    })
}

/// Takes an email address. An empty one clears the member.
fn parse_email(params: &mut Params) -> Result<Option<String>, Error> {
    let email = params.bounded_string("email", MAX_EMAIL_LEN)?;
    match &email {
        Some(email) if !email.is_empty() && !is_email(email) => {
            let message = format!("Invalid email address: {email}");
            Err(Error::parameter("email", "email_invalid", message))
        }
        _ => Ok(email),
    }
}

/// Whether a string has the form of an email address: `local@domain`, and the domain has a dot.
/// Stripe does not document its rule; it rejects `ada@localhost`, and spaces around an address.
fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let is_separator = |character: char| {
        character.is_whitespace() || character.is_control() || r#"<>()[],;:\"@"#.contains(character)
    };
    let is_label = |label: &str| {
        let is_letter = |character: char| character.is_alphanumeric() || "-_".contains(character);
        !label.is_empty()
            && label.chars().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty()
        && !local.contains(is_separator)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}
