//! Handlers of payment methods, and of the other lists of a customer that `expand` names.
//!
//! A payment method belongs to the customers and subscriptions that name it. The catalog has no
//! sources and no tax ids, so that their lists are empty.
//!
//! Specification: <https://docs.stripe.com/api/payment_methods>.

use serde_json::Value;

use super::{
    super::{error::Error, page},
    context::RequestContext,
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        self, Tx,
        objects::{
            customer::{self, Customer},
            payment_method,
            subscription::{self, Liveness, MAX_SUBSCRIPTIONS, Subscription},
        },
        storage::IndexRange,
    },
    id::{Livemode, Timestamp},
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
    let customer = customer::load_existing(&context.tx, customer, param)?;
    let methods = methods_of(&context.tx, &customer)?;
    list_methods(context, &methods)
}

fn list_methods(context: &mut RequestContext<'_>, methods: &[Method]) -> Result<Value, Error> {
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
    Ok(context.list_response(&data, has_more))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let method = find_method(&context.tx, context.id())?;
    let method = method.ok_or_else(|| not_found(context.id()))?;
    Ok(method.to_json(context.tx.livemode))
}

pub(super) fn retrieve_for_customer(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let customer = customer::load_existing(&context.tx, context.first_id(), "id")?;
    let mut methods = methods_of(&context.tx, &customer)?.into_iter();
    let method = methods.find(|method| method.id == context.id());
    Ok(method.ok_or_else(|| not_found(context.id()))?.to_json(context.tx.livemode))
}

/// Lists what a customer has none of.
pub(super) fn list_none(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.params.ignore(&["object"]);
    let page = page::take_page(&mut context.params)?;
    context.reject_unknown()?;
    customer::load_existing(&context.tx, context.id(), "id")?;
    page::slice(&page, &[], "object", |(): &()| "")?;
    Ok(context.list_response(&[], false))
}

/// A payment method that a customer or a subscription names.
struct Method {
    id: String,
    customer: Option<String>,
    created: Timestamp,
}

impl Method {
    fn to_json(&self, livemode: Livemode) -> Value {
        payment_method::to_json(&self.id, self.customer.as_deref(), self.created, livemode)
    }
}

/// The payment methods of a customer, newest first, each once.
fn methods_of(tx: &Tx<'_>, customer: &Customer) -> Result<Vec<Method>, Error> {
    let index = subscription::customer_index(&customer.id, Liveness::Any);
    let subscriptions: Vec<Subscription> =
        tx.list(&index, IndexRange::newest_first(MAX_SUBSCRIPTIONS))?;
    let own = customer.payment_method.as_ref().map(|id| (id, customer.created));
    let others =
        subscriptions.iter().filter_map(|it| it.payment_method.as_ref().map(|id| (id, it.created)));
    let mut methods: Vec<Method> = Vec::new();
    for (id, created) in others.chain(own) {
        if !methods.iter().any(|method| method.id == *id) {
            methods.push(Method { id: id.clone(), customer: Some(customer.id.clone()), created });
        }
    }
    Ok(methods)
}

/// The payment method with an id: of its newest owner, or one of Stripe's test methods.
fn find_method(tx: &Tx<'_>, id: &str) -> Result<Option<Method>, Error> {
    let newest = IndexRange::newest_first(1);
    let customers: Vec<Customer> = tx.list(&customer::payment_method_index(id), newest)?;
    let subscriptions: Vec<Subscription> =
        tx.list(&subscription::payment_method_index(id), newest)?;
    let owners = customers.iter().map(|it| (it.created, &it.id));
    let owner = owners.chain(subscriptions.iter().map(|it| (it.created, &it.customer))).max();
    Ok(match owner {
        Some((created, customer)) => {
            Some(Method { id: id.to_owned(), customer: Some(customer.clone()), created })
        }
        None if tx.livemode == Livemode::Test && payment_method::is_test_method(id) => {
            Some(Method { id: id.to_owned(), customer: None, created: tx.now })
        }
        None => None,
    })
}

fn not_found(id: &str) -> Error {
    catalog::Error::not_found(payment_method::TYPE, id, "id").into()
}
