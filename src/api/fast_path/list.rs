//! Answers Stripe's list from the columns of a record. Strings are copied without being decoded.

use crate::{
    api::{active_entitlements::LIST_PATH, page},
    entitlement::Version,
    id::{EntitlementId, Livemode, Timestamp},
    pagination::{Cursor, PageRequest},
    store::{
        ServedBy,
        record::columns::{Columns, GrantRef, parse_complete_set},
    },
};

/// A page of Stripe's list, and the headers that describe the set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FastList {
    /// The page, as JSON.
    pub body: String,
    /// `Entgate-Version`.
    pub version: Version,
    /// `Entgate-As-Of`.
    pub as_of: Timestamp,
    /// `Entgate-Served-By`.
    pub served_by: ServedBy,
}

/// The parameters of a page, not parsed yet.
#[derive(Default, Eq, PartialEq)]
pub(super) struct RawPageParams<'a> {
    pub(super) limit: Option<&'a str>,
    pub(super) starting_after: Option<&'a str>,
    pub(super) ending_before: Option<&'a str>,
}

impl RawPageParams<'_> {
    /// Parses the parameters. `None` if one of them is invalid.
    pub(super) fn to_request(&self) -> Option<PageRequest<EntitlementId>> {
        let limit = match self.limit.map(str::parse) {
            None => page::DEFAULT_LIMIT,
            Some(Ok(limit @ 1..=page::MAX_LIMIT)) => usize::try_from(limit).ok()?,
            Some(_) => return None,
        };
        let cursor = Cursor::from_params(self.starting_after, self.ending_before)?;
        PageRequest { limit, cursor }.try_map(|id, _| EntitlementId::try_from(*id)).ok()
    }
}

/// Answers a page from a record. `None` if the record is incomplete or does not contain the cursor.
pub(super) fn answer_list(
    page: &PageRequest<EntitlementId>,
    livemode: Livemode,
    record: &[u8],
    served_by: ServedBy,
) -> Option<FastList> {
    // A cached record may lack a new purchase, and a list would deny it by its absence.
    if served_by == ServedBy::Memory {
        return None;
    }
    let Columns { version, as_of, grants } = parse_complete_set(record)?;
    let page = page.try_map(|id, _| {
        let id = id.as_str();
        // The record contains such an id with escapes.
        let needs_escape = id.contains(['"', '\\']);
        let position = grants.iter().position(|grant| grant.id == id);
        position.filter(|_| !needs_escape).ok_or(())
    });
    let (grants, has_more) = page.ok()?.slice(&grants);
    Some(FastList { body: list_json(grants, has_more, livemode), version, as_of, served_by })
}

/// The constant bytes of a list and of each item, rounded up.
const LIST_OVERHEAD: usize = 128;
const ROW_OVERHEAD: usize = 128;

fn list_json(grants: &[GrantRef<'_>], has_more: bool, livemode: Livemode) -> String {
    let capacity = |grant: &GrantRef<'_>| {
        ROW_OVERHEAD + grant.id.len() + grant.feature.len() + grant.lookup_key.len()
    };
    let capacity = LIST_OVERHEAD + grants.iter().map(capacity).sum::<usize>();
    let mut json = String::with_capacity(capacity);
    let livemode = match livemode {
        Livemode::Test => "\",\"livemode\":false,\"lookup_key\":\"",
        Livemode::Live => "\",\"livemode\":true,\"lookup_key\":\"",
    };
    let mut separator = "{\"object\":\"list\",\"data\":[{\"id\":\"";
    for grant in grants {
        for part in [
            separator,
            grant.id,
            "\",\"object\":\"entitlements.active_entitlement\",\"feature\":\"",
            grant.feature,
            livemode,
            grant.lookup_key,
        ] {
            json.push_str(part);
        }
        separator = "\"},{\"id\":\"";
    }
    let end = if grants.is_empty() { "{\"object\":\"list\",\"data\":[]" } else { "\"}]" };
    let has_more = if has_more { "true" } else { "false" };
    for part in [end, ",\"has_more\":", has_more, ",\"url\":\"", LIST_PATH, "\"}"] {
        json.push_str(part);
    }
    json
}
