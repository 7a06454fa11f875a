//! Where the Durable Objects of the deployment live.
//!
//! | setting                 | effect                                                                      |
//! |-------------------------|-----------------------------------------------------------------------------|
//! | `ENTGATE_JURISDICTION`  | objects run and are stored there only; other objects than without it        |
//! | `ENTGATE_LOCATION_HINT` | where an object is created, if possible; counts at its first use only        |
//!
//! KV has no jurisdiction. Its keys begin with the jurisdiction, so that the replicas of two jurisdictions
//! never mix.
//!
//! Specification: <https://developers.cloudflare.com/durable-objects/reference/data-location/>.

use super::{
    names::{JURISDICTION, LOCATION_HINT},
    value::Error,
};
use crate::id::CustomerKey;

/// The jurisdictions that Cloudflare documents, each with the prefix of its keys in KV.
const JURISDICTIONS: [(&str, &str); 3] = [("eu", "eu:"), ("us", "us:"), ("fedramp", "fedramp:")];

/// The location hints that Cloudflare documents.
const LOCATION_HINTS: [&str; 11] =
    ["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"];

/// Where the Durable Objects of the deployment live. By default Cloudflare decides.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Placement {
    jurisdiction: Option<&'static str>,
    key_prefix: &'static str,
    location_hint: Option<&'static str>,
}

impl Placement {
    /// Parses both settings.
    pub(super) fn parse(
        jurisdiction: Option<String>,
        location_hint: Option<String>,
    ) -> Result<Self, Error> {
        let mut placement = Self::default();
        let jurisdiction = jurisdiction.unwrap_or_default();
        if !jurisdiction.is_empty() {
            let known = JURISDICTIONS.into_iter().find(|(name, _)| *name == jurisdiction);
            let problem = "is none of `eu`, `us` and `fedramp`";
            let (name, prefix) = known.ok_or(Error { name: JURISDICTION, problem })?;
            (placement.jurisdiction, placement.key_prefix) = (Some(name), prefix);
        }
        let location_hint = location_hint.unwrap_or_default();
        if !location_hint.is_empty() {
            let known = LOCATION_HINTS.into_iter().find(|hint| *hint == location_hint);
            let problem = "is none of `wnam`, `enam`, `sam`, `weur`, `eeur`, `apac`, `apac-ne`, `apac-se`, \
                           `oc`, `afr` and `me`";
            placement.location_hint = Some(known.ok_or(Error { name: LOCATION_HINT, problem })?);
        }
        Ok(placement)
    }

    /// The jurisdiction, if there is one.
    #[must_use]
    pub fn jurisdiction(&self) -> Option<&'static str> {
        self.jurisdiction
    }

    /// The location hint, if there is one.
    #[must_use]
    pub fn location_hint(&self) -> Option<&'static str> {
        self.location_hint
    }

    /// The prefix of every key of the replica: empty without a jurisdiction.
    #[must_use]
    pub fn key_prefix(&self) -> &'static str {
        self.key_prefix
    }

    /// The key of a customer's record in the replica.
    #[must_use]
    pub fn replica_key(&self, customer: &CustomerKey) -> String {
        [self.key_prefix, &customer.to_key()].concat()
    }
}
