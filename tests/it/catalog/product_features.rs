//! The features of products: how they get there, how they go, and how many there may be.

use serde_json::json;

use super::{
    Shop,
    fixture::{members, stage},
};

/// The ids of a list, newest first.
#[track_caller]
pub(crate) fn listed(shop: &Shop, target: &str) -> Vec<String> {
    let list = shop.get(target).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_feature_is_attached_once_and_anew_after_it_was_detached() {
    let stage = stage();
    let shop = &stage.shop;
    let path = format!("/v1/products/{}/features", stage.product);
    let first = listed(shop, &path).remove(0);
    let form = format!("entitlement_feature={}", stage.feature);
    let message =
        format!("The feature '{}' is attached to this product already: {first}.", stage.feature);
    let expected = (400, "resource_already_exists", "entitlement_feature", message.as_str());
    assert_eq!(shop.post(&path, &form).refusal(), expected);
    let other = shop.product(&[]);
    shop.attach(&other, &stage.feature);

    let gone = json!({ "id": first, "object": "product_feature", "deleted": true });
    assert_eq!(shop.delete(&format!("{path}/{first}")).done(), gone);
    assert_eq!(listed(shop, &path), [""; 0]);
    let second = shop.post(&path, &form).done();
    assert_ne!(second["id"], json!(first));
    let feature = shop.get(&format!("/v1/entitlements/features/{}", stage.feature)).done();
    let names = ["object", "livemode", "entitlement_feature"];
    assert_eq!(members(&second, &names), json!(["product_feature", false, feature]));
    assert_eq!(listed(shop, &path), [second["id"].as_str().unwrap()]);
    assert_eq!(listed(shop, &format!("/v1/products/{other}/features")).len(), 1);
}

#[test]
fn what_is_attached_is_found_at_its_own_product_only() {
    let stage = stage();
    let shop = &stage.shop;
    let (own, other) = (&stage.product, shop.product(&[]));
    let attached = listed(shop, &format!("/v1/products/{own}/features")).remove(0);
    let (feature, product) =
        (format!("No such product feature: '{attached}'"), "No such product: 'x_1'".to_owned());
    for (product, id, message) in [
        (other.as_str(), attached.as_str(), &feature),
        (own, "x_1", &"No such product feature: 'x_1'".to_owned()),
        ("x_1", &attached, &product),
    ] {
        for method in ["GET", "DELETE"] {
            let target = format!("/v1/products/{product}/features/{id}");
            let refused = shop.request(method, &target, &[], "");
            let expected = (404, "resource_missing", "id", message.as_str());
            assert_eq!(refused.refusal(), expected, "{method} {target}");
        }
    }
    let form = format!("entitlement_feature={}", stage.feature);
    for (target, form) in [("features", form.as_str()), ("features/apply", "")] {
        let refused = shop.post(&format!("/v1/products/x_1/{target}"), form);
        let expected = (404, "resource_missing", "id", product.as_str());
        assert_eq!(refused.refusal(), expected, "{target}");
    }
    let shown = shop.get(&format!("/v1/products/{own}/features/{attached}")).done();
    assert_eq!(shown["id"], json!(attached), "it is still there");
}

#[test]
fn only_what_is_there_and_not_archived_is_attached() {
    let stage = stage();
    let path = format!("/v1/products/{}/features", stage.product);
    let fax = stage.shop.feature("fax");
    stage.shop.post(&format!("/v1/entitlements/features/{fax}"), "active=false").done();
    let archived = format!("The feature '{fax}' is archived: it can be attached to no product.");
    for (form, code, message) in [
        (String::new(), "parameter_missing", "Missing required param: entitlement_feature."),
        ("entitlement_feature=x_1".to_owned(), "resource_missing", "No such feature: 'x_1'"),
        (format!("entitlement_feature={fax}"), "parameter_invalid", &archived),
    ] {
        let expected = (400, code, "entitlement_feature", message);
        assert_eq!(stage.shop.post(&path, &form).refusal(), expected);
    }
}

#[test]
fn a_product_has_up_to_1000_features_and_whoever_buys_it_gets_all_of_them() {
    let mut stage = stage();
    stage.shop.rolls_back = false;
    for number in 1..1_000 {
        stage.shop.attach(&stage.product, &stage.shop.feature(&format!("f{number}")));
    }
    let more = stage.shop.feature("more");
    let path = format!("/v1/products/{}/features", stage.product);
    let form = format!("entitlement_feature={more}");
    let message = "A product can have up to 1000 features.";
    assert_eq!(stage.shop.post(&path, &form).refusal(), (400, "", "", message));
    stage.subscribe("");
    let newest = stage.keys();
    assert_eq!((newest.len(), newest[0].as_str()), (100, "f999"));
    let list = format!("/v1/customer/{}/entitlements?limit=100", stage.customer);
    let mut count = 100;
    let mut page = stage.shop.get(&list).done();
    while page["has_more"] == json!(true) {
        let seen = page["data"][99]["id"].as_str().unwrap();
        page = stage.shop.get(&format!("{list}&starting_after={seen}")).done();
        count += page["data"].as_array().unwrap().len();
    }
    assert_eq!((count, &page["data"][99]["lookup_key"]), (1_000, &json!("sms")));
    let attached = listed(&stage.shop, &path).remove(0);
    stage.shop.delete(&format!("{path}/{attached}")).done();
    assert_eq!(stage.shop.post(&path, &form).status, 200);
}
