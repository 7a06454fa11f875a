//! Operations on features: create and update.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/feature>.

use crate::{
    catalog::{
        error::Error,
        objects::feature::{self, Feature},
        storage::IndexRange,
        tx::Tx,
    },
    metadata::{Metadata, MetadataPatch},
};

/// A change of a feature.
#[derive(Debug, Default)]
pub(crate) struct FeatureUpdate {
    pub(crate) active: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) metadata: MetadataPatch,
}

pub(crate) fn create(
    tx: &Tx<'_>,
    lookup_key: String,
    name: String,
    metadata: MetadataPatch,
) -> Result<Feature, Error> {
    let owners: Vec<Feature> =
        tx.list(&feature::index(true, Some(&lookup_key)), IndexRange::newest_first(1))?;
    if let Some(owner) = owners.first() {
        return Err(Error::AlreadyExists {
            param: "lookup_key",
            message: format!(
                "A feature with the lookup_key `{lookup_key}` already exists: {}. Archive it, or use \
                 another key.",
                owner.id
            ),
        });
    }
    let feature = Feature {
        id: tx.new_id_with_mode("feat"),
        created: tx.now,
        active: true,
        lookup_key,
        name,
        metadata: Metadata::default().apply(metadata)?,
    };
    tx.insert(&feature)?;
    Ok(feature)
}

pub(crate) fn update(tx: &Tx<'_>, id: &str, update: FeatureUpdate) -> Result<Feature, Error> {
    let before: Feature = tx.load(id, "id")?;
    if !before.active {
        return Err(Error::InvalidState(format!(
            "The feature '{id}' is archived and cannot be changed. Archiving is permanent."
        )));
    }
    let mut feature = before.clone();
    feature.active = update.active.unwrap_or(true);
    if let Some(name) = update.name {
        feature.name = name;
    }
    feature.metadata = before.metadata.apply(update.metadata)?;
    tx.update(&before, &feature)?;
    Ok(feature)
}
