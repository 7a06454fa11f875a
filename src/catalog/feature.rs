//! A feature: something that a product can include.
//!
//! <https://docs.stripe.com/api/entitlements/feature>. Its `lookup_key` never changes, and is unique
//! among the features that are not archived; archiving is for good, frees the key, and takes nothing
//! from those who have the feature.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Catalog, Error, Object,
    metadata::{self, Metadata},
    shelf::Entry,
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
};

/// A feature.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Feature {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) active: bool,
    pub(crate) lookup_key: String,
    pub(crate) name: String,
    pub(crate) metadata: Metadata,
}

readable! { struct Feature { id, created, active, lookup_key, name, metadata } }

impl Object for Feature {
    const KIND: &'static str = "feature";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        [list(self.active, None), list(self.active, Some(&self.lookup_key))]
            .map(|list| Entry::new(list, self.created))
            .into()
    }
}

/// The list of features that are archived or not, of one key or all.
pub(crate) fn list(active: bool, lookup_key: Option<&str>) -> String {
    let state = if active { "active" } else { "archived" };
    match lookup_key {
        None => format!("features {state}"),
        Some(key) => format!("features {state} key={key}"),
    }
}

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) active: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) metadata: metadata::Change,
}

impl Feature {
    /// As Stripe shows it.
    pub(crate) fn shown(&self, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "entitlements.feature",
            "active": self.active,
            "livemode": bool::from(livemode),
            "lookup_key": self.lookup_key,
            "metadata": self.metadata,
            "name": self.name,
        })
    }
}

pub(crate) fn create(
    catalog: &Catalog<'_>,
    lookup_key: String,
    name: String,
    metadata: metadata::Change,
) -> Result<Feature, Error> {
    let holders: Vec<Feature> =
        catalog.list(&list(true, Some(&lookup_key)), super::shelf::Range::newest(1))?;
    if let Some(holder) = holders.first() {
        return Err(Error::Exists {
            param: "lookup_key",
            message: format!(
                "A feature with the lookup_key `{lookup_key}` exists already: {}. Archive it, or take \
                 another key.",
                holder.id
            ),
        });
    }
    let feature = Feature {
        id: catalog.name_with_mode("feat"),
        created: catalog.now,
        active: true,
        lookup_key,
        name,
        metadata: Metadata::default().changed(metadata)?,
    };
    catalog.add(&feature)?;
    Ok(feature)
}

pub(crate) fn update(catalog: &Catalog<'_>, id: &str, update: Update) -> Result<Feature, Error> {
    let before: Feature = catalog.load(id, "id")?;
    if !before.active {
        return Err(Error::State(format!(
            "The feature '{id}' is archived, which is for good: it cannot be changed any more."
        )));
    }
    let mut feature = before.clone();
    feature.active = update.active.unwrap_or(true);
    if let Some(name) = update.name {
        feature.name = name;
    }
    feature.metadata = before.metadata.changed(update.metadata)?;
    catalog.replace(&before, &feature)?;
    Ok(feature)
}
