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
    entitlement::{Summary, SummaryPage},
    entitlement_list::{self, EntitlementList},
    id::{self, CustomerId, CustomerKey, EventId, Livemode},
    policy::GrantRule,
    webhook::signature::Verified,
};

/// The type of a summary. A thin event has it behind `v1.`.
pub const SUMMARY_EVENT: &str = "entitlements.active_entitlement_summary.updated";

/// The type of the event after which a customer holds nothing, summary or not.
pub const CUSTOMER_DELETED_EVENT: &str = "customer.deleted";

/// The types of the events after which a subscription may be paused, or no longer be.
const SUBSCRIPTION_EVENTS: [&str; 3] = [
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
];

/// What every thin event about a customer's entitlements begins with.
const THIN_EVENT_PREFIX: &str = "v1.entitlements.active_entitlement_summary.";

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
    Ignored {
        /// The event's id.
        event: EventId,
        /// The event's type.
        kind: String,
        /// Why it is none of ours.
        reason: IgnoreReason,
    },
}

/// Why an event changes nothing here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IgnoreReason {
    /// Its type is another one.
    UnrelatedType,
    /// It belongs to a connected account, whose customers may have the ids of ours.
    ConnectedAccount,
}

/// Why a genuine body cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not JSON, or a member is missing or of another type.
    #[error("{0}")]
    Malformed(String),
    /// A name in it is none.
    #[error("`{member}` is {error}")]
    InvalidId {
        /// Where it stands.
        member: &'static str,
        /// What is wrong with it.
        error: id::Error,
    },
    /// The event and the summary in it disagree about the mode.
    #[error("`livemode` of the event and of its summary differ")]
    LivemodeMismatch,
    /// Its list is none.
    #[error("in `data.object.entitlements`, {0}")]
    InvalidList(#[from] entitlement_list::Error),
}

/// Parses a verified body. If paused subscriptions are not to grant anything, no event says what is
/// held, but that of a deletion.
///
/// # Errors
///
/// Says which member is at fault. The event must not be acknowledged, since it was not understood.
pub fn parse(verified: Verified<'_>, paused: GrantRule) -> Result<Incoming, Error> {
    let body = verified.body();
    let (envelope, summary) = match parse_summary_fast(body) {
        Some((envelope, summary)) => (envelope, Some(summary)),
        None => (parse_json(body)?, None),
    };
    let event = parse_id("id", envelope.id)?;
    let kind = envelope.kind;
    if envelope.object.as_deref() == Some("v2.core.event") {
        return Ok(if kind.starts_with(THIN_EVENT_PREFIX) {
            Incoming::Thin { event, kind }
        } else {
            Incoming::Ignored { event, kind, reason: IgnoreReason::UnrelatedType }
        });
    }
    let subscription = paused == GrantRule::Revoke && SUBSCRIPTION_EVENTS.contains(&kind.as_str());
    if kind != SUMMARY_EVENT && kind != CUSTOMER_DELETED_EVENT && !subscription {
        return Ok(Incoming::Ignored { event, kind, reason: IgnoreReason::UnrelatedType });
    }
    if envelope.account.is_some() {
        return Ok(Incoming::Ignored { event, kind, reason: IgnoreReason::ConnectedAccount });
    }
    Ok(Incoming::Summary(if subscription {
        let SnapshotEvent { created, livemode, data } = parse_json(body)?;
        let SubscriptionObject { customer } = data.object;
        new_summary(event, created, livemode, parse_id("data.object.customer", customer)?, None)
    } else if kind == CUSTOMER_DELETED_EVENT {
        let SnapshotEvent { created, livemode, data } = parse_json(body)?;
        let CustomerObject { id } = data.object;
        let page = Some(SummaryPage::Complete(Vec::new()));
        new_summary(event, created, livemode, parse_id("data.object.id", id)?, page)
    } else {
        let SnapshotEvent { created, livemode, data } = match summary {
            Some(summary) => summary,
            None => parse_json::<SummaryEvent>(body)?.into_parts().1,
        };
        let SummaryObject { customer, livemode: again, entitlements } = data.object;
        if again != livemode {
            return Err(Error::LivemodeMismatch);
        }
        let page = entitlements.into_page()?;
        let page = (paused == GrantRule::Keep).then_some(page);
        new_summary(event, created, livemode, parse_id("data.object.customer", customer)?, page)
    }))
}

/// What every event has, thin or not.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct EventEnvelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    object: Option<String>,
    account: Option<String>,
}

/// What more an event has that is a snapshot.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct SnapshotEvent<T> {
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
    fn into_parts(self) -> (EventEnvelope, SnapshotEvent<SummaryObject>) {
        let Self { id, kind, object, account, created, livemode, data } = self;
        (EventEnvelope { id, kind, object, account }, SnapshotEvent { created, livemode, data })
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
    entitlements: EntitlementList,
}

/// Reads an event whose last member is a summary's type, without a look for the type before: Stripe
/// writes it last. None if there is no such member, or the event has not what a summary's has.
fn parse_summary_fast(body: &[u8]) -> Option<(EventEnvelope, SnapshotEvent<SummaryObject>)> {
    let open = body.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let value = open.strip_suffix(b"\"")?;
    value.ends_with(SUMMARY_EVENT.as_bytes()).then_some(())?;
    parse_json::<SummaryEvent>(body).ok().map(SummaryEvent::into_parts)
}

fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Malformed(error.to_string()))
}

fn parse_id<T: TryFrom<String, Error = id::Error>>(
    member: &'static str,
    text: String,
) -> Result<T, Error> {
    T::try_from(text).map_err(|error| Error::InvalidId { member, error })
}

fn new_summary(
    event: EventId,
    created: i64,
    livemode: bool,
    customer: CustomerId,
    page: Option<SummaryPage>,
) -> Summary {
    let customer = CustomerKey { livemode: Livemode::from(livemode), id: customer };
    Summary { event, customer, created: id::Timestamp(created), page }
}
