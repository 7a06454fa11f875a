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
    entitlement::{ActiveEntitlement, Page},
    id::{self, EntitlementId},
};

/// A list as it is written, not looked at yet.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a list of entitlements")]
pub struct List {
    data: Vec<Item>,
    has_more: bool,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an entitlement")]
struct Item {
    id: String,
    feature: Feature,
    lookup_key: String,
}

/// A feature's id: it stands alone, or in the whole feature where that was expanded.
#[derive(Debug)]
struct Feature(String);

// By hand, since serde's untagged enums weigh much in wasm.
impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdOrObject;

        impl<'de> Visitor<'de> for IdOrObject {
            type Value = Feature;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a feature or its id")
            }

            fn visit_str<E>(self, id: &str) -> Result<Feature, E> {
                Ok(Feature(id.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Feature, M::Error> {
                let mut id = None;
                while let Some(member) = members.next_key::<Cow<'de, str>>()? {
                    if member == "id" {
                        id = Some(members.next_value()?);
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                id.map(Feature).ok_or_else(|| de::Error::missing_field("id"))
            }
        }

        deserializer.deserialize_any(IdOrObject)
    }
}

/// Why a list is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name in it is none.
    #[error("`data.{member}` is {error}")]
    Name {
        /// Where it stands in an entitlement.
        member: &'static str,
        /// What is wrong with it.
        error: id::Error,
    },
    /// Two entitlements have one id.
    #[error("two entitlements have the id `{0}`")]
    Repeated(EntitlementId),
}

impl List {
    /// The page that this list is: the whole, or the first of several.
    ///
    /// # Errors
    ///
    /// Names the member that is at fault.
    pub fn page(self) -> Result<Page, Error> {
        let mut data = Vec::with_capacity(self.data.len());
        let named = self.data.into_iter().try_for_each(|item| {
            data.push(item.entitlement()?);
            Ok(())
        });
        let mut ids = BTreeSet::new();
        if let Some(again) = data.iter().find(|granted| !ids.insert(&granted.id)) {
            return Err(Error::Repeated(again.id.clone()));
        }
        named?;
        Ok(if self.has_more { Page::First(data) } else { Page::Whole(data) })
    }
}

impl Item {
    fn entitlement(self) -> Result<ActiveEntitlement, Error> {
        let Feature(feature) = self.feature;
        Ok(ActiveEntitlement {
            id: name("id", self.id)?,
            feature: name("feature", feature)?,
            lookup_key: name("lookup_key", self.lookup_key)?,
        })
    }
}

fn name<T: TryFrom<String, Error = id::Error>>(
    member: &'static str,
    text: String,
) -> Result<T, Error> {
    T::try_from(text).map_err(|error| Error::Name { member, error })
}
