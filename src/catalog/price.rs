//! A price: how often a product is paid for. How much is only kept to be shown again.
//!
//! <https://docs.stripe.com/api/prices>

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Catalog, Cycle, Error, Object,
    event::{self, Kind},
    metadata::{self, Metadata},
    product::Product,
    shelf::{Entry, Range},
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
};

/// A price.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Price {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) active: bool,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: Option<i64>,
    /// None for what is paid once.
    pub(crate) recurring: Option<Recurring>,
    pub(crate) lookup_key: Option<String>,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) details: Map<String, Value>,
}

readable! {
    struct Price {
        id, created, active, product, currency, unit_amount, recurring, lookup_key, metadata,
        details,
    }
}

/// How often a price is paid.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Recurring {
    pub(crate) cycle: Cycle,
    pub(crate) trial_period_days: Option<u32>,
    pub(crate) usage_type: String,
    pub(crate) meter: Option<String>,
}

readable! { struct Recurring { cycle, trial_period_days, usage_type, meter } }

/// Which prices a list has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) product: Option<&'a str>,
    pub(crate) lookup_key: Option<&'a str>,
    pub(crate) active: Option<bool>,
}

/// The list of those prices. One that names a key does not look at the product.
pub(crate) fn list(filter: Filter<'_>) -> String {
    let state = match filter.active {
        None => "",
        Some(true) => " active",
        Some(false) => " inactive",
    };
    match filter {
        Filter { lookup_key: Some(key), .. } => format!("prices{state} key={key}"),
        Filter { product: Some(product), .. } => format!("prices{state} product={product}"),
        _ => format!("prices{state}"),
    }
}

impl Object for Price {
    const KIND: &'static str = "price";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        let key = self.lookup_key.as_deref();
        let mut entries = Vec::new();
        for active in [None, Some(self.active)] {
            let filter = Filter { active, ..Filter::default() };
            let lists = [
                Some(filter),
                Some(Filter { product: Some(&self.product), ..filter }),
                key.map(|key| Filter { lookup_key: Some(key), ..filter }),
            ];
            let lists = lists.into_iter().flatten();
            entries.extend(lists.map(|filter| Entry::new(list(filter), self.created)));
        }
        entries
    }
}

impl Price {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        let recurring = self.recurring.as_ref().map(|recurring| {
            json!({
                "interval": recurring.cycle.interval,
                "interval_count": recurring.cycle.count,
                "meter": recurring.meter,
                "trial_period_days": recurring.trial_period_days,
                "usage_type": recurring.usage_type,
            })
        });
        let mut shown = json!({
            "id": self.id,
            "object": "price",
            "active": self.active,
            "billing_scheme": "per_unit",
            "created": self.created,
            "currency": self.currency,
            "custom_unit_amount": null,
            "livemode": bool::from(livemode),
            "lookup_key": self.lookup_key,
            "metadata": self.metadata,
            "nickname": null,
            "product": self.product,
            "recurring": recurring,
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": if self.recurring.is_some() { "recurring" } else { "one_time" },
            "unit_amount": self.unit_amount,
            "unit_amount_decimal": self.unit_amount.map(|amount| amount.to_string()),
        });
        event::overlay(&mut shown, &self.details);
        shown
    }
}

impl Price {
    /// As Stripe shows it in the items of subscriptions: under the name and in the form of before
    /// there were prices. <https://docs.stripe.com/api/plans/object>
    pub(crate) fn plan(&self, livemode: Livemode) -> Value {
        let recurring = self.recurring.as_ref();
        json!({
            "id": self.id,
            "object": "plan",
            "active": self.active,
            "amount": self.unit_amount,
            "amount_decimal": self.unit_amount.map(|amount| amount.to_string()),
            "billing_scheme": "per_unit",
            "created": self.created,
            "currency": self.currency,
            "interval": recurring.map(|recurring| recurring.cycle.interval),
            "interval_count": recurring.map(|recurring| recurring.cycle.count),
            "livemode": bool::from(livemode),
            "metadata": self.metadata,
            "meter": recurring.and_then(|recurring| recurring.meter.as_deref()),
            "nickname": self.details.get("nickname"),
            "product": self.product,
            "tiers_mode": null,
            "transform_usage": null,
            "trial_period_days": recurring.and_then(|recurring| recurring.trial_period_days),
            "usage_type": recurring.map(|recurring| &recurring.usage_type),
        })
    }
}

