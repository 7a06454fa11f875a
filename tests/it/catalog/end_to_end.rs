//! The way through: features are set up, sold, granted, changed and taken away.

use entgate::id::Timestamp;
use serde_json::json;

use super::shop;

#[test]
fn what_is_bought_is_granted_until_it_is_canceled() {
    let shop = shop();
    let sms = shop.make("/v1/entitlements/features", "lookup_key=sms&name=SMS");
    let sso = shop.make("/v1/entitlements/features", "lookup_key=sso&name=SSO");
    let basic = shop.make("/v1/products", "name=Basic");
    let pro = shop.make("/v1/products", "name=Pro");
    let attach = |product: &str, feature: &str| {
        let form = format!("entitlement_feature={feature}");
        shop.make(&format!("/v1/products/{product}/features"), &form)
    };
    attach(&basic, &sms);
    let detachable = attach(&pro, &sms);
    attach(&pro, &sso);
    let price = |product: &str| {
        let form =
            format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
        shop.make("/v1/prices", &form)
    };
    let (cheap, dear) = (price(&basic), price(&pro));
    let clock = shop.make("/v1/test_helpers/test_clocks", "frozen_time=1700000000");
    let customer = shop.make("/v1/customers", &format!("test_clock={clock}&email=ada@example.com"));
    let form = format!("customer={customer}&items[0][price]={cheap}");
    let subscription = shop.make("/v1/subscriptions", &form);
    assert_eq!(shop.keys(&customer), ["sms"]);

    let path = format!("/v1/subscriptions/{subscription}");
    let item = shop.get(&path).body["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    let upgraded = shop.post(&path, &format!("items[0][id]={item}&items[0][price]={dear}"));
    assert_eq!(upgraded.status, 200, "{}", upgraded.body);
    assert_eq!(shop.keys(&customer), ["sso", "sms"]);

    let detached = shop.delete(&format!("/v1/products/{pro}/features/{detachable}"));
    assert_eq!(
        detached.body,
        json!({"id": detachable, "object": "product_feature", "deleted": true})
    );
    assert_eq!(shop.keys(&customer), ["sso", "sms"]);
    shop.advance(&clock, Timestamp(1_702_592_000));
    assert_eq!(shop.keys(&customer), ["sso"]);

    let canceled = shop.delete(&path);
    assert_eq!((canceled.status, &canceled.body["status"]), (200, &json!("canceled")));
    assert_eq!(shop.keys(&customer), [""; 0]);

    let events = shop.get("/v1/events?type=entitlements.active_entitlement_summary.updated");
    let told = events.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["object"]["entitlements"]["data"].as_array().unwrap().len());
    assert_eq!(told.collect::<Vec<_>>(), [0, 1, 2, 1]);
}
