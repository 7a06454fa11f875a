//! What statuses grant is the operator's to say, and to say otherwise later.

use entgate::policy::GrantRule::Revoke;

use crate::catalog::fixture::stage;

#[test]
fn what_the_first_request_under_another_policy_ends_takes_its_entitlements_along() {
    let mut stage = stage();
    let subscription = stage.subscribe("");
    stage.update(&subscription, "status=past_due").done();
    stage.shop.work();
    assert_eq!(stage.keys(), ["sms"]);

    stage.shop.policy.past_due = Revoke;
    stage.shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
    stage.shop.work();
    assert_eq!(stage.keys(), [""; 0]);
}
