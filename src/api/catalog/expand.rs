//! An id, or the whole thing: `expand`.
//!
//! <https://docs.stripe.com/api/expanding_objects>. A path names members, from the answer inward;
//! what stands between is expanded too, and a list is gone through.

use serde_json::Value;

use super::super::error::Error;
use crate::catalog::{
    Catalog, Object,
    clock::{Clock, Motion},
    customer::Customer,
    feature::Feature,
    price::Price,
    product::Product,
};

/// The most paths in a request, by Stripe's documentation of their depth and a good measure.
const PATHS: usize = 20;

/// The deepest path, in members, as at Stripe; `data` does not count.
const DEPTH: usize = 4;

/// Puts objects where their ids are.
pub(super) fn expand(
    catalog: &Catalog<'_>,
    shown: &mut Value,
    paths: &[String],
) -> Result<(), Error> {
    if paths.len() > PATHS {
        return Err(refused(&format!("You can expand at most {PATHS} properties.")));
    }
    for path in paths {
        let members: Vec<&str> = path.split('.').collect();
        if members.iter().filter(|member| **member != "data").count() > DEPTH {
            return Err(refused(&format!(
                "You cannot expand more than {DEPTH} levels of a property ({path})."
            )));
        }
        walk(catalog, shown, &members, path)?;
    }
    Ok(())
}

fn walk(
    catalog: &Catalog<'_>,
    shown: &mut Value,
    members: &[&str],
    path: &str,
) -> Result<(), Error> {
    let Some((member, rest)) = members.split_first() else { return Ok(()) };
    // What stands in there are the caller's own words.
    if *member == "metadata" {
        return Err(unexpandable(path));
    }
    match shown {
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| walk(catalog, item, members, path))
        }
        Value::Object(object) => {
            let Some(value) = object.get_mut(*member) else { return Err(unexpandable(path)) };
            if let Value::String(id) = value {
                *value = load(catalog, member, id)?.ok_or_else(|| unexpandable(path))?;
            } else if rest.is_empty() && !value.is_null() && value.get("object").is_none() {
                return Err(unexpandable(path));
            }
            if value.is_null() { Ok(()) } else { walk(catalog, value, rest, path) }
        }
        Value::Null => Ok(()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(unexpandable(path)),
    }
}

/// The object that a member names, if the member names one.
fn load(catalog: &Catalog<'_>, member: &str, id: &str) -> Result<Option<Value>, Error> {
    let livemode = catalog.livemode;
    Ok(match member {
        "customer" => Some(catalog.load::<Customer>(id, "expand")?.shown(livemode)),
        "default_price" | "price" => Some(catalog.load::<Price>(id, "expand")?.shown(livemode)),
        "feature" => Some(catalog.load::<Feature>(id, "expand")?.shown(livemode)),
        "product" => match catalog.find::<Product>(id)? {
            Some(product) => Some(product.shown(livemode)),
            None => Some(super::deleted(id, Product::KIND)),
        },
        "test_clock" => match catalog.find::<Clock>(id)? {
            Some(clock) if clock.motion != Motion::Deleted => Some(clock.shown(livemode)),
            _ => Some(super::deleted(id, "test_helpers.test_clock")),
        },
        _ => None,
    })
}

fn unexpandable(path: &str) -> Error {
    refused(&format!("This property cannot be expanded ({path})."))
}

fn refused(message: &str) -> Error {
    Error::parameter("expand", "parameter_invalid", message)
}
