//! Prices: products, amounts, intervals and lookup keys.
//!
//! Specification: <https://docs.stripe.com/api/prices>.

use serde_json::{Value, json};

use super::{
    fixture::fixture,
    test_catalog::{TestCatalog, members},
};

const PATH: &str = "/v1/prices";

/// The ids of the active prices with a lookup key.
#[track_caller]
fn list_by_key(catalog: &TestCatalog, key: &str) -> Vec<String> {
    catalog.list_ids(&format!("{PATH}?lookup_keys[]={key}&active=true"))
}

#[track_caller]
fn lookup_key(catalog: &TestCatalog, price: &str) -> Value {
    catalog.get(&format!("{PATH}/{price}")).expect_ok()["lookup_key"].clone()
}

#[test]
fn a_price_whose_lookup_key_is_in_use_cannot_be_reactivated() {
    let fixture = fixture();
    let form = format!("product={}&currency=usd&unit_amount=500&lookup_key=gold", fixture.product);
    let first = fixture.catalog.create(PATH, &form);
    fixture.catalog.post(&format!("{PATH}/{first}"), "active=false").expect_ok();
    let second = fixture.catalog.create(PATH, &form);
    let rejected = fixture.catalog.post(&format!("{PATH}/{first}"), "active=true");
    assert_eq!((rejected.status, list_by_key(&fixture.catalog, "gold")), (400, vec![second]));
}

#[test]
fn a_price_belongs_to_an_existing_product_or_to_one_created_with_it() {
    let catalog = TestCatalog::new();
    let created = catalog
        .post(PATH, "currency=usd&unit_amount=500&product_data[name]=Lamp&product_data[id]=lamp")
        .expect_ok();
    assert_eq!(members(&created, &["product", "type"]), json!(["lamp", "one_time"]));
    assert_eq!(catalog.get("/v1/products/lamp").expect_ok()["name"], json!("Lamp"));
    catalog.create(PATH, "currency=usd&unit_amount=500&product=lamp&lookup_key=gold");
    let both = "You may only specify one of these parameters: product, product_data.";
    for (form, code, param, message) in [
        ("", "parameter_missing", "product", "Missing required param: product."),
        (
            "product_data[active]=true",
            "parameter_missing",
            "product_data[name]",
            "Missing required param: product_data[name].",
        ),
        ("product=lamp&product_data[name]=x", "parameters_exclusive", "product_data", both),
        ("product=x_1", "resource_missing", "product", "No such product: 'x_1'"),
        (
            "product_data[name]=x&product_data[colour]=red",
            "parameter_unknown",
            "product_data[colour]",
            "Received unknown parameter: product_data[colour]",
        ),
    ] {
        let rejected = catalog.post(PATH, &format!("currency=usd&unit_amount=500&{form}"));
        assert_eq!(rejected.error(), (400, code, param, message), "{form}");
    }
    assert_eq!(
        catalog
            .post(PATH, "currency=usd&unit_amount=500&product_data[name]=x&lookup_key=gold")
            .status,
        400
    );
    let products = catalog.get("/v1/products").expect_ok();
    assert_eq!(
        products["data"].as_array().unwrap().len(),
        1,
        "a rejected price creates no product"
    );
}

/// <https://docs.stripe.com/api/prices/create#create_price-recurring-interval_count>
#[test]
fn a_billing_interval_is_at_most_three_years() {
    let fixture = fixture();
    let form = format!("product={}&currency=usd&unit_amount=500&recurring", fixture.product);
    for (interval, max) in [("day", 1_095), ("week", 156), ("month", 36), ("year", 3)] {
        let price = |count: u32| {
            let recurring = format!("[interval]={interval}&recurring[interval_count]={count}");
            fixture.catalog.post(PATH, &format!("{form}{recurring}"))
        };
        for count in [1, max] {
            assert_eq!(price(count).expect_ok()["recurring"]["interval_count"], json!(count));
        }
        for (count, bound) in
            [(0, "greater than or equal to 1"), (max + 1, "less than or equal to")]
        {
            let rejected = price(count);
            let (status, code, param, message) = rejected.error();
            assert_eq!(
                (status, code, param),
                (400, "parameter_invalid_integer", "recurring[interval_count]"),
                "{count} {interval}s"
            );
            assert!(message.contains(bound), "{message}");
        }
    }
}

