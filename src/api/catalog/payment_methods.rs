//! Handlers of payment methods, and of the other lists of a customer that `expand` names.
//!
//! A payment method belongs to the customers and subscriptions that name it. The catalog has no
//! sources and no tax ids, so that their lists are empty.
//!
//! Specification: <https://docs.stripe.com/api/payment_methods>.

use serde_json::Value;

use super::{
    super::{error::Error, page},
    context::{RequestContext, list_object},
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        Tx,
        objects::{
            customer,
            payment_method::{self, PaymentMethod},
            subscription::{self, Liveness, MAX_SUBSCRIPTIONS, Subscription},
        },
        storage::IndexRange,
    },
    id::Timestamp,
};

/// The type of every payment method.
const CARD: &str = "card";

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = context.params.non_empty("customer", MAX_STRING_LEN)?;
    match customer {
        Some(customer) => list_of_customer(context, &customer, "customer"),
        // A payment method without a customer is not stored.
        None => list_methods(context, &[]),
    }
}

pub(super) fn list_for_customer(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let customer = context.id().to_owned();
    list_of_customer(context, &customer, "id")
}

fn list_of_customer(
    context: &mut RequestContext<'_>,
    customer: &str,
    param: &str,
) -> Result<Value, Error> {
    let methods = methods_of(&context.tx, customer, param)?;
    list_methods(context, &methods)
}

fn list_methods(
    context: &mut RequestContext<'_>,
    methods: &[PaymentMethod],
) -> Result<Value, Error> {
    let r#type = context.params.non_empty("type", MAX_STRING_LEN)?;
    context.params.ignore(&["allow_redisplay"]);
    let page = page::take_page(&mut context.params)?;
    context.reject_unknown()?;
    let is_card = r#type.is_none_or(|r#type| r#type == CARD);
    let methods = if is_card { methods } else { &[] };
    let (methods, has_more) =
        page::slice(&page, methods, payment_method::TYPE, |method| method.id.as_str())?;
    let livemode = context.tx.livemode;
    let data: Vec<_> = methods.iter().map(|method| method.to_json(livemode)).collect();
    Ok(list_object(data, has_more, context.path))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let method = payment_method::load(&context.tx, context.id())?;
    Ok(method.to_json(context.tx.livemode))
}

pub(super) fn retrieve_for_customer(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let methods = methods_of(&context.tx, context.first_id(), "id")?;
    let method = methods.iter().find(|method| method.id == context.id());
    let method = method.ok_or_else(|| payment_method::not_found(context.id()))?;
    Ok(method.to_json(context.tx.livemode))
}

/// Lists what a customer has none of.
pub(super) fn list_none(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.params.ignore(&["object"]);
    customer::load_existing(&context.tx, context.id(), "id")?;
    list_methods(context, &[])
}

/// The payment methods of a customer, newest first, each once.
fn methods_of(tx: &Tx<'_>, customer: &str, param: &str) -> Result<Vec<PaymentMethod>, Error> {
    let customer = customer::load_existing(tx, customer, param)?;
    let index = subscription::customer_index(&customer.id, Liveness::Any);
    let subscriptions: Vec<Subscription> =
        tx.list(&index, IndexRange::newest_first(MAX_SUBSCRIPTIONS))?;
    let mut methods: Vec<PaymentMethod> = Vec::new();
    let mut add = |id: &Option<String>, created: Timestamp| {
        if let Some(id) = id.as_ref().filter(|id| !methods.iter().any(|it| it.id == **id)) {
            let (id, customer) = (id.clone(), Some(customer.id.clone()));
            methods.push(PaymentMethod { id, customer, created });
        }
    };
    for subscription in &subscriptions {
        add(&subscription.payment_method, subscription.created);
    }
    add(&customer.payment_method, customer.created);
    Ok(methods)
}
