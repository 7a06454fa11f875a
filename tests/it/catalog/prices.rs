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
    let form = format!("product={}&currency=usd&lookup_key=gold", fixture.product);
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
        .post(PATH, "currency=usd&product_data[name]=Lamp&product_data[id]=lamp")
        .expect_ok();
    assert_eq!(members(&created, &["product", "type"]), json!(["lamp", "one_time"]));
    assert_eq!(catalog.get("/v1/products/lamp").expect_ok()["name"], json!("Lamp"));
    catalog.create(PATH, "currency=usd&product=lamp&lookup_key=gold");
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
        let rejected = catalog.post(PATH, &format!("currency=usd&{form}"));
        assert_eq!(rejected.error(), (400, code, param, message), "{form}");
    }
    assert_eq!(catalog.post(PATH, "currency=usd&product_data[name]=x&lookup_key=gold").status, 400);
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
    let form = format!("product={}&currency=usd&recurring", fixture.product);
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
        ("currency=USD", 200),
        ("currency=us", 400),
        ("currency=usdx", 400),
        ("currency=u5d", 400),
        ("currency=", 400),
    ] {
        assert_eq!(
            fixture.catalog.post(PATH, &format!("{form}&{params}")).status,
            status,
            "{params}"
        );
    }
}

#[test]
fn a_lookup_key_is_transferred_on_request_and_its_previous_owner_emits_an_event() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("product={}&currency=usd&lookup_key=gold", fixture.product);
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
    let form = format!("product={}&currency=usd&lookup_key", fixture.product);
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
