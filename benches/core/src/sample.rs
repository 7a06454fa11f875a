//! The sets and the event of all workloads. Ids are as long as Stripe's.

use entgate::{
    entitlement::{ActiveEntitlement, Completeness, Entitlements, SourceSet, Version},
    id::{CustomerId, CustomerKey, EntitlementId, FeatureId, Livemode, LookupKey, Timestamp},
    policy::SourcePolicy,
    store::record,
};
use serde_json::json;

/// The measured sizes of a set.
pub const SIZES: [usize; 4] = [1, 10, 100, 300];

/// The server key of the deployment.
pub const SERVER_KEY: &str = "sk_test_bench_0123456789abcdef01";

/// The secret that signs webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_bench_0123456789abcdef01";

/// The time of all workloads.
pub const NOW: Timestamp = Timestamp(1_706_111_400);

/// When the event was created, and the set with it.
pub const CREATED: Timestamp = Timestamp(1_706_111_369);

/// Returns the customer of all workloads.
///
/// # Panics
///
/// Never: the id is valid.
#[must_use]
pub fn customer() -> CustomerKey {
    CustomerKey {
        livemode: Livemode::Test,
        id: CustomerId::try_from("cus_ABC123customer").unwrap(),
    }
}

/// Returns the lookup key of the feature at `index`. The last one of a set is `size - 1`, and `size`
/// is absent in it.
///
/// # Panics
///
/// Never: the key is valid.
#[must_use]
pub fn lookup_key(index: usize) -> LookupKey {
    LookupKey::try_from(format!("feature-{index}")).unwrap()
}

/// The version of every record.
pub const VERSION: Version = Version(3);

/// Returns a complete set with this number of entitlements.
#[must_use]
pub fn set(size: usize) -> SourceSet {
    SourceSet {
        as_of: CREATED,
        completeness: Completeness::Complete,
        policy: SourcePolicy::default(),
        data: (0..size).map(entitlement).collect(),
    }
}

/// Returns the record of a customer with this set and without overrides.
#[must_use]
pub fn entitlements(set: SourceSet) -> Entitlements {
    Entitlements { version: VERSION, source: Some(set), ..Entitlements::default() }
}

/// Returns the record of such a set, as entgate stores it.
///
/// # Panics
///
/// Never: every set can be encoded.
#[must_use]
pub fn record(size: usize) -> Vec<u8> {
    record::encode(&entitlements(set(size))).unwrap()
}

fn entitlement(index: usize) -> ActiveEntitlement {
    let id = format!("ent_test_61QGU1MWyFMSP9YBZ41ClCIKljWvs{index}");
    let feature = format!("feat_test_61QGTuxAZuDgJsvqm41ClCIKlj{index}");
    ActiveEntitlement {
        id: EntitlementId::try_from(id).unwrap(),
        feature: FeatureId::try_from(feature).unwrap(),
        lookup_key: lookup_key(index),
    }
}

/// Returns an event of this type that grants the first `size` features.
#[must_use]
pub fn event(event_type: &str, size: usize) -> String {
    let data = set(size).data.into_iter().map(|entitlement| {
        json!({
            "id": entitlement.id,
            "object": "entitlements.active_entitlement",
            "feature": entitlement.feature,
            "livemode": false,
            "lookup_key": entitlement.lookup_key,
        })
    });
    let url = format!("/v1/customer/{}/entitlements", customer().id);
    json!({
        "id": "evt_1OcCWTLkdIwHu7ixbUwdUFui",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": CREATED,
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
        "type": event_type,
    })
    .to_string()
}