#[test]
fn an_amount_has_up_to_twelve_digits_and_a_currency_three_letters() {
    let fixture = fixture();
    let form = format!("product={}", fixture.product);
    for (params, status) in [
        ("currency=usd&unit_amount=0", 200),
        ("currency=usd&unit_amount=999999999999", 200),
        ("currency=usd&unit_amount=1000000000000", 400),
        ("currency=usd&unit_amount=-1", 400),
        ("currency=USD&unit_amount=1", 200),
        ("currency=us&unit_amount=1", 400),
        ("currency=usdx&unit_amount=1", 400),
        ("currency=u5d&unit_amount=1", 400),
        ("currency=&unit_amount=1", 400),
    ] {
        assert_eq!(
            fixture.catalog.post(PATH, &format!("{form}&{params}")).status,
            status,
            "{params}"
        );
    }
}

#[test]
fn a_price_has_an_amount_unless_it_is_tiered_or_the_customer_chooses_it() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("product={}&currency=usd&recurring[interval]=month", fixture.product);
    let amounts = |form: &str| {
        let price = catalog.post(PATH, form).expect_ok();
        members(&price, &["unit_amount", "unit_amount_decimal"])
    };
    for (params, expected) in [
        ("unit_amount=0", json!([0, "0"])),
        ("unit_amount=500", json!([500, "500"])),
        ("unit_amount_decimal=500", json!([500, "500"])),
        ("unit_amount_decimal=0.000", json!([0, "0"])),
        ("unit_amount_decimal=12.50", json!([null, "12.5"])),
        ("unit_amount_decimal=0.000000000001", json!([null, "0.000000000001"])),
        ("unit_amount_decimal=999999999999.5", json!([null, "999999999999.5"])),
        ("billing_scheme=per_unit&unit_amount=1", json!([1, "1"])),
        (
            "billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=inf&tiers[0][unit_amount]=5",
            json!([null, null]),
        ),
        ("custom_unit_amount[enabled]=true", json!([null, null])),
    ] {
        assert_eq!(amounts(&format!("{form}&{params}")), expected, "{params}");
    }
    let missing = "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.";
    let both = "You may only specify one of these parameters: unit_amount, unit_amount_decimal.";
    for (params, code, param, message) in [
        ("", "parameter_missing", "unit_amount", missing.to_owned()),
        ("billing_scheme=per_unit", "parameter_missing", "unit_amount", missing.to_owned()),
        (
            "unit_amount=1&unit_amount_decimal=1",
            "parameters_exclusive",
            "unit_amount_decimal",
            both.to_owned(),
        ),
        (
            "billing_scheme=flat",
            "parameter_invalid",
            "billing_scheme",
            "Invalid billing_scheme: must be one of per_unit, tiered".to_owned(),
        ),
    ] {
        let rejected = catalog.post(PATH, &format!("{form}&{params}"));
        assert_eq!(rejected.error(), (400, code, param, message.as_str()), "{params}");
    }
    for decimal in ["ten", "-1", "1.", ".5", "1.0000000000001", "1000000000000", "1e3", "1,5"] {
        let rejected = catalog.post(PATH, &format!("{form}&unit_amount_decimal={decimal}"));
        let message = format!(
            "Invalid decimal: {decimal}; must be a positive number with at most 12 decimal places."
        );
        let expected = (400, "parameter_invalid", "unit_amount_decimal", message.as_str());
        assert_eq!(rejected.error(), expected);
    }
    let item = "items[0][price_data]";
    let inline = format!("{item}[currency]=usd&{item}[product]={}", fixture.product);
    let form = format!("customer={}&{inline}&{item}[recurring][interval]=month", fixture.customer);
    for (target, form, param) in [
        ("/v1/subscriptions", form.as_str(), "items[0][price_data][unit_amount]"),
        (
            "/v1/products",
            "name=x&default_price_data[currency]=usd",
            "default_price_data[unit_amount]",
        ),
    ] {
        let rejected = catalog.post(target, form);
        assert_eq!(rejected.error(), (400, "parameter_missing", param, missing));
    }
}

