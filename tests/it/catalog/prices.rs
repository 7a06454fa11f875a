//! Prices: what they are of, how often they recur, and the keys that they are found by.

use serde_json::{Value, json};

use super::{
    Shop,
    fixture::{members, stage},
    shop,
};

const PATH: &str = "/v1/prices";

/// The active prices of a key by their ids.
#[track_caller]
fn found(shop: &Shop, key: &str) -> Vec<String> {
    let list = shop.get(&format!("{PATH}?lookup_keys[]={key}&active=true")).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|price| price["id"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn key_of(shop: &Shop, price: &str) -> Value {
    shop.get(&format!("{PATH}/{price}")).done()["lookup_key"].clone()
}

#[test]
fn a_price_whose_key_was_taken_meanwhile_cannot_be_active_again_with_it() {
    let stage = stage();
    let form = format!("product={}&currency=usd&lookup_key=gold", stage.product);
    let before = stage.shop.make(PATH, &form);
    stage.shop.post(&format!("{PATH}/{before}"), "active=false").done();
    let present = stage.shop.make(PATH, &form);
    let again = stage.shop.post(&format!("{PATH}/{before}"), "active=true");
    assert_eq!((again.status, found(&stage.shop, "gold")), (400, vec![present]));
}

#[test]
fn a_price_is_of_a_product_that_is_there_or_of_one_that_is_made_with_it() {
    let shop = shop();
    let made = shop.post(PATH, "currency=usd&product_data[name]=Lamp&product_data[id]=lamp").done();
    assert_eq!(members(&made, &["product", "type"]), json!(["lamp", "one_time"]));
    assert_eq!(shop.get("/v1/products/lamp").done()["name"], json!("Lamp"));
    shop.make(PATH, "currency=usd&product=lamp&lookup_key=gold");
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
        let refused = shop.post(PATH, &format!("currency=usd&{form}"));
        assert_eq!(refused.refusal(), (400, code, param, message), "{form}");
    }
    assert_eq!(shop.post(PATH, "currency=usd&product_data[name]=x&lookup_key=gold").status, 400);
    let products = shop.get("/v1/products").done();
    assert_eq!(products["data"].as_array().unwrap().len(), 1, "none of what is refused");
}

/// <https://docs.stripe.com/api/prices/create#create_price-recurring-interval_count>
#[test]
fn a_price_recurs_after_three_years_at_most() {
    let stage = stage();
    let form = format!("product={}&currency=usd&recurring", stage.product);
    for (interval, most) in [("day", 1_095), ("week", 156), ("month", 36), ("year", 3)] {
        let price = |count: u32| {
            let recurring = format!("[interval]={interval}&recurring[interval_count]={count}");
            stage.shop.post(PATH, &format!("{form}{recurring}"))
        };
        for count in [1, most] {
            assert_eq!(price(count).done()["recurring"]["interval_count"], json!(count));
        }
        for (count, bound) in
            [(0, "greater than or equal to 1"), (most + 1, "less than or equal to")]
        {
            let refused = price(count);
            let (status, code, param, message) = refused.refusal();
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
    let stage = stage();
    let form = format!("product={}", stage.product);
    for (more, status) in [
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
        assert_eq!(stage.shop.post(PATH, &format!("{form}&{more}")).status, status, "{more}");
    }
}

#[test]
fn a_key_is_moved_where_that_is_asked_for_and_its_holder_is_told_of() {
    let stage = stage();
    let shop = &stage.shop;
    let form = format!("product={}&currency=usd&lookup_key=gold", stage.product);
    let first = shop.make(PATH, &form);
    let message = format!(
        "A price ({first}) already uses that lookup key. You can transfer it with \
         transfer_lookup_key=true."
    );
    let refused = shop.post(PATH, &format!("{form}&transfer_lookup_key=false"));
    assert_eq!(refused.refusal(), (400, "parameter_invalid", "lookup_key", message.as_str()));

    let second = shop.make(PATH, &format!("{form}&transfer_lookup_key=true"));
    assert_eq!(found(shop, "gold"), [second.as_str()]);
    assert_eq!(key_of(shop, &first), json!(null));
    let told = shop.get("/v1/events?type=price.updated").done();
    assert_eq!(told["data"][0]["data"]["object"]["id"], json!(first));
    assert_eq!(told["data"][0]["data"]["previous_attributes"], json!({ "lookup_key": "gold" }));

    let path = format!("{PATH}/{first}");
    shop.post(&path, "lookup_key=gold&transfer_lookup_key=true").done();
    shop.post(&path, "lookup_key=gold").done();
    assert_eq!((found(shop, "gold"), key_of(shop, &second)), (vec![first.clone()], json!(null)));
    shop.post(&path, "lookup_key=").done();
    assert_eq!((found(shop, "gold"), key_of(shop, &first)), (vec![], json!(null)));
}

#[test]
fn a_key_has_up_to_200_characters_and_a_list_is_asked_for_10_of_them() {
    let stage = stage();
    let shop = &stage.shop;
    let form = format!("product={}&currency=usd&lookup_key", stage.product);
    assert_eq!(shop.post(PATH, &format!("{form}={}", "é".repeat(200))).status, 200);
    assert_eq!(shop.post(PATH, &format!("{form}={}", "é".repeat(201))).status, 400);
    for number in 0..11 {
        shop.make(PATH, &format!("{form}=k{number}"));
    }
    let list = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| format!("lookup_keys[]=k{number}")).collect();
        shop.get(&format!("{PATH}?limit=100&{}", keys.join("&")))
    };
    let ten = list(10).done();
    let keys = ten["data"].as_array().unwrap().iter().map(|price| &price["lookup_key"]);
    let expected: Vec<_> = (0..10).rev().map(|number| json!(format!("k{number}"))).collect();
    assert_eq!(keys.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    let message = "You can ask for at most 10 lookup keys at once.";
    assert_eq!(list(11).refusal(), (400, "parameter_invalid", "lookup_keys", message));
}
