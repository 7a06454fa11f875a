//! Parses Stripe's events: the envelope, as snapshot event and as thin event.
//!
//! | event                                                                                     | result                |
//! |-------------------------------------------------------------------------------------------|-----------------------|
//! | `entitlements.active_entitlement_summary.updated`                                         | [`Incoming::Summary`] |
//! | `customer.deleted`: the customer has no entitlements any more                             | [`Incoming::Summary`] |
//! | `customer.subscription.paused`, `.resumed`, `.updated`, under [`GrantRule::Revoke`]       | [`Incoming::Summary`] |
//! | a thin event (`v2.core.event`) about entitlements                                         | [`Incoming::Thin`]    |
//! | any other event                                                                           | [`Incoming::Ignored`] |
//!
//! An event that changes entitlements must be of the mode of its signature, and not newer than it. For an
//! event that the API returned, the mode is that of the API key, and the time that of the response.
//!
//! Unknown members are ignored, since Stripe adds some without a new API version. Two members of one
//! name are an error, if one of them is used here or the event has a feature as an object. `url` is not
//! followed, because Stripe does not document its path. `previous_attributes` is not used, because it
//! may be missing.
//!
//! Specification: <https://docs.stripe.com/billing/entitlements#webhooks>.

use serde::Deserialize;

use crate::{
    entitlement::{Summary, SummaryPage},
    entitlement_list::{self, EntitlementList},
    id::{CustomerId, CustomerKey, EventId, InvalidMember, Livemode, Timestamp, Utc, parse_member},
    json::{
        object::{deserialize_object, parse_object},
        strict::{self, Unicode},
    },
    policy::GrantRule,
    webhook::signature::{TOLERANCE, Verified},
};

/// The type of a summary event. A thin event has the prefix `v1.` before it.
pub const SUMMARY_EVENT: &str = "entitlements.active_entitlement_summary.updated";

/// The type of the event that removes all entitlements of a customer, also without a summary.
pub const CUSTOMER_DELETED_EVENT: &str = "customer.deleted";

/// The types of events that may pause or resume a subscription.
const SUBSCRIPTION_EVENTS: [&str; 3] = [
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
];

/// The types of the events that [`parse()`] does not ignore, except for thin events.
#[must_use]
pub fn event_types(paused: GrantRule) -> Vec<&'static str> {
    let mut types = vec![SUMMARY_EVENT, CUSTOMER_DELETED_EVENT];
    if paused == GrantRule::Revoke {
        types.extend(SUBSCRIPTION_EVENTS);
    }
    types
}

/// The prefix of the types of thin events about entitlements.
const THIN_EVENT_PREFIX: &str = "v1.entitlements.active_entitlement_summary.";

/// A parsed event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A customer's entitlements changed.
    Summary(Summary),
    /// The entitlements of a customer changed, but the event does not include which customer.
    Thin {
        /// The thin event's id.
        event: EventId,
        /// The event's type, `v1.entitlements.…`.
        kind: String,
        /// The modes that it may be of: that in the event, or those of the secrets that signed it.
        modes: Vec<Livemode>,
    },
    /// The event does not change entitlements of the account's customers.
    Ignored {
        /// The event's id.
        event: EventId,
        /// The event's type.
        kind: String,
        /// Why the event is ignored.
        reason: IgnoreReason,
    },
}

/// Why an event is ignored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IgnoreReason {
    /// Events of its type do not change entitlements.
    UnrelatedType,
    /// The event belongs to a connected account, whose customers may have the same ids.
    ConnectedAccount,
}

/// Why a verified body cannot be parsed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is not JSON, or a member is missing or has the wrong type.
    #[error("{0}")]
    Malformed(String),
    /// An id in the event is not valid.
    #[error(transparent)]
    InvalidId(#[from] InvalidMember),
    /// The event and its summary have different modes.
    #[error("`livemode` of the event and of its summary differ")]
    LivemodeMismatch,
    /// Only a secret of the other mode signed the event.
    #[error("the event is of {} mode, and no secret of this mode signed it", livemode.as_str())]
    WrongMode {
        /// The mode of the event.
        livemode: Livemode,
    },
    /// The event was created after it was signed, so it would outrank genuine events.
    #[error(
        "`created` is {}, more than {TOLERANCE} s after the signature of {}",
        Utc(*created),
        Utc(*signed_at)
    )]
    CreatedAfterSignature {
        /// When the event was created.
        created: Timestamp,
        /// The timestamp of the signature.
        signed_at: Timestamp,
    },
    /// The event was created before 1970.
    #[error("`created` is {0}, which is before 1970")]
    NegativeCreated(Timestamp),
    /// The list in the summary is not valid.
    #[error("in `data.object.entitlements`, {0}")]
    InvalidList(#[from] entitlement_list::Error),
}