/// A price to be.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) active: Option<bool>,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) recurring: Option<Recurring>,
    pub(crate) lookup_key: Key,
    pub(crate) metadata: metadata::Change,
    pub(crate) details: Map<String, Value>,
}

/// What a request does about the lookup key.
#[derive(Debug, Default)]
pub(crate) enum Key {
    #[default]
    Keep,
    Clear,
    /// Takes a key that no other active price has.
    Take(String),
    /// Takes it from whoever has it.
    Transfer(String),
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) active: Option<bool>,
    pub(crate) lookup_key: Key,
    pub(crate) metadata: metadata::Change,
    pub(crate) details: Map<String, Value>,
}

pub(crate) fn create(catalog: &Catalog<'_>, new: New) -> Result<Price, Error> {
    let product: Product = catalog.load(&new.product, "product")?;
    let lookup_key = keyed(catalog, None, new.lookup_key, None)?;
    let price = Price {
        id: catalog.name("price_1", 23),
        created: catalog.now,
        active: new.active.unwrap_or(true),
        product: product.id,
        currency: new.currency,
        unit_amount: new.unit_amount,
        recurring: new.recurring,
        lookup_key,
        metadata: Metadata::default().changed(new.metadata)?,
        details: new.details,
    };
    catalog.add(&price)?;
    catalog.emit(Kind::PriceCreated, price.shown(catalog.livemode), None)?;
    Ok(price)
}

pub(crate) fn update(catalog: &Catalog<'_>, id: &str, update: Update) -> Result<Price, Error> {
    let before: Price = catalog.load(id, "id")?;
    let mut price = before.clone();
    price.active = update.active.unwrap_or(before.active);
    // A key that was free while the price was not active may be another's by now.
    let key = match (update.lookup_key, &before.lookup_key) {
        (Key::Keep, Some(key)) if price.active && !before.active => Key::Take(key.clone()),
        (key, _) => key,
    };
    price.lookup_key = keyed(catalog, Some(id), key, before.lookup_key.clone())?;
    price.metadata = before.metadata.changed(update.metadata)?;
    price.details.extend(update.details);
    let (old, new) = (before.shown(catalog.livemode), price.shown(catalog.livemode));
    catalog.replace(&before, &price)?;
    catalog.emit_change(Kind::PriceUpdated, &old, new)?;
    Ok(price)
}

/// The key that a price has after a request.
fn keyed(
    catalog: &Catalog<'_>,
    id: Option<&str>,
    key: Key,
    before: Option<String>,
) -> Result<Option<String>, Error> {
    let (key, transfers) = match key {
        Key::Keep => return Ok(before),
        Key::Clear => return Ok(None),
        Key::Take(key) => (key, false),
        Key::Transfer(key) => (key, true),
    };
    let held = Filter { lookup_key: Some(&key), active: Some(true), ..Filter::default() };
    let holders: Vec<Price> = catalog.list(&list(held), Range::newest(2))?;
    if let Some(holder) = holders.iter().find(|holder| Some(holder.id.as_str()) != id) {
        if !transfers {
            return Err(Error::parameter(
                "lookup_key",
                format!(
                    "A price ({}) already uses that lookup key. You can transfer it with \
                     transfer_lookup_key=true.",
                    holder.id
                ),
            ));
        }
        let robbed = Price { lookup_key: None, ..holder.clone() };
        let (old, new) = (holder.shown(catalog.livemode), robbed.shown(catalog.livemode));
        catalog.replace(holder, &robbed)?;
        catalog.emit_change(Kind::PriceUpdated, &old, new)?;
    }
    Ok(Some(key))
}
