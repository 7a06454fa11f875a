//! What does the event say? Stripe's event envelope, as snapshot and as thin event.
//!
//! | the body is                                                     | and becomes            |
//! |-----------------------------------------------------------------|------------------------|
//! | `entitlements.active_entitlement_summary.updated`               | [`Incoming::Summary`]  |
//! | `customer.deleted`: the customer holds nothing from then on     | [`Incoming::Summary`]  |
//! | `customer.subscription.paused`, `.resumed`, `.updated`, if paused subscriptions are not to grant anything | [`Incoming::Summary`] |
//! | a thin event (`v2.core.event`) about entitlements               | [`Incoming::Thin`]     |
//! | anything else that is an event                                  | [`Incoming::Other`]    |
//!
//! Shapes: <https://docs.stripe.com/billing/entitlements#webhooks>. Unknown members are skipped,
//! since Stripe adds some without a new API version. `url` is not followed: Stripe's API does not
//! document the path in it. `previous_attributes` is not read: it may be absent.

use serde::Deserialize;

use crate::{
    entitlement::{Page, Paused, Summary},
    id::{self, Customer, CustomerId, EventId, Livemode},
    listing::{self, List},
    webhook::signature::Verified,
};

/// The type of a summary. A thin event has it behind `v1.`.
pub const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";

/// The type of the event after which a customer holds nothing, summary or not.
pub const DELETED: &str = "customer.deleted";

/// The types of the events after which a subscription may be paused, or no longer be.
const SUBSCRIPTION: [&str; 3] = [
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
];

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
    /// Its list is none.
    #[error("in `data.object.entitlements`, {0}")]
    List(#[from] listing::Error),
}

/// Parses a verified body. If paused subscriptions are not to grant anything, no event says what is
/// held, but that of a deletion.
///
/// # Errors
///
/// Says which member is at fault. The event must not be acknowledged, since it was not understood.
pub fn parse(verified: Verified<'_>, paused: Paused) -> Result<Incoming, Error> {
    let body = verified.body();
    let (envelope, summary) = match read_at_once(body) {
        Some((envelope, summary)) => (envelope, Some(summary)),
        None => (read(body)?, None),
    };
    let event = name("id", envelope.id)?;
    let kind = envelope.kind;
    if envelope.object.as_deref() == Some("v2.core.event") {
        return Ok(if kind.starts_with(THIN_SUMMARY) {
            Incoming::Thin { event, kind }
        } else {
            Incoming::Other { event, kind, reason: Unrelated::Type }
        });
    }
    let subscription = paused == Paused::Revoke && SUBSCRIPTION.contains(&kind.as_str());
    if kind != SUMMARY && kind != DELETED && !subscription {
        return Ok(Incoming::Other { event, kind, reason: Unrelated::Type });
    }
    if envelope.account.is_some() {
        return Ok(Incoming::Other { event, kind, reason: Unrelated::ConnectedAccount });
    }
    Ok(Incoming::Summary(if subscription {
        let Event { created, livemode, data } = read(body)?;
        let SubscriptionObject { customer } = data.object;
        about(event, created, livemode, name("data.object.customer", customer)?, None)
    } else if kind == DELETED {
        let Event { created, livemode, data } = read(body)?;
        let CustomerObject { id } = data.object;
        let page = Some(Page::Whole(Vec::new()));
        about(event, created, livemode, name("data.object.id", id)?, page)
    } else {
        let Event { created, livemode, data } = match summary {
            Some(summary) => summary,
            None => read::<SummaryEvent>(body)?.split().1,
        };
        let SummaryObject { customer, livemode: again, entitlements } = data.object;
        if again != livemode {
            return Err(Error::Livemode);
        }
        let page = entitlements.page()?;
        let page = (paused == Paused::Keep).then_some(page);
        about(event, created, livemode, name("data.object.customer", customer)?, page)
    }))
}

/// What every event has, thin or not.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    object: Option<String>,
    account: Option<String>,
}

/// What more an event has that is a snapshot.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct Event<T> {
    created: i64,
    livemode: bool,
    data: EventData<T>,
}

/// Both of them, of a summary.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct SummaryEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    object: Option<String>,
    account: Option<String>,
    created: i64,
    livemode: bool,
    data: EventData<SummaryObject>,
}

impl SummaryEvent {
    fn split(self) -> (Envelope, Event<SummaryObject>) {
        let Self { id, kind, object, account, created, livemode, data } = self;
        (Envelope { id, kind, object, account }, Event { created, livemode, data })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "the data of an event")]
struct EventData<T> {
    object: T,
}

#[derive(Deserialize)]
#[serde(expecting = "a subscription")]
struct SubscriptionObject {
    customer: String,
}

#[derive(Deserialize)]
#[serde(expecting = "a customer")]
struct CustomerObject {
    id: String,
}

#[derive(Deserialize)]
#[serde(expecting = "a summary")]
struct SummaryObject {
    customer: String,
    livemode: bool,
    entitlements: List,
}

/// Reads an event whose last member is a summary's type, without a look for the type before: Stripe
/// writes it last. None if there is no such member, or the event has not what a summary's has.
fn read_at_once(body: &[u8]) -> Option<(Envelope, Event<SummaryObject>)> {
    let open = body.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let value = open.strip_suffix(b"\"")?;
    value.ends_with(SUMMARY.as_bytes()).then_some(())?;
    read::<SummaryEvent>(body).ok().map(SummaryEvent::split)
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

fn about(
    event: EventId,
    created: i64,
    livemode: bool,
    customer: CustomerId,
    page: Option<Page>,
) -> Summary {
    let customer = Customer { livemode: Livemode::from(livemode), id: customer };
    Summary { event, customer, created: id::Timestamp(created), page }
}
