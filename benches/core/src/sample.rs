//! The sets and the event that everything is measured with. Ids are as long as Stripe's.

use entgate::{
    entitlement::{ActiveEntitlement, Coverage, Entitlements, Version},
    id::{Customer, CustomerId, EntitlementId, FeatureId, Livemode, LookupKey, Timestamp},
    store::record,
};
use serde_json::json;

/// The sizes of the sets that are measured.
pub const SIZES: [usize; 4] = [1, 10, 100, 300];

/// The server key of the deployment.
pub const KEY: &str = "sk_test_bench";

/// The secret that signs its events.
pub const SECRET: &str = "whsec_bench";

/// When everything takes place.
pub const NOW: Timestamp = Timestamp(1_706_111_400);

/// Whom everything is about.
///
/// # Panics
///
/// Never: the id is one.
#[must_use]
pub fn customer() -> Customer {
    Customer { livemode: Livemode::Test, id: CustomerId::try_from("cus_ABC123customer").unwrap() }
}

/// The key of a feature; the last one of a set of `size` is `size - 1`, and the one of `size` is in
/// none.
///
/// # Panics
///
/// Never: the text is a key.
#[must_use]
pub fn key(at: usize) -> LookupKey {
    LookupKey::try_from(format!("feature-{at}")).unwrap()
}

/// A whole set of so many entitlements.
#[must_use]
pub fn set(size: usize) -> Entitlements {
    let data = (0..size).map(entitlement).collect();
    let (version, as_of) = (Version(3), Timestamp(1_706_111_369));
    Entitlements { version, as_of, coverage: Coverage::Whole, data }
}

/// The same, as it is stored.
///
/// # Panics
///
/// Never: a set can be written.
#[must_use]
pub fn record(size: usize) -> Vec<u8> {
    record::write(&set(size)).unwrap()
}

fn entitlement(at: usize) -> ActiveEntitlement {
    ActiveEntitlement {
        id: EntitlementId::try_from(format!("ent_test_61QGU1MWyFMSP9YBZ41ClCIKljWvs{at}")).unwrap(),
        feature: FeatureId::try_from(format!("feat_test_61QGTuxAZuDgJsvqm41ClCIKlj{at}")).unwrap(),
        lookup_key: key(at),
    }
}

/// The event that makes a customer hold the first `size` features, of this type.
#[must_use]
pub fn event(kind: &str, size: usize) -> String {
    let data = set(size).data.into_iter().map(|granted| {
        json!({
            "id": granted.id,
            "object": "entitlements.active_entitlement",
            "feature": granted.feature,
            "livemode": false,
            "lookup_key": granted.lookup_key,
        })
    });
    let url = format!("/v1/customer/{}/entitlements", customer().id);
    json!({
        "id": "evt_1OcCWTLkdIwHu7ixbUwdUFui",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_706_111_369,
        "data": {
            "object": {
                "object": "entitlements.active_entitlement_summary",
                "customer": customer().id,
                "entitlements": {
                    "object": "list",
                    "data": data.collect::<Vec<_>>(),
                    "has_more": false,
                    "url": url,
                },
                "livemode": false,
            },
            "previous_attributes": { "entitlements": { "data": [] } },
        },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    })
    .to_string()
}
