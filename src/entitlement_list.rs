//! Stripe's list of active entitlements in JSON: the one thing that an event and the list API write
//! the same way.
//!
//! `{"data": [{"id", "feature", "lookup_key"}…], "has_more"}`; what else is in it is skipped, since
//! Stripe adds members without a new API version
//! (<https://docs.stripe.com/api/entitlements/active-entitlement/list>). Where the list comes from,
//! and what follows from it, is not here.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use crate::{
    entitlement::{ActiveEntitlement, SummaryPage},
    id::{self, EntitlementId},
};

/// A list as it is written, not looked at yet.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a list of entitlements")]
pub struct EntitlementList {
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

/// A feature's id: it stands alone, or in the whole feature where that was expanded.
#[derive(Debug)]
struct FeatureRef(String);

// By hand, since serde's untagged enums weigh much in wasm.
impl<'de> Deserialize<'de> for FeatureRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FeatureRefVisitor;

        impl<'de> Visitor<'de> for FeatureRefVisitor {
            type Value = FeatureRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a feature or its id")
            }

            fn visit_str<E>(self, id: &str) -> Result<FeatureRef, E> {
                Ok(FeatureRef(id.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<FeatureRef, M::Error> {
                let mut id = None;
                while let Some(member) = members.next_key::<Cow<'de, str>>()? {
                    if member == "id" {
                        id = Some(members.next_value()?);
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                id.map(FeatureRef).ok_or_else(|| de::Error::missing_field("id"))
            }
        }

        deserializer.deserialize_any(FeatureRefVisitor)
    }
}

/// Why a list is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name in it is none.
    #[error("`data.{member}` is {error}")]
    InvalidId {
        /// Where it stands in an entitlement.
        member: &'static str,
        /// What is wrong with it.
        error: id::Error,
    },
    /// Two entitlements have one id.
    #[error("two entitlements have the id `{0}`")]
    DuplicateId(EntitlementId),
}

impl EntitlementList {
    /// The page that this list is: the whole, or the first of several.
    ///
    /// # Errors
    ///
    /// Names the member that is at fault.
    pub fn into_page(self) -> Result<SummaryPage, Error> {
        let mut data = Vec::with_capacity(self.data.len());
        let named = self.data.into_iter().try_for_each(|item| {
            data.push(item.into_entitlement()?);
            Ok(())
        });
        let mut ids = BTreeSet::new();
        if let Some(again) = data.iter().find(|granted| !ids.insert(&granted.id)) {
            return Err(Error::DuplicateId(again.id.clone()));
        }
        named?;
        Ok(if self.has_more { SummaryPage::Truncated(data) } else { SummaryPage::Complete(data) })
    }
}

impl EntitlementItem {
    fn into_entitlement(self) -> Result<ActiveEntitlement, Error> {
        let FeatureRef(feature) = self.feature;
        Ok(ActiveEntitlement {
            id: parse_id("id", self.id)?,
            feature: parse_id("feature", feature)?,
            lookup_key: parse_id("lookup_key", self.lookup_key)?,
        })
    }
}

fn parse_id<T: TryFrom<String, Error = id::Error>>(
    member: &'static str,
    text: String,
) -> Result<T, Error> {
    T::try_from(text).map_err(|error| Error::InvalidId { member, error })
}
