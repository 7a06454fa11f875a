//! Product features: how features are attached to products and detached, and how many.
//!
//! Specification: <https://docs.stripe.com/api/product-feature>.

use serde_json::json;

use super::{fixture::fixture, test_catalog::members};

#[test]
fn a_feature_is_attached_once_and_again_after_it_is_detached() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let path = format!("/v1/products/{}/features", fixture.product);
    let first = catalog.list_ids(&path).remove(0);
    let form = format!("entitlement_feature={}", fixture.feature);
    let message =
        format!("The feature '{}' is attached to this product already: {first}.", fixture.feature);
    let expected = (400, "resource_already_exists", "entitlement_feature", message.as_str());
    assert_eq!(catalog.post(&path, &form).error(), expected);
    let other = catalog.create_product(&[]);
    catalog.attach(&other, &fixture.feature);

    let deleted = json!({ "id": first, "object": "product_feature", "deleted": true });
    assert_eq!(catalog.delete(&format!("{path}/{first}")).expect_ok(), deleted);
    assert_eq!(catalog.list_ids(&path), [""; 0]);
    let second = catalog.post(&path, &form).expect_ok();
    assert_ne!(second["id"], json!(first));
    let feature =
        catalog.get(&format!("/v1/entitlements/features/{}", fixture.feature)).expect_ok();
    let names = ["object", "livemode", "entitlement_feature"];
    assert_eq!(members(&second, &names), json!(["product_feature", false, feature]));
    assert_eq!(catalog.list_ids(&path), [second["id"].as_str().unwrap()]);
    assert_eq!(catalog.list_ids(&format!("/v1/products/{other}/features")).len(), 1);
}

#[test]
fn a_product_feature_exists_only_under_its_own_product() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let (own, other) = (&fixture.product, catalog.create_product(&[]));
    let attached = catalog.list_ids(&format!("/v1/products/{own}/features")).remove(0);
    let feature = format!("No such product feature: '{attached}'");
    let product = "No such product: 'x_1'".to_owned();
    for (product, id, message) in [
        (other.as_str(), attached.as_str(), &feature),
        (own, "x_1", &"No such product feature: 'x_1'".to_owned()),
        ("x_1", &attached, &product),
    ] {
        for method in ["GET", "DELETE"] {
            let target = format!("/v1/products/{product}/features/{id}");
            let rejected = catalog.request(method, &target, &[], "");
            let expected = (404, "resource_missing", "id", message.as_str());
            assert_eq!(rejected.error(), expected, "{method} {target}");
        }
    }
    let form = format!("entitlement_feature={}", fixture.feature);
    for (target, form) in [("features", form.as_str()), ("features/apply", "")] {
        let rejected = catalog.post(&format!("/v1/products/x_1/{target}"), form);
        let expected = (404, "resource_missing", "id", product.as_str());
        assert_eq!(rejected.error(), expected, "{target}");
    }
    let found = catalog.get(&format!("/v1/products/{own}/features/{attached}")).expect_ok();
    assert_eq!(found["id"], json!(attached), "it still exists");
}

#[test]
fn only_an_existing_feature_that_is_not_archived_can_be_attached() {
    let fixture = fixture();
    let path = format!("/v1/products/{}/features", fixture.product);
    let fax = fixture.catalog.create_feature("fax");
    fixture.catalog.post(&format!("/v1/entitlements/features/{fax}"), "active=false").expect_ok();
    let archived = format!("The feature '{fax}' is archived and cannot be attached to a product.");
    for (form, code, message) in [
        (String::new(), "parameter_missing", "Missing required param: entitlement_feature."),
        ("entitlement_feature=x_1".to_owned(), "resource_missing", "No such feature: 'x_1'"),
        (format!("entitlement_feature={fax}"), "parameter_invalid", &archived),
    ] {
        let expected = (400, code, "entitlement_feature", message);
        assert_eq!(fixture.catalog.post(&path, &form).error(), expected);
    }
}

#[test]
fn a_product_has_up_to_1000_features_and_a_subscription_grants_all_of_them() {
    let mut fixture = fixture();
    fixture.catalog.rolls_back = false;
    for number in 1..1_000 {
        fixture
            .catalog
            .attach(&fixture.product, &fixture.catalog.create_feature(&format!("f{number}")));
    }
    let extra = fixture.catalog.create_feature("extra");
    let path = format!("/v1/products/{}/features", fixture.product);
    let form = format!("entitlement_feature={extra}");
    let message = "A product can have up to 1000 features.";
    assert_eq!(fixture.catalog.post(&path, &form).error(), (400, "", "", message));
    fixture.subscribe("");
    let keys = fixture.entitled_keys();
    assert_eq!((keys.len(), keys[0].as_str()), (100, "f999"));
    let list = format!("/v1/customer/{}/entitlements?limit=100", fixture.customer);
    let mut count = 100;
    let mut page = fixture.catalog.get(&list).expect_ok();
    while page["has_more"] == json!(true) {
        let cursor = page["data"][99]["id"].as_str().unwrap();
        page = fixture.catalog.get(&format!("{list}&starting_after={cursor}")).expect_ok();
        count += page["data"].as_array().unwrap().len();
    }
    assert_eq!((count, &page["data"][99]["lookup_key"]), (1_000, &json!("sms")));
    let attached = fixture.catalog.list_ids(&path).remove(0);
    fixture.catalog.delete(&format!("{path}/{attached}")).expect_ok();
    assert_eq!(fixture.catalog.post(&path, &form).status, 200);
}
