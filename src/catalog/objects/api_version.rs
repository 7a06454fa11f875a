//! Versions of Stripe's API, and how older ones render the objects of the catalog.
//!
//! Objects are rendered as of [`LATEST`]. [`ApiVersion::convert()`] rewrites the JSON for an older
//! version. As at Stripe, only changes that could break a client depend on the version; members that
//! were added later are rendered in every version.
//!
//! | before            | object       | difference                                              |
//! |-------------------|--------------|---------------------------------------------------------|
//! | 2023-08-16        | product      | `attributes`, always empty                              |
//! | 2024-04-10        | product      | `features` is the name of `marketing_features`          |
//! | 2025-03-31.basil  | subscription | `current_period_start` and `current_period_end`, `discount` |
//! | 2025-03-31.basil  | price, plan  | `aggregate_usage`                                       |
//!
//! Versions before 2022-11-15 are rendered like that one. Events are not converted here: an event
//! has the version with which it was sent.
//!
//! Specification: <https://docs.stripe.com/api/versioning>, <https://docs.stripe.com/changelog>.

use serde_json::{Map, Value};

use crate::{
    catalog::objects::json::{previous_attributes, restore_previous},
    source::API_VERSION,
};

/// The version of the objects as the catalog renders them.
pub(crate) const LATEST: &str = API_VERSION;

/// The first version in which products have no attributes.
/// <https://docs.stripe.com/changelog/2023-08-16>
const NO_PRODUCT_ATTRIBUTES: &str = "2023-08-16";

/// The first version with the name `marketing_features`.
/// <https://docs.stripe.com/changelog/2024-04-10>
const MARKETING_FEATURES: &str = "2024-04-10";

/// The first version in which each item of a subscription has its own period.
/// <https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-subscription-current-period-start-and-end>
const ITEM_PERIODS: &str = "2025-03-31";

/// The length of the date at the start of a version.
const DATE_LEN: usize = "2022-11-15".len();

/// A version that a client or an endpoint asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ApiVersion(String);

impl ApiVersion {
    /// The latest version.
    pub(crate) fn latest() -> Self {
        Self(LATEST.to_owned())
    }

    /// Parses a version: a date, since 2024 with the name of the release, and perhaps previews:
    /// `2022-11-15`, `2026-10-28.endive`, `2025-03-31.preview; a_preview=v1`.
    pub(crate) fn parse(version: &str) -> Option<Self> {
        let mut parts = version.split(';').map(str::trim);
        let release = parts.next()?;
        let (date, name) = release.split_once('.').unwrap_or((release, "none"));
        let is_preview = |preview: &str| {
            preview.split_once('=').is_some_and(|(name, version)| {
                is_name(name) && version.strip_prefix('v').is_some_and(is_number)
            })
        };
        let is_valid = is_date(date) && is_name(name) && parts.all(is_preview);
        is_valid.then(|| Self(version.trim().to_owned()))
    }

    /// The version as it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn is_before(&self, date: &str) -> bool {
        self.0.get(..DATE_LEN).is_some_and(|own| own < date)
    }

    /// Whether the marketing features of a product are named `features`.
    pub(crate) fn names_marketing_features_features(&self) -> bool {
        self.is_before(MARKETING_FEATURES)
    }

    /// The parameters of customers and subscriptions that later versions do not have. They only
    /// affect payments.
    pub(crate) fn removed_params(&self) -> &'static [&'static str] {
        if self.is_before(ITEM_PERIODS) { &["coupon", "promotion_code"] } else { &[] }
    }

    /// Rewrites rendered JSON as this version renders it.
    pub(crate) fn convert(&self, rendered: &mut Value) {
        // The latest of the changes. Most clients have a newer version.
        if self.is_before(ITEM_PERIODS) {
            self.convert_older(rendered);
        }
    }

    /// Rewrites the object of an event and its `previous_attributes` as this version renders them.
    pub(crate) fn convert_change(&self, object: &mut Value, attributes: &mut Option<Value>) {
        if !self.is_before(ITEM_PERIODS) {
            return;
        }
        let mut previous = object.clone();
        self.convert_older(object);
        if let Some(attributes) = attributes {
            restore_previous(&mut previous, attributes);
            self.convert_older(&mut previous);
            *attributes = previous_attributes(&previous, object).unwrap_or_default();
        }
    }

    fn convert_older(&self, rendered: &mut Value) {
        match rendered {
            Value::Array(items) => items.iter_mut().for_each(|item| self.convert_older(item)),
            Value::Object(members) => {
                match members.get("object").and_then(Value::as_str) {
                    Some("event") => return,
                    Some("subscription") => add_period(members),
                    Some("plan") => add_null(members, "aggregate_usage"),
                    Some("price") => {
                        if let Some(Value::Object(recurring)) = members.get_mut("recurring") {
                            add_null(recurring, "aggregate_usage");
                        }
                    }
                    Some("product") if self.names_marketing_features_features() => {
                        let renamed = std::mem::take(members).into_iter().map(|(name, value)| {
                            let is_renamed = name == "marketing_features";
                            (if is_renamed { "features".to_owned() } else { name }, value)
                        });
                        members.extend(renamed);
                        if self.is_before(NO_PRODUCT_ATTRIBUTES) {
                            members.insert("attributes".to_owned(), Value::Array(Vec::new()));
                        }
                    }
                    _ => {}
                }
                let nested = members.iter_mut().filter(|(name, _)| *name != "metadata");
                nested.for_each(|(_, member)| self.convert_older(member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Adds the period of the item whose period ends first, as at Stripe.
fn add_period(subscription: &mut Map<String, Value>) {
    let items = subscription.get("items").and_then(|items| items.get("data")?.as_array());
    let end = |item: &&Value| item.get("current_period_end").and_then(Value::as_i64);
    let first = items.and_then(|items| items.iter().min_by_key(end));
    let period = ["current_period_start", "current_period_end"]
        .map(|name| (name.to_owned(), first.and_then(|item| item.get(name)).cloned()));
    let period = period.into_iter().map(|(name, time)| (name, time.unwrap_or_default()));
    subscription.extend(period);
    add_null(subscription, "discount");
}

fn add_null(members: &mut Map<String, Value>, name: &str) {
    members.insert(name.to_owned(), Value::Null);
}

/// Whether a string is a date: `2022-11-15`.
fn is_date(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let is_within = |part: &str, last: u64| {
        part.len() == 2
            && is_number(part)
            && part.parse::<u64>().is_ok_and(|it| (1..=last).contains(&it))
    };
    year.len() == 4 && is_number(year) && is_within(month, 12) && is_within(day, 31)
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !part.is_empty() && part.bytes().all(is_letter)
}
