//! Products: their ids, their default prices, and when they can be deleted.

use serde_json::json;

use super::{
    Shop,
    fixture::{members, stage},
    shop,
};

const PATH: &str = "/v1/products";

#[track_caller]
fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let list = shop.get(&format!("{PATH}?{query}")).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|product| product["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_id_of_ones_own_has_1_to_255_letters_digits_and_marks() {
    let shop = shop();
    let (most, more) = ("i".repeat(255), "i".repeat(256));
    let marks = "An id has letters, digits and marks, and no `/`, blank or accent.";
    let long = format!("Invalid string: {}…; must be at most 255 characters", "i".repeat(60));
    for path in [PATH, "/v1/customers"] {
        for id in ["a", &most, "a-b_c.d:e~f!"] {
            assert_eq!(shop.make(path, &format!("id={id}&name=x")), id);
            assert_eq!(shop.get(&format!("{path}/{id}")).done()["id"], json!(id));
        }
        for (id, message) in [
            (more.as_str(), long.as_str()),
            ("a/b", marks),
            ("a%20b", marks),
            ("a%0Ab", marks),
            ("é", marks),
        ] {
            let refused = shop.post(path, &format!("id={id}&name=x"));
            assert_eq!(refused.refusal(), (400, "parameter_invalid", "id", message), "{id}");
        }
        let refused = shop.post(path, "id=&name=x");
        let (status, code, param, _) = refused.refusal();
        assert_eq!((status, code, param), (400, "parameter_invalid_empty", "id"));
    }
    let again = shop.post(PATH, "id=a&name=x");
    assert_eq!(again.refusal(), (400, "resource_already_exists", "id", "Product already exists."));
}

#[test]
fn a_default_price_is_made_with_its_product_or_neither_is() {
    let shop = shop();
    let data = "default_price_data[currency]=EUR&default_price_data[unit_amount]=900&\
                default_price_data[recurring][interval]=year";
    let product = shop.post(PATH, &format!("name=Lamp&{data}")).done();
    let price = product["default_price"].as_str().unwrap();
    let price = shop.get(&format!("/v1/prices/{price}")).done();
    assert_eq!(
        members(&price, &["product", "currency", "unit_amount", "type"]),
        json!([product["id"], "eur", 900, "recurring"])
    );
    assert_eq!(members(&price["recurring"], &["interval", "interval_count"]), json!(["year", 1]));

    for (form, code, param) in [
        ("default_price_data[unit_amount]=1", "parameter_missing", "default_price_data[currency]"),
        (
            "default_price_data[currency]=eur&default_price_data[product]=x",
            "parameter_unknown",
            "default_price_data[product]",
        ),
        (
            "default_price_data[currency]=eur&default_price_data[recurring][interval_count]=1",
            "parameter_missing",
            "default_price_data[recurring][interval]",
        ),
        ("default_price_data=eur", "parameter_invalid", "default_price_data"),
    ] {
        let refused = shop.post(PATH, &format!("name=Desk&{form}"));
        let (status, told, about, _) = refused.refusal();
        assert_eq!((status, told, about), (400, code, param), "{form}");
    }
    assert_eq!(listed(&shop, ""), [product["id"].as_str().unwrap()]);
}

#[test]
fn a_default_price_is_one_of_the_product_itself_and_can_be_taken_away() {
    let stage = stage();
    let (shop, price) = (&stage.shop, &stage.price);
    let path = format!("{PATH}/{}", stage.product);
    let own = shop.post(&path, &format!("default_price={price}")).done();
    assert_eq!(own["default_price"], json!(price));
    assert_eq!(shop.post(&path, "default_price=").done()["default_price"], json!(null));

    let other = shop.product(&[]);
    let message = format!("The price '{price}' is of another product, '{}'.", stage.product);
    let refused = shop.post(&format!("{PATH}/{other}"), &format!("default_price={price}"));
    let expected = (400, "parameter_invalid", "default_price", message.as_str());
    assert_eq!(refused.refusal(), expected);
    let unknown = shop.post(&path, "default_price=x_1");
    let expected = (400, "resource_missing", "default_price", "No such price: 'x_1'");
    assert_eq!(unknown.refusal(), expected);
}

#[test]
fn a_product_with_a_price_stays_and_one_without_goes_with_its_features() {
    let stage = stage();
    let shop = &stage.shop;
    shop.post(&format!("/v1/prices/{}", stage.price), "active=false").done();
    let message = "This product cannot be deleted because it has one or more user-created prices.";
    let refused = shop.delete(&format!("{PATH}/{}", stage.product));
    assert_eq!(refused.refusal(), (400, "", "", message), "though the price is not active");

    shop.make(PATH, "id=mine&name=Mine");
    let attached = shop.attach("mine", &stage.feature);
    let deleted = shop.delete(&format!("{PATH}/mine")).done();
    assert_eq!(deleted, json!({ "id": "mine", "object": "product", "deleted": true }));
    for method in ["GET", "DELETE"] {
        let gone = shop.request(method, &format!("{PATH}/mine"), &[], "");
        assert_eq!(gone.refusal(), (404, "resource_missing", "id", "No such product: 'mine'"));
    }
    shop.make(PATH, "id=mine&name=Mine");
    assert_eq!(shop.get(&format!("{PATH}/mine/features")).done()["data"], json!([]));
    assert_eq!(shop.get(&format!("{PATH}/mine/features/{attached}")).status, 404);
}

#[test]
fn a_product_that_is_no_longer_active_is_listed_among_those() {
    let shop = shop();
    let (one, two) = (shop.product(&[]), shop.product(&[]));
    shop.post(&format!("{PATH}/{one}"), "active=false").done();
    for (query, expected) in [
        ("", vec![&two, &one]),
        ("active=true", vec![&two]),
        ("active=false", vec![&one]),
        (&format!("ids[]={one}&ids[]={two}&active=true"), vec![&two]),
        ("ids[]=x_1", vec![]),
    ] {
        assert_eq!(listed(&shop, query).iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

/// Lists that are never null, by the types of Stripe's SDKs. An empty text clears a list.
#[test]
fn what_is_a_list_in_a_product_is_one_whatever_is_sent() {
    let shop = shop();
    for (form, images) in [("images=", json!([])), ("images[1]=b&images[0]=a", json!(["a", "b"]))] {
        let product = shop.post(PATH, &format!("name=x&{form}")).done();
        assert_eq!(product["images"], images, "{form}");
    }
    let product = shop.post(PATH, "name=x&marketing_features=").done();
    assert_eq!(product["marketing_features"], json!([]));
    assert_eq!(shop.post(PATH, "name=x&images=a").status, 400);
}
