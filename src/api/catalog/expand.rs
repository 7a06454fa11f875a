//! The `expand` parameter: replaces ids in a response with their objects.
//!
//! A path names members, from the response inward. Objects along the path are expanded too. In a
//! list, every element is expanded. Which properties can be expanded is in [`expandable`].
//!
//! Specification: <https://docs.stripe.com/api/expanding_objects>.

use serde_json::{Map, Value};

use super::{
    super::error::{Error, excerpt},
    context::{deleted_object, list_object},
    expandable::{self, Target},
};
use crate::{
    catalog::{
        Tx,
        objects::{
            customer::Customer,
            feature::Feature,
            payment_method,
            price::Price,
            product::Product,
            status::Status,
            subscription::{self, Liveness, Subscription},
            subscription_json,
            test_clock::{ClockState, TestClock},
        },
        page::{CreatedRange, ListConditions, ListQuery},
        repository::Entity as _,
    },
    id::Timestamp,
    json,
    pagination::{Cursor, PageRequest},
};

/// The most paths in a request. Stripe documents the depth only; this limit bounds the reads.
const MAX_PATHS: usize = 20;

/// The deepest path, in members, as at Stripe. `data` does not count.
const MAX_DEPTH: usize = 4;

/// The number of subscriptions in an expanded customer, as at Stripe.
const SUBSCRIPTIONS_LIMIT: usize = 10;

/// How a customer without a location is taxed.
const TAX: &str = r#"{
    "automatic_tax": "unrecognized_location",
    "ip_address": null,
    "location": null,
    "provider": "stripe"
}"#;

/// Expands the paths in a rendered response.
pub(super) fn expand(tx: &Tx<'_>, value: &mut Value, paths: &[String]) -> Result<(), Error> {
    if paths.len() > MAX_PATHS {
        return Err(invalid_expand(&format!("You can expand at most {MAX_PATHS} properties.")));
    }
    for path in paths {
        let members: Vec<&str> = path.split('.').collect();
        if members.iter().filter(|member| **member != "data").count() > MAX_DEPTH {
            return Err(invalid_expand(&format!(
                "You cannot expand more than {MAX_DEPTH} levels of a property ({}).",
                excerpt(path)
            )));
        }
        expand_path(tx, value, &members, path)?;
    }
    Ok(())
}

fn expand_path(tx: &Tx<'_>, value: &mut Value, members: &[&str], path: &str) -> Result<(), Error> {
    let Some((member, rest)) = members.split_first() else { return Ok(()) };
    match value {
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| expand_path(tx, item, members, path))
        }
        Value::Object(object) => {
            let object_type = object.get("object").and_then(Value::as_str).unwrap_or_default();
            if let Some((count, target)) = expandable::find(object_type, members) {
                let (own, rest) = members.split_at_checked(count).unwrap_or((members, &[]));
                return expand_property(tx, object, target, own, rest, path);
            }
            let is_data = matches!(object_type, "list" | "search_result") && *member == "data";
            let embedded = object.get_mut(*member).filter(|embedded| {
                // Metadata is the caller's own data.
                is_data || *member != "metadata" && embedded.get("object").is_some()
            });
            expand_path(tx, embedded.ok_or_else(|| not_expandable(path))?, rest, path)
        }
        Value::Null => Ok(()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(not_expandable(path)),
    }
}

/// Expands the property `own` of an object, and then `rest` in it.
fn expand_property(
    tx: &Tx<'_>,
    object: &mut Map<String, Value>,
    target: Target,
    own: &[&str],
    rest: &[&str],
    path: &str,
) -> Result<(), Error> {
    // A deleted object has no properties.
    if object.contains_key("deleted") {
        return Ok(());
    }
    let owner = Owner::new(object);
    if target == Target::CurrencyOptions {
        let options = currency_options(object);
        object.insert(own.concat(), options);
    }
    let Some(property) = property_mut(object, own) else { return Ok(()) };
    match property {
        Value::String(id) => {
            if let Some(loaded) = load_referenced(tx, target, id, &owner)? {
                *property = loaded;
            }
        }
        Value::Null => *property = render_included(tx, target, own, &owner)?,
        _ => {}
    }
    let is_unknown = |r#type| !rest.is_empty() && expandable::find(r#type, rest).is_none();
    match target {
        Target::Elsewhere => Ok(()),
        Target::CurrencyOptions if rest == ["tiers"] => Ok(()),
        _ if property.is_null() && target.object_type().is_some_and(is_unknown) => {
            Err(not_expandable(path))
        }
        _ => expand_path(tx, property, rest, path),
    }
}

