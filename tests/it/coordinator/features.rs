//! The features that the shards of the customer index observe.

use std::collections::BTreeSet;

use entgate::{
    coordinator::{CoordinatorRequest, CoordinatorResponse},
    id::LookupKey,
};

use super::Coordinator;

fn keys(keys: impl IntoIterator<Item = String>) -> BTreeSet<LookupKey> {
    keys.into_iter().map(|key| LookupKey::try_from(key).unwrap()).collect()
}

fn add(coordinator: &Coordinator, features: BTreeSet<LookupKey>) -> CoordinatorResponse {
    coordinator.request(CoordinatorRequest::AddFeatures(features))
}

fn features(coordinator: &Coordinator) -> BTreeSet<LookupKey> {
    match coordinator.request(CoordinatorRequest::Features) {
        CoordinatorResponse::Features(features) => features,
        response => panic!("{response:?}"),
    }
}

#[test]
fn features_of_all_shards_are_stored_once_and_survive_a_restart() {
    let mut coordinator = Coordinator::new();
    assert_eq!(features(&coordinator), keys([]));
    for shard in [["sms", "sso"], ["sso", "fax"]] {
        let shard = keys(shard.map(str::to_owned));
        assert_eq!(add(&coordinator, shard), CoordinatorResponse::Done);
    }
    coordinator.restart();
    assert_eq!(features(&coordinator), keys(["fax", "sms", "sso"].map(str::to_owned)));
    assert_eq!(coordinator.world.alarm.get(), None, "a feature needs no alarm");
}

#[test]
fn two_thousand_features_are_kept_and_no_more() {
    let coordinator = Coordinator::new();
    let many = |count: u32| keys((0..count).map(|number| format!("f{number:04}")));
    assert_eq!(add(&coordinator, many(2_000)), CoordinatorResponse::Done);
    assert_eq!(features(&coordinator), many(2_000));
    assert_eq!(*coordinator.world.log.borrow(), Vec::<String>::new());
    assert_eq!(add(&coordinator, many(2_001)), CoordinatorResponse::Done);
    assert_eq!(features(&coordinator), many(2_000));
    let line = "failed to add the feature `f2000`: the coordinator keeps at most 2000";
    assert_eq!(*coordinator.world.log.borrow(), [line]);
}

#[test]
fn data_of_a_newer_release_gets_no_feature() {
    let coordinator = Coordinator::new();
    coordinator.world.tables.read_only.set(true);
    let response = add(&coordinator, keys(["sms".to_owned()]));
    assert_eq!(response, CoordinatorResponse::NewerRelease);
    assert_eq!(features(&coordinator), keys([]));
}
