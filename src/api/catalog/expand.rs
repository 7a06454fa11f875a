//! The `expand` parameter: replaces ids in a response with their objects.
//!
//! A path names members, from the response inward. Members along the path are expanded too. In a
//! list, every element is expanded.
//!
//! Specification: <https://docs.stripe.com/api/expanding_objects>.

use serde_json::Value;

use super::{
    super::error::{Error, excerpt},
    context::deleted_object,
};
use crate::catalog::{
    Tx,
    objects::{
        customer::Customer,
        feature::Feature,
        price::Price,
        product::Product,
        test_clock::{ClockState, TestClock},
    },
    repository::Entity as _,
};

/// The most paths in a request. Stripe documents the depth only; this limit bounds the reads.
const MAX_PATHS: usize = 20;

/// The deepest path, in members, as at Stripe. `data` does not count.
const MAX_DEPTH: usize = 4;

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
    // Metadata is the caller's own data, not ids of objects.
    if *member == "metadata" {
        return Err(not_expandable(path));
    }
    match value {
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| expand_path(tx, item, members, path))
        }
        Value::Object(object) => {
            let Some(value) = object.get_mut(*member) else { return Err(not_expandable(path)) };
            if let Value::String(id) = value {
                *value = load_referenced(tx, member, id)?.ok_or_else(|| not_expandable(path))?;
            } else if rest.is_empty() && !value.is_null() && value.get("object").is_none() {
                return Err(not_expandable(path));
            }
            if value.is_null() { Ok(()) } else { expand_path(tx, value, rest, path) }
        }
        Value::Null => Ok(()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(not_expandable(path)),
    }
}

/// Loads the object that a member refers to. `None` if the member is not a reference.
fn load_referenced(tx: &Tx<'_>, member: &str, id: &str) -> Result<Option<Value>, Error> {
    let livemode = tx.livemode;
    Ok(match member {
        "customer" => Some(tx.load::<Customer>(id, "expand")?.to_json(livemode)),
        "default_price" | "price" => Some(tx.load::<Price>(id, "expand")?.to_json(livemode)),
        "feature" => Some(tx.load::<Feature>(id, "expand")?.to_json(livemode)),
        "product" => match tx.find::<Product>(id)? {
            Some(product) => Some(product.to_json(livemode)),
            None => Some(deleted_object(id, Product::TYPE)),
        },
        "test_clock" => match tx.find::<TestClock>(id)? {
            Some(clock) if clock.state != ClockState::Deleted => Some(clock.to_json(livemode)),
            _ => Some(deleted_object(id, "test_helpers.test_clock")),
        },
        _ => None,
    })
}

fn not_expandable(path: &str) -> Error {
    invalid_expand(&format!("This property cannot be expanded ({}).", excerpt(path)))
}

fn invalid_expand(message: &str) -> Error {
    Error::parameter("expand", "parameter_invalid", message)
}
