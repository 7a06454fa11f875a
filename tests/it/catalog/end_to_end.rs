//! From end to end: features are created, sold, granted, changed and revoked.

use entgate::id::Timestamp;
use serde_json::json;

use super::test_catalog::TestCatalog;

#[test]
fn a_subscription_grants_its_features_until_it_is_canceled() {
    let catalog = TestCatalog::new();
    let sms = catalog.create("/v1/entitlements/features", "lookup_key=sms&name=SMS");
    let sso = catalog.create("/v1/entitlements/features", "lookup_key=sso&name=SSO");
    let basic = catalog.create("/v1/products", "name=Basic");
    let pro = catalog.create("/v1/products", "name=Pro");
    let attach = |product: &str, feature: &str| {
        let form = format!("entitlement_feature={feature}");
        catalog.create(&format!("/v1/products/{product}/features"), &form)
    };
    attach(&basic, &sms);
    let detachable = attach(&pro, &sms);
    attach(&pro, &sso);
    let price = |product: &str| {
        let form =
            format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
        catalog.create("/v1/prices", &form)
    };
    let (basic_price, pro_price) = (price(&basic), price(&pro));
    let clock = catalog.create("/v1/test_helpers/test_clocks", "frozen_time=1700000000");
    let customer =
        catalog.create("/v1/customers", &format!("test_clock={clock}&email=ada@example.com"));
    let form = format!("customer={customer}&items[0][price]={basic_price}");
    let subscription = catalog.create("/v1/subscriptions", &form);
    assert_eq!(catalog.entitled_keys(&customer), ["sms"]);

    let path = format!("/v1/subscriptions/{subscription}");
    let item = catalog.get(&path).body["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    let upgraded = catalog.post(&path, &format!("items[0][id]={item}&items[0][price]={pro_price}"));
    assert_eq!(upgraded.status, 200, "{}", upgraded.body);
    assert_eq!(catalog.entitled_keys(&customer), ["sso", "sms"]);

    let detached = catalog.delete(&format!("/v1/products/{pro}/features/{detachable}"));
    assert_eq!(
        detached.body,
        json!({"id": detachable, "object": "product_feature", "deleted": true})
    );
    assert_eq!(catalog.entitled_keys(&customer), ["sso", "sms"]);
    catalog.advance_clock(&clock, Timestamp(1_702_592_000));
    assert_eq!(catalog.entitled_keys(&customer), ["sso"]);

    let canceled = catalog.delete(&path);
    assert_eq!((canceled.status, &canceled.body["status"]), (200, &json!("canceled")));
    assert_eq!(catalog.entitled_keys(&customer), [""; 0]);

    let events = catalog.get("/v1/events?type=entitlements.active_entitlement_summary.updated");
    let sizes = events.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["object"]["entitlements"]["data"].as_array().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [0, 1, 2, 1]);
}
