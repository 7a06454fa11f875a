//! Stripe's events. The input is the body, which the target signs.

use entgate::{
    api::fast_path::wire,
    entitlement::{ActiveEntitlement, Summary, SummaryPage},
    id::{
        CustomerId, CustomerKey, EntitlementId, EventId, FeatureId, Livemode, LookupKey, Timestamp,
    },
    ledger::LedgerRequest,
    policy::GrantRule,
    webhook::stripe::{IgnoreReason, Incoming},
};
use serde_json::Value;

use crate::support::NOW;

use super::{
    json::{self, Rejection},
    subject::parse_event,
};

pub(crate) fn run(body: &[u8]) {
    let value = json::parse(body);
    for paused in [GrantRule::Keep, GrantRule::Revoke] {
        let parsed = parse_event(body, paused);
        if let Ok(Incoming::Summary(summary)) = &parsed {
            assert_same_after_transport(summary);
        }
        match (&value, parsed) {
            (Err(Rejection::Possible), _) | (Err(Rejection::Certain), Err(_)) => {}
            (Err(Rejection::Certain), Ok(incoming)) => panic!("not JSON, parsed as {incoming:?}"),
            (Ok(value), Ok(incoming)) => assert_eq!(Some(incoming), interpret(value, paused)),
            (Ok(value), Err(error)) => {
                let meaning = interpret(value, paused);
                // Parsers differ in which of two members they use, so that an error is right.
                let is_ambiguous = json::has_duplicate_members(body, value);
                assert!(meaning.is_none() || is_ambiguous, "{error}: {meaning:?}");
            }
        }
    }
}

/// A summary reaches its ledger as a string.
fn assert_same_after_transport(summary: &Summary) {
    let sent = wire::encode_event(summary.clone()).unwrap_or_default();
    let address = (summary.customer.clone(), summary.event.clone());
    assert_eq!(wire::decode_event(&sent), Some(address), "{sent}");
    let request = sent.splitn(3, '\n').nth(2).unwrap_or_default();
    let received = entgate::json::from_slice(request.as_bytes());
    assert_eq!(received, Ok(LedgerRequest::Apply(summary.clone())), "{sent}");
}

/// What an event means. `None` if it is not a valid event.
fn interpret(event: &Value, paused: GrantRule) -> Option<Incoming> {
    let members = event.as_object()?;
    let optional = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(string)) => Some(Some(string.as_str())),
        Some(_) => None,
    };
    let id = EventId::try_from(members.get("id")?.as_str()?).ok()?;
    let kind = members.get("type")?.as_str()?.to_owned();
    let (object, account) = (optional("object")?, optional("account")?);
    let unrelated = |kind| {
        let (event, reason) = (id.clone(), IgnoreReason::UnrelatedType);
        Some(Incoming::Ignored { event, kind, reason })
    };
    if object == Some("v2.core.event") {
        let is_summary = kind.starts_with("v1.entitlements.active_entitlement_summary.");
        if !is_summary {
            return unrelated(kind);
        }
        let livemode = match members.get("livemode") {
            None | Some(Value::Null) => None,
            Some(livemode) => Some(Livemode::from(livemode.as_bool()?)),
        };
        if optional("context")?.is_some() {
            let reason = IgnoreReason::ConnectedAccount;
            return Some(Incoming::Ignored { event: id, kind, reason });
        }
        // Secrets of both modes sign the event.
        let modes =
            livemode.map_or(vec![Livemode::Test, Livemode::Live], |livemode| vec![livemode]);
        return Some(Incoming::Thin { event: id, kind, modes });
    }
    let is_summary = kind == "entitlements.active_entitlement_summary.updated";
    let is_deletion = kind == "customer.deleted";
    let subscription_events = ["paused", "resumed", "updated"];
    let is_subscription = paused == GrantRule::Revoke
        && kind
            .strip_prefix("customer.subscription.")
            .is_some_and(|change| subscription_events.contains(&change));
    if !is_summary && !is_deletion && !is_subscription {
        return unrelated(kind);
    }
    if account.is_some() {
        let reason = IgnoreReason::ConnectedAccount;
        return Some(Incoming::Ignored { event: id, kind, reason });
    }
    let created = Timestamp(members.get("created")?.as_i64()?);
    let livemode = members.get("livemode")?.as_bool()?;
    let object = members.get("data")?.as_object()?.get("object")?.as_object()?;
    let (customer, page) = if is_summary {
        if object.get("livemode")?.as_bool()? != livemode {
            return None;
        }
        let page = page(object.get("entitlements")?)?;
        (object.get("customer")?, (paused == GrantRule::Keep).then_some(page))
    } else if is_deletion {
        (object.get("id")?, Some(SummaryPage::Deleted))
    } else {
        (object.get("customer")?, None)
    };
    let customer = CustomerKey {
        livemode: Livemode::from(livemode),
        id: CustomerId::try_from(customer.as_str()?).ok()?,
    };
    // The signature is of `NOW`.
    (0..=NOW.0 + 300).contains(&created.0).then_some(())?;
    Some(Incoming::Summary(Summary { event: id, customer, created, page }))
}

/// The list in a summary. `None` if it is not valid.
fn page(list: &Value) -> Option<SummaryPage> {
    let list = list.as_object()?;
    let mut data: Vec<ActiveEntitlement> = Vec::new();
    for item in list.get("data")?.as_array()? {
        let item = item.as_object()?;
        let feature = match item.get("feature")? {
            Value::Object(feature) => feature.get("id")?,
            feature => feature,
        };
        let id = EntitlementId::try_from(item.get("id")?.as_str()?).ok()?;
        if data.iter().any(|other| other.id == id) {
            return None;
        }
        let feature = FeatureId::try_from(feature.as_str()?).ok()?;
        let lookup_key = LookupKey::try_from(item.get("lookup_key")?.as_str()?).ok()?;
        data.push(ActiveEntitlement { id, feature, lookup_key });
    }
    let has_more = list.get("has_more")?.as_bool()?;
    Some(if has_more { SummaryPage::Truncated(data) } else { SummaryPage::Complete(data) })
}