/// A property, which becomes `null` if it is absent. `None` if a member before it is `null` or a
/// list: nothing is there to be expanded.
fn property_mut<'a>(object: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Value> {
    let (name, parents) = path.split_last()?;
    let mut parent = object;
    for name in parents {
        parent = parent.get_mut(*name)?.as_object_mut()?;
    }
    Some(parent.entry(*name).or_insert(Value::Null))
}

/// What an expanded property needs to know of its object.
struct Owner {
    id: String,
    /// The customer that the object is or belongs to.
    customer: Option<String>,
    created: Timestamp,
}

impl Owner {
    fn new(object: &Map<String, Value>) -> Self {
        let string = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let id = string(object.get("id")).unwrap_or_default();
        let customer = match object.get("customer") {
            Some(Value::Object(customer)) => string(customer.get("id")),
            Some(customer) => string(Some(customer)),
            None => Some(id.clone()),
        };
        let created = object.get("created").and_then(Value::as_i64).unwrap_or_default();
        Self { id, customer, created: Timestamp(created) }
    }
}

/// The amount of a price, as the option of its only currency.
fn currency_options(price: &Map<String, Value>) -> Value {
    let mut option = Map::new();
    for name in ["custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal"] {
        option.insert(name.to_owned(), price.get(name).cloned().unwrap_or_default());
    }
    let currency = price.get("currency").and_then(Value::as_str).unwrap_or_default();
    let mut options = Map::new();
    options.insert(currency.to_owned(), Value::Object(option));
    Value::Object(options)
}

/// Loads the object that a property refers to. `None` if the catalog does not have it.
fn load_referenced(
    tx: &Tx<'_>,
    target: Target,
    id: &str,
    owner: &Owner,
) -> Result<Option<Value>, Error> {
    let livemode = tx.livemode;
    Ok(match target {
        Target::Customer => Some(tx.load::<Customer>(id, "expand")?.to_json(livemode)),
        Target::Price => Some(tx.load::<Price>(id, "expand")?.to_json(livemode)),
        Target::Feature => Some(tx.load::<Feature>(id, "expand")?.to_json(livemode)),
        Target::PaymentMethod => {
            let customer = owner.customer.as_deref();
            Some(payment_method::to_json(id, customer, owner.created, livemode))
        }
        Target::Product => match tx.find::<Product>(id)? {
            Some(product) => Some(product.to_json(livemode)),
            None => Some(deleted_object(id, Product::TYPE)),
        },
        Target::TestClock => match tx.find::<TestClock>(id)? {
            Some(clock) if clock.state != ClockState::Deleted => Some(clock.to_json(livemode)),
            _ => Some(deleted_object(id, "test_helpers.test_clock")),
        },
        Target::Elsewhere
        | Target::Subscriptions
        | Target::EmptyList
        | Target::EmptyMap
        | Target::Tax
        | Target::CurrencyOptions => None,
    })
}

/// Renders a property that a response has only if it is expanded. `null` for any other property.
fn render_included(
    tx: &Tx<'_>,
    target: Target,
    own: &[&str],
    owner: &Owner,
) -> Result<Value, Error> {
    let list = |data: Vec<Value>, has_more: bool| {
        list_object(data, has_more, &format!("/v1/customers/{}/{}", owner.id, own.concat()))
    };
    Ok(match target {
        Target::Subscriptions => {
            let query = ListQuery {
                page: PageRequest { limit: SUBSCRIPTIONS_LIMIT, cursor: Cursor::Start },
                created: CreatedRange::default(),
            };
            let conditions = ListConditions {
                is_listed: &|it: &Subscription| it.status != Status::Canceled,
                ..ListConditions::default()
            };
            let index = subscription::customer_index(&owner.id, Liveness::Any);
            let render = |it: &Subscription| subscription_json::to_json(tx, it);
            let (data, has_more) = conditions.list_page(tx, &[index], &query, &render)?;
            list(data, has_more)
        }
        Target::EmptyList => list(Vec::new(), false),
        Target::EmptyMap => Value::Object(Map::new()),
        Target::Tax => json::from_slice(TAX.as_bytes()).unwrap_or_default(),
        Target::CurrencyOptions
        | Target::Customer
        | Target::Feature
        | Target::PaymentMethod
        | Target::Price
        | Target::Product
        | Target::TestClock
        | Target::Elsewhere => Value::Null,
    })
}

fn not_expandable(path: &str) -> Error {
    invalid_expand(&format!("This property cannot be expanded ({}).", excerpt(path)))
}

fn invalid_expand(message: &str) -> Error {
    Error::parameter("expand", "parameter_invalid", message)
}
