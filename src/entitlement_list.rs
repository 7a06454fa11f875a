//! Stripe's list of active entitlements in JSON, which events and the list API encode the same way.
//!
//! `{"data": [{"id", "feature", "lookup_key"}…], "has_more"}`; other members are ignored, since
//! Stripe adds some without a new API version. The request for the list and the effect of the list
//! are not here.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement/list>.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use crate::{
    entitlement::{ActiveEntitlement, SummaryPage},
    id::{EntitlementId, InvalidMember, parse_member},
    json::object::deserialize_objects,
};

/// A decoded list whose ids are not validated yet.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a list of entitlements")]
pub struct EntitlementList {
    #[serde(deserialize_with = "deserialize_objects")]
    data: Vec<EntitlementItem>,
    has_more: bool,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an entitlement")]
struct EntitlementItem {
    id: String,
    feature: FeatureRef,
    lookup_key: String,
}

/// The feature of an entitlement: its id, or the feature as an object with that id.
#[derive(Debug)]
enum FeatureRef {
    Id(String),
    Object { id: String },
}

// Implemented by hand: serde's untagged enums add much code to the wasm.
impl<'de> Deserialize<'de> for FeatureRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FeatureRefVisitor;

        impl<'de> Visitor<'de> for FeatureRefVisitor {
            type Value = FeatureRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a feature or its id")
            }

            fn visit_str<E>(self, id: &str) -> Result<FeatureRef, E> {
                Ok(FeatureRef::Id(id.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<FeatureRef, M::Error> {
                let mut id = None;
                while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
                    if name == "id" {
                        id = Some(fields.next_value()?);
                    } else {
                        fields.next_value::<IgnoredAny>()?;
                    }
                }
                let id = id.ok_or_else(|| de::Error::missing_field("id"))?;
                Ok(FeatureRef::Object { id })
            }
        }

        deserializer.deserialize_any(FeatureRefVisitor)
    }
}

/// Why a list is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id in the list is not valid.
    #[error(transparent)]
    InvalidId(#[from] InvalidMember),
    /// Two entitlements have the same id.
    #[error("two entitlements have the id `{0}`")]
    DuplicateId(EntitlementId),
}

impl EntitlementList {
    /// Whether the list has a feature as an object. Parsing does not reject duplicate members of one.
    #[must_use]
    pub fn has_feature_object(&self) -> bool {
        self.data.iter().any(|item| matches!(item.feature, FeatureRef::Object { .. }))
    }

    /// Validates the ids.
    ///
    /// # Errors
    ///
    /// Names the first member that is not valid.
    pub fn into_page(self) -> Result<SummaryPage, Error> {
        let mut data = Vec::with_capacity(self.data.len());
        let validated = self.data.into_iter().try_for_each(|item| {
            data.push(item.into_entitlement()?);
            Ok::<_, InvalidMember>(())
        });
        let mut ids = BTreeSet::new();
        // A duplicate before the first invalid id is the first error of the list.
        if let Some(duplicate) = data.iter().find(|entitlement| !ids.insert(&entitlement.id)) {
            return Err(Error::DuplicateId(duplicate.id.clone()));
        }
        validated?;
        Ok(if self.has_more { SummaryPage::Truncated(data) } else { SummaryPage::Complete(data) })
    }
}

impl EntitlementItem {
    fn into_entitlement(self) -> Result<ActiveEntitlement, InvalidMember> {
        let (FeatureRef::Id(feature) | FeatureRef::Object { id: feature }) = self.feature;
        Ok(ActiveEntitlement {
            id: parse_member("data.id", self.id)?,
            feature: parse_member("data.feature", feature)?,
            lookup_key: parse_member("data.lookup_key", self.lookup_key)?,
        })
    }
}
