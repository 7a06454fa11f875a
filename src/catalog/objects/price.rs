//! A price: the billing cycle of a product. Amounts are only stored and returned.
//!
//! Specification: <https://docs.stripe.com/api/prices>.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        objects::{calendar::BillingCycle, json::merge_into},
        repository::Entity,
        storage::IndexEntry,
    },
    id::{Livemode, Timestamp},
    json::json_type,
    metadata::Metadata,
};

json_type! {
    /// A price.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Price {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) active: bool,
        pub(crate) product: String,
        pub(crate) currency: String,
        pub(crate) unit_amount: Option<i64>,
        /// `None` for a one-time price.
        pub(crate) recurring: Option<Recurring>,
        pub(crate) lookup_key: Option<String>,
        pub(crate) metadata: Metadata,
        /// Members that are stored only to be returned.
        pub(crate) passthrough: Map<String, Value>,
    }

    /// The recurrence of a price.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Recurring {
        pub(crate) billing_cycle: BillingCycle,
        pub(crate) trial_period_days: Option<u32>,
        pub(crate) usage_type: String,
        pub(crate) meter: Option<String>,
    }
}

/// Selects an index of prices.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PriceFilter<'a> {
    pub(crate) product: Option<&'a str>,
    pub(crate) lookup_key: Option<&'a str>,
    pub(crate) active: Option<bool>,
}

/// The index of the selected prices. A filter with a lookup key ignores the product.
pub(crate) fn index(filter: PriceFilter<'_>) -> String {
    let state = match filter.active {
        None => "",
        Some(true) => " active",
        Some(false) => " inactive",
    };
    match filter {
        PriceFilter { lookup_key: Some(key), .. } => format!("prices{state} key={key}"),
        PriceFilter { product: Some(product), .. } => format!("prices{state} product={product}"),
        _ => format!("prices{state}"),
    }
}

impl Entity for Price {
    const TYPE: &'static str = "price";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let key = self.lookup_key.as_deref();
        let mut entries = Vec::new();
        for active in [None, Some(self.active)] {
            let filter = PriceFilter { active, ..PriceFilter::default() };
            let indexes = [
                Some(filter),
                Some(PriceFilter { product: Some(&self.product), ..filter }),
                key.map(|key| PriceFilter { lookup_key: Some(key), ..filter }),
            ];
            let indexes = indexes.into_iter().flatten();
            entries.extend(indexes.map(|filter| IndexEntry::new(index(filter), self.created)));
        }
        entries
    }
}

impl Price {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        let recurring = self.recurring.as_ref().map(|recurring| {
            json!({
                "interval": recurring.billing_cycle.interval,
                "interval_count": recurring.billing_cycle.count,
                "meter": recurring.meter,
                "trial_period_days": recurring.trial_period_days,
                "usage_type": recurring.usage_type,
            })
        });
        let mut rendered = json!({
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
            "type": self.type_name(),
            "unit_amount": self.unit_amount,
            "unit_amount_decimal": self.amount_decimal(),
        });
        merge_into(&mut rendered, &self.passthrough);
        rendered
    }

    /// The amount in the smallest unit of the currency, perhaps with decimal places.
    pub(crate) fn amount_decimal(&self) -> Option<String> {
        let decimal = self.passthrough.get("unit_amount_decimal").and_then(Value::as_str);
        let integer = self.unit_amount.map(|amount| amount.to_string());
        decimal.map(str::to_owned).or(integer)
    }

    /// Stripe's `type`.
    pub(crate) fn type_name(&self) -> &'static str {
        if self.recurring.is_some() { "recurring" } else { "one_time" }
    }

    /// The price as Stripe's older plan object, for the items of subscriptions.
    /// <https://docs.stripe.com/api/plans/object>
    pub(crate) fn to_plan_json(&self, livemode: Livemode) -> Value {
        let recurring = self.recurring.as_ref();
        json!({
            "id": self.id,
            "object": "plan",
            "active": self.active,
            "amount": self.unit_amount,
            "amount_decimal": self.amount_decimal(),
            "billing_scheme": "per_unit",
            "created": self.created,
            "currency": self.currency,
            "interval": recurring.map(|recurring| recurring.billing_cycle.interval),
            "interval_count": recurring.map(|recurring| recurring.billing_cycle.count),
            "livemode": bool::from(livemode),
            "metadata": self.metadata,
            "meter": recurring.and_then(|recurring| recurring.meter.as_deref()),
            "nickname": self.passthrough.get("nickname"),
            "product": self.product,
            "tiers_mode": null,
            "transform_usage": null,
            "trial_period_days": recurring.and_then(|recurring| recurring.trial_period_days),
            "usage_type": recurring.map(|recurring| &recurring.usage_type),
        })
    }
}