#[test]
fn an_amount_with_decimal_places_is_not_free() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("product={}&currency=usd&recurring[interval]=month", fixture.product);
    for (amount, status) in [("0.0", "active"), ("0.5", "incomplete")] {
        let price = catalog.create(PATH, &format!("{form}&unit_amount_decimal={amount}"));
        let form = format!(
            "customer={}&items[0][price]={price}&payment_behavior=default_incomplete",
            fixture.customer
        );
        let subscription = catalog.post("/v1/subscriptions", &form).expect_ok();
        assert_eq!(subscription["status"], json!(status), "{amount}");
        let plan = &subscription["items"]["data"][0]["plan"];
        let expected = if status == "active" { json!([0, "0"]) } else { json!([null, "0.5"]) };
        assert_eq!(members(plan, &["amount", "amount_decimal"]), expected);
    }
}

#[test]
fn a_lookup_key_is_transferred_on_request_and_its_previous_owner_emits_an_event() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("product={}&currency=usd&unit_amount=500&lookup_key=gold", fixture.product);
    let first = catalog.create(PATH, &form);
    let message = format!(
        "A price ({first}) already uses that lookup key. You can transfer it with \
         transfer_lookup_key=true."
    );
    let rejected = catalog.post(PATH, &format!("{form}&transfer_lookup_key=false"));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "lookup_key", message.as_str()));

    let second = catalog.create(PATH, &format!("{form}&transfer_lookup_key=true"));
    assert_eq!(list_by_key(catalog, "gold"), [second.as_str()]);
    assert_eq!(lookup_key(catalog, &first), json!(null));
    let events = catalog.get("/v1/events?type=price.updated").expect_ok();
    assert_eq!(events["data"][0]["data"]["object"]["id"], json!(first));
    assert_eq!(events["data"][0]["data"]["previous_attributes"], json!({ "lookup_key": "gold" }));

    let path = format!("{PATH}/{first}");
    catalog.post(&path, "lookup_key=gold&transfer_lookup_key=true").expect_ok();
    catalog.post(&path, "lookup_key=gold").expect_ok();
    assert_eq!(
        (list_by_key(catalog, "gold"), lookup_key(catalog, &second)),
        (vec![first.clone()], json!(null))
    );
    catalog.post(&path, "lookup_key=").expect_ok();
    assert_eq!((list_by_key(catalog, "gold"), lookup_key(catalog, &first)), (vec![], json!(null)));
}

#[test]
fn a_lookup_key_has_up_to_200_characters_and_a_list_accepts_10_of_them() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("product={}&currency=usd&unit_amount=500&lookup_key", fixture.product);
    assert_eq!(catalog.post(PATH, &format!("{form}={}", "é".repeat(200))).status, 200);
    assert_eq!(catalog.post(PATH, &format!("{form}={}", "é".repeat(201))).status, 400);
    for number in 0..11 {
        catalog.create(PATH, &format!("{form}=k{number}"));
    }
    let list = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| format!("lookup_keys[]=k{number}")).collect();
        catalog.get(&format!("{PATH}?limit=100&{}", keys.join("&")))
    };
    let ten = list(10).expect_ok();
    let keys = ten["data"].as_array().unwrap().iter().map(|price| &price["lookup_key"]);
    let expected: Vec<_> = (0..10).rev().map(|number| json!(format!("k{number}"))).collect();
    assert_eq!(keys.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    let message = "You can ask for at most 10 lookup keys at once.";
    assert_eq!(list(11).error(), (400, "parameter_invalid", "lookup_keys", message));
}