/// Parses a verified body. Under [`GrantRule::Revoke`] the entitlements in an event are not used, except
/// after a deletion: the list must be read from Stripe.
///
/// # Errors
///
/// Names the member that is not valid. The event must then not be acknowledged.
pub fn parse(verified: Verified<'_>, paused: GrantRule) -> Result<Incoming, Error> {
    let body = verified.body();
    let (envelope, summary) = match parse_summary_fast(body) {
        Some((envelope, summary)) => (envelope, Some(summary)),
        None => (parse_json(body)?, None),
    };
    let event = parse_member("id", envelope.id)?;
    let kind = envelope.kind;
    if envelope.object.as_deref() == Some("v2.core.event") {
        return if kind.starts_with(THIN_EVENT_PREFIX) {
            parse_thin(verified, event, kind)
        } else {
            Ok(Incoming::Ignored { event, kind, reason: IgnoreReason::UnrelatedType })
        };
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
        let customer = parse_member("data.object.customer", customer)?;
        new_summary(verified, event, created, livemode, customer, None)?
    } else if kind == CUSTOMER_DELETED_EVENT {
        let SnapshotEvent { created, livemode, data } = parse_json(body)?;
        let CustomerObject { id } = data.object;
        let page = Some(SummaryPage::Deleted);
        let customer = parse_member("data.object.id", id)?;
        new_summary(verified, event, created, livemode, customer, page)?
    } else {
        let SnapshotEvent { created, livemode, data } = match summary {
            Some(summary) => summary,
            None => parse_json::<SummaryEvent>(body)?.into_parts().1,
        };
        let SummaryObject { customer, livemode: summary_livemode, entitlements } = data.object;
        if summary_livemode != livemode {
            return Err(Error::LivemodeMismatch);
        }
        // serde rejects duplicates of the members that it parses, but not inside of a feature.
        if entitlements.has_feature_object() {
            strict::parse(body, Unicode::At(&[]))
                .map_err(|error| Error::Malformed(error.to_string()))?;
        }
        let page = entitlements.into_page()?;
        let page = (paused == GrantRule::Keep).then_some(page);
        let customer = parse_member("data.object.customer", customer)?;
        new_summary(verified, event, created, livemode, customer, page)?
    }))
}

/// Parses a thin event about entitlements. The `context` of one is the connected account that it concerns.
fn parse_thin(verified: Verified<'_>, event: EventId, kind: String) -> Result<Incoming, Error> {
    let ThinEvent { livemode, context } = parse_json(verified.body())?;
    if context.is_some() {
        return Ok(Incoming::Ignored { event, kind, reason: IgnoreReason::ConnectedAccount });
    }
    if let Some(livemode) = livemode.map(Livemode::from)
        && !verified.is_signed_for(livemode)
    {
        return Err(Error::WrongMode { livemode });
    }
    let mut modes = vec![Livemode::Test, Livemode::Live];
    modes.retain(|mode| {
        verified.is_signed_for(*mode) && livemode.is_none_or(|livemode| *mode == livemode.into())
    });
    Ok(Incoming::Thin { event, kind, modes })
}

/// The members of a thin event that a snapshot event does not have.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct ThinEvent {
    livemode: Option<bool>,
    context: Option<String>,
}

/// The members of every event, snapshot or thin.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct EventEnvelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    object: Option<String>,
    account: Option<String>,
}

/// The other members of a snapshot event.
#[derive(Deserialize)]
#[serde(expecting = "an event", bound = "T: Deserialize<'de>")]
struct SnapshotEvent<T> {
    created: i64,
    livemode: bool,
    #[serde(deserialize_with = "deserialize_object")]
    data: EventData<T>,
}

/// All members of a summary event.
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
    #[serde(deserialize_with = "deserialize_object")]
    data: EventData<SummaryObject>,
}

impl SummaryEvent {
    fn into_parts(self) -> (EventEnvelope, SnapshotEvent<SummaryObject>) {
        let Self { id, kind, object, account, created, livemode, data } = self;
        (EventEnvelope { id, kind, object, account }, SnapshotEvent { created, livemode, data })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "the data of an event", bound = "T: Deserialize<'de>")]
struct EventData<T> {
    #[serde(deserialize_with = "deserialize_object")]
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
    #[serde(deserialize_with = "deserialize_object")]
    entitlements: EntitlementList,
}

/// Parses a summary event in one pass. Stripe encodes `type` as the last member, so the end of the body
/// shows the type. Returns `None` if that is another type or the body is not a summary event.
fn parse_summary_fast(body: &[u8]) -> Option<(EventEnvelope, SnapshotEvent<SummaryObject>)> {
    let open = body.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let value = open.strip_suffix(b"\"")?;
    value.ends_with(SUMMARY_EVENT.as_bytes()).then_some(())?;
    parse_json::<SummaryEvent>(body).ok().map(SummaryEvent::into_parts)
}

fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    parse_object(body).map_err(|error| Error::Malformed(error.to_string()))
}

/// Creates a summary of an event that its signature permits.
fn new_summary(
    verified: Verified<'_>,
    event: EventId,
    created: i64,
    livemode: bool,
    customer: CustomerId,
    page: Option<SummaryPage>,
) -> Result<Summary, Error> {
    let (created, livemode) = (Timestamp(created), Livemode::from(livemode));
    if !verified.is_signed_for(livemode) {
        return Err(Error::WrongMode { livemode });
    }
    if created < Timestamp(0) {
        return Err(Error::NegativeCreated(created));
    }
    let signed_at = verified.signed_at();
    if created > signed_at.saturating_add_unsigned(TOLERANCE) {
        return Err(Error::CreatedAfterSignature { created, signed_at });
    }
    Ok(Summary { event, customer: CustomerKey { livemode, id: customer }, created, page })
}
