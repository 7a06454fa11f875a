//! An id, or the whole thing: `expand`.

use serde_json::{Value, json};

use super::{
    Shop,
    fixture::{Stage, stage},
};

#[track_caller]
fn expanded(shop: &Shop, target: &str, path: &str) -> Value {
    let sign = if target.contains('?') { '&' } else { '?' };
    shop.get(&format!("{target}{sign}expand[]={path}")).done()
}

#[track_caller]
fn assert_refused(shop: &Shop, target: &str, path: &str, message: &str) {
    let refused = shop.get(&format!("{target}?expand[]={path}"));
    assert_eq!(refused.refusal(), (400, "parameter_invalid", "expand", message), "{path}");
}

fn subscribed() -> (Stage, String) {
    let stage = stage();
    let subscription = stage.subscribe("&metadata[customer]=cus_1");
    let path = format!("/v1/subscriptions/{subscription}");
    (stage, path)
}

#[test]
fn what_a_path_leads_to_is_shown_whole_and_what_stands_beside_it_is_not() {
    let (stage, subscription) = subscribed();
    let shop = &stage.shop;
    let form = format!("default_price={}", stage.price);
    let product = format!("/v1/products/{}", stage.product);
    shop.post(&product, &form).done();
    let whole = |path: &str| shop.get(path).done();
    let customer = whole(&format!("/v1/customers/{}", stage.customer));
    let clock = whole(&format!("/v1/test_helpers/test_clocks/{}", stage.clock));
    let feature = whole(&format!("/v1/entitlements/features/{}", stage.feature));
    let price = whole(&format!("/v1/prices/{}", stage.price));
    let list = format!("/v1/entitlements/active_entitlements?customer={}", stage.customer);
    let grant = whole(&list)["data"][0]["id"].as_str().unwrap().to_owned();
    let of_customer = format!("/v1/subscriptions?customer={}", stage.customer);
    for (target, path, at, expected) in [
        (&subscription, "customer", "/customer", &customer),
        (&subscription, "test_clock", "/test_clock", &clock),
        (&subscription, "customer.test_clock", "/customer/test_clock", &clock),
        (
            &subscription,
            "items.data.price.product",
            "/items/data/0/price/product",
            &whole(&product),
        ),
        (&subscription, "items.data.plan.product", "/items/data/0/plan/product", &whole(&product)),
        (
            &subscription,
            "items.data.price.product.default_price",
            "/items/data/0/price/product/default_price",
            &price,
        ),
        (&subscription, "latest_invoice", "/latest_invoice", &Value::Null),
        (&subscription, "latest_invoice.charge", "/latest_invoice", &Value::Null),
        (&of_customer, "data.customer", "/data/0/customer", &customer),
        (&list, "data.feature", "/data/0/feature", &feature),
        (&format!("/v1/entitlements/active_entitlements/{grant}"), "feature", "/feature", &feature),
        (&product, "default_price", "/default_price", &price),
        (&product, "default_price.product", "/default_price/product", &{
            let mut within = whole(&product);
            within["default_price"] = json!(stage.price);
            within
        }),
    ] {
        let plain = whole(target);
        let mut shown = expanded(shop, target, path);
        assert_eq!(shown.pointer(at), Some(expected), "{path}");
        // Put back to what it was, nothing else is different.
        let first = at.split('/').nth(1).unwrap();
        shown[first] = plain[first].clone();
        assert_eq!(shown, plain, "{path}");
    }
}

#[test]
fn several_paths_are_all_followed_and_one_may_lead_on_from_another() {
    let (stage, subscription) = subscribed();
    let query = "expand[]=customer.test_clock&expand[]=customer&expand[]=items.data.price.product";
    let shown = stage.shop.get(&format!("{subscription}?{query}")).done();
    for (at, object) in [
        ("/customer/object", "customer"),
        ("/customer/test_clock/object", "test_helpers.test_clock"),
        ("/items/data/0/price/product/object", "product"),
    ] {
        assert_eq!(shown.pointer(at), Some(&json!(object)));
    }
    let all = |count: usize| {
        let paths: String = (0..count).map(|_| "expand[]=customer&").collect();
        stage.shop.get(&format!("{subscription}?{paths}"))
    };
    assert_eq!(all(20).status, 200);
    let message = "You can expand at most 20 properties.";
    assert_eq!(all(21).refusal(), (400, "parameter_invalid", "expand", message));
}

#[test]
fn a_path_that_leads_nowhere_or_into_the_callers_own_words_is_refused() {
    let (stage, subscription) = subscribed();
    for path in [
        "",
        ".",
        "nothing",
        "status",
        "id",
        "cancel_at_period_end",
        "data.customer",
        "customer.",
        "customer.nothing",
        "customer.livemode.domain",
        "items.data",
        "items.data.id",
        "metadata",
        "metadata.customer",
        "customer.metadata",
        "items.data.price.metadata",
    ] {
        let message = format!("This property cannot be expanded ({path}).");
        assert_refused(&stage.shop, &subscription, path, &message);
    }
}

#[test]
fn a_path_has_four_members_and_data_counts_for_none() {
    let (stage, subscription) = subscribed();
    let four = "items.data.price.product.default_price";
    let five = "items.data.price.product.default_price.product";
    assert_eq!(expanded(&stage.shop, &subscription, four)["object"], json!("subscription"));
    let message = format!("You cannot expand more than 4 levels of a property ({five}).");
    assert_refused(&stage.shop, &subscription, five, &message);
    let list = expanded(&stage.shop, "/v1/subscriptions?status=all", &format!("data.{four}"));
    assert_eq!(list["object"], json!("list"));
}

#[test]
fn what_cannot_be_shown_as_asked_is_not_done() {
    let stage = stage();
    let refused = stage.shop.post("/v1/products", "id=lamp&name=Lamp&expand[]=nothing");
    assert_eq!(refused.status, 400);
    assert_eq!(stage.shop.get("/v1/products/lamp").status, 404);
    let form = "id=lamp&name=Lamp&default_price_data[currency]=usd&expand[]=default_price";
    let made = stage.shop.post("/v1/products", form).done();
    assert_eq!(made["default_price"]["object"], json!("price"));
}

#[test]
fn what_is_gone_is_shown_as_gone_and_keeps_nothing_else_from_being_shown() {
    let (stage, subscription) = subscribed();
    stage.shop.delete(&format!("/v1/test_helpers/test_clocks/{}", stage.clock)).done();
    stage.shop.work();
    let gone = expanded(&stage.shop, &subscription, "customer");
    let deleted = json!({ "id": stage.customer, "object": "customer", "deleted": true });
    assert_eq!(gone["customer"], deleted);
    let gone = expanded(&stage.shop, &subscription, "test_clock");
    assert_eq!(gone["test_clock"]["id"], json!(stage.clock));
    assert_eq!(gone["test_clock"]["deleted"], json!(true));
}
