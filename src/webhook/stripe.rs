//! What does the event say? Stripe's event envelope, as snapshot and as thin event.
//!
//! | the body is                                                     | and becomes            |
//! |-----------------------------------------------------------------|------------------------|
//! | `entitlements.active_entitlement_summary.updated`               | [`Incoming::Summary`]  |
//! | a thin event (`v2.core.event`) about entitlements               | [`Incoming::Thin`]     |
//! | anything else that is an event                                  | [`Incoming::Other`]    |
//!
//! Shapes: <https://docs.stripe.com/billing/entitlements#webhooks>. Unknown members are skipped,
//! since Stripe adds some without a new API version. `url` is not followed: Stripe's API does not
//! document the path in it. `previous_attributes` is not read: it may be absent.

use serde::Deserialize;

use crate::{
    entitlement::{ActiveEntitlement, Page, Summary},
    id::{self, Customer, CustomerId, EntitlementId, EventId, FeatureId, Livemode, LookupKey},
    webhook::signature::Verified,
};

/// The type of a summary. A thin event has it behind `v1.`.
pub const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";

/// What every thin event about a customer's entitlements begins with.
const THIN_SUMMARY: &str = "v1.entitlements.active_entitlement_summary.";

/// What came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A customer's entitlements changed.
    Summary(Summary),
    /// Some customer's entitlements changed, and only Stripe can tell whose.
    Thin {
        /// The thin event's id.
        event: EventId,
        /// Its type, `v1.entitlements.…`.
        kind: String,
    },
    /// Nothing about entitlements of our own customers.
    Other {
        /// The event's id.
        event: EventId,
        /// The event's type.
        kind: String,
        /// Why it is none of ours.
        reason: Unrelated,
    },
}

/// Why an event changes nothing here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unrelated {
    /// Its type is another one.
    Type,
    /// It belongs to a connected account, whose customers may have the ids of ours.
    ConnectedAccount,
}

/// Why a genuine body cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not JSON, or a member is missing or of another type.
    #[error("{0}")]
    Shape(String),
    /// A name in it is none.
    #[error("`{member}` is {error}")]
    Name {
        /// Where it stands.
        member: &'static str,
        /// What is wrong with it.
        error: id::Error,
    },
    /// The event and the summary in it disagree about the mode.
    #[error("`livemode` of the event and of its summary differ")]
    Livemode,
    /// Two entitlements have one id.
    #[error("two entitlements have the id `{0}`")]
    Repeated(EntitlementId),
}

/// Parses a verified body.
///
/// # Errors
///
/// Says which member is at fault. The event must not be acknowledged, since it was not understood.
pub fn parse(verified: Verified<'_>) -> Result<Incoming, Error> {
    let envelope: Envelope = read(verified.body())?;
    let event = name("id", envelope.id)?;
    let kind = envelope.kind;
    if envelope.object.as_deref() == Some("v2.core.event") {
        return Ok(if kind.starts_with(THIN_SUMMARY) {
            Incoming::Thin { event, kind }
        } else {
            Incoming::Other { event, kind, reason: Unrelated::Type }
        });
    }
    if kind != SUMMARY {
        return Ok(Incoming::Other { event, kind, reason: Unrelated::Type });
    }
    if envelope.account.is_some() {
        return Ok(Incoming::Other { event, kind, reason: Unrelated::ConnectedAccount });
    }
    summary(event, read(verified.body())?).map(Incoming::Summary)
}

/// What every event has, thin or not.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    object: Option<String>,
    account: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    created: i64,
    livemode: bool,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: SummaryObject,
}

#[derive(Deserialize)]
struct SummaryObject {
    customer: String,
    livemode: bool,
    entitlements: List,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Item>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    feature: Feature,
    lookup_key: String,
}

/// A feature stands as its id, or whole where it was expanded.
#[derive(Deserialize)]
#[serde(untagged)]
enum Feature {
    Id(String),
    Object { id: String },
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Shape(error.to_string()))
}

fn name<T: TryFrom<String, Error = id::Error>>(
    member: &'static str,
    text: String,
) -> Result<T, Error> {
    T::try_from(text).map_err(|error| Error::Name { member, error })
}

fn summary(event: EventId, body: Event) -> Result<Summary, Error> {
    let Event { created, livemode, data: EventData { object } } = body;
    if object.livemode != livemode {
        return Err(Error::Livemode);
    }
    let id: CustomerId = name("data.object.customer", object.customer)?;
    let mut ids = std::collections::BTreeSet::new();
    let mut data = Vec::with_capacity(object.entitlements.data.len());
    for item in object.entitlements.data {
        let granted = entitlement(item)?;
        if !ids.insert(granted.id.clone()) {
            return Err(Error::Repeated(granted.id));
        }
        data.push(granted);
    }
    Ok(Summary {
        event,
        customer: Customer { livemode: Livemode::from(livemode), id },
        created: id::Timestamp(created),
        page: if object.entitlements.has_more { Page::First(data) } else { Page::Whole(data) },
    })
}

fn entitlement(item: Item) -> Result<ActiveEntitlement, Error> {
    let feature = match item.feature {
        Feature::Id(id) | Feature::Object { id } => id,
    };
    let id: EntitlementId = name("data.object.entitlements.data.id", item.id)?;
    let feature: FeatureId = name("data.object.entitlements.data.feature", feature)?;
    let lookup_key: LookupKey = name("data.object.entitlements.data.lookup_key", item.lookup_key)?;
    Ok(ActiveEntitlement { id, feature, lookup_key })
}
