//! Parameters: how they are written, and in which words they are refused.

use entgate::{api::catalog::MAX_BODY_BYTES, id::Timestamp};
use serde_json::json;

use super::{fixture::stage, shop};

#[test]
fn what_is_no_parameter_of_a_request_is_named_as_it_was_written() {
    let stage = stage();
    let purchase = stage.purchase("");
    for (target, form, names) in [
        ("/v1/customers", "colour=red".to_owned(), ": colour"),
        ("/v1/customers", "b=1&name=x&a=2".to_owned(), "s: b, a"),
        ("/v1/subscriptions", format!("{purchase}&items[0][colour]=red"), ": items[0][colour]"),
        ("/v1/subscriptions", format!("{purchase}&trial_settings[a]=1"), ": trial_settings[a]"),
        ("/v1/customers", "invoice_settings[a]=1".to_owned(), ": invoice_settings[a]"),
    ] {
        let refused = stage.shop.post(target, &form);
        let message = format!("Received unknown parameter{names}");
        let (status, code, _, told) = refused.refusal();
        assert_eq!((status, code, told), (400, "parameter_unknown", message.as_str()), "{form}");
    }
    for target in ["/v1/customers?colour=red", "/v1/events?colour=red", "/v1/prices?colour=red"] {
        let message = "Received unknown parameter: colour";
        let refused = stage.shop.get(target);
        assert_eq!(refused.refusal(), (400, "parameter_unknown", "colour", message), "{target}");
    }
    assert_eq!(stage.shop.get("/v1/customers").done()["data"], json!([]), "none was made");
}

#[test]
fn what_is_missing_is_named_as_it_would_be_written() {
    let stage = stage();
    let (customer, clocks) = (&stage.customer, "/v1/test_helpers/test_clocks");
    let price = format!("product={}&currency=usd", stage.product);
    for (target, form, name) in [
        ("/v1/products", String::new(), "name"),
        ("/v1/subscriptions", "items[0][price]=x".to_owned(), "customer"),
        ("/v1/subscriptions", format!("customer={customer}"), "items"),
        (
            "/v1/subscriptions",
            format!("customer={customer}&items[0][quantity]=1"),
            "items[0][price]",
        ),
        ("/v1/prices", format!("{price}&recurring[interval_count]=1"), "recurring[interval]"),
        (clocks, String::new(), "frozen_time"),
    ] {
        let refused = stage.shop.post(target, &form);
        let message = format!("Missing required param: {name}.");
        assert_eq!(refused.refusal(), (400, "parameter_missing", name, message.as_str()));
    }
}

#[test]
fn notes_are_50_of_up_to_40_and_500_characters() {
    let shop = shop();
    let notes = |count: usize| -> String {
        let notes: Vec<_> = (0..count).map(|number| format!("metadata[k{number}]=v")).collect();
        notes.join("&")
    };
    let long =
        |key: usize, value: usize| format!("metadata[{}]={}", "é".repeat(key), "é".repeat(value));
    let key = "é".repeat(41);
    let keys = format!("Metadata keys have 1 to 40 characters; `{key}` does not.");
    let values = "Metadata values can have up to 500 characters, but you passed in a value of 501.";
    assert_eq!(shop.post("/v1/customers", &long(40, 500)).status, 200);
    for (form, param, message) in [
        (long(41, 1), format!("metadata[{key}]"), keys.as_str()),
        (long(1, 501), "metadata[é]".to_owned(), values),
    ] {
        let refused = shop.post("/v1/customers", &form);
        assert_eq!(refused.refusal(), (400, "parameter_invalid", param.as_str(), message));
    }
    let customer = shop.make("/v1/customers", &notes(50));
    for count in [51, 53] {
        let refused = shop.post("/v1/customers", &notes(count));
        let message =
            format!("An object can have up to 50 metadata keys, and this would make {count}.");
        let expected = (400, "parameter_invalid", "metadata", message.as_str());
        assert_eq!(refused.refusal(), expected);
    }

    let path = format!("/v1/customers/{customer}");
    let count = || shop.get(&path).done()["metadata"].as_object().unwrap().len();
    assert_eq!(shop.post(&path, "metadata[more]=1").status, 400);
    assert_eq!(count(), 50);
    shop.post(&path, "metadata[more]=1&metadata[k0]=").done();
    assert_eq!(count(), 50);
    shop.post(&path, "metadata[nothing]=").done();
    assert_eq!(count(), 50);
    shop.post(&path, "metadata=").done();
    assert_eq!(count(), 0);
}

#[test]
fn a_body_has_up_to_256_kib() {
    assert_eq!(MAX_BODY_BYTES, 262_144);
    let shop = shop();
    // What stands between two `&` that follow each other is nothing.
    let form = |length: usize| format!("name=Ada{}", "&".repeat(length - "name=Ada".len()));
    assert_eq!(shop.post("/v1/customers", &form(262_144)).done()["name"], json!("Ada"));
    let refused = shop.post("/v1/customers", &form(262_145));
    let message = "The body is longer than 262144 bytes, the most that is read.";
    assert_eq!(refused.refusal(), (413, "", "", message));
}

#[test]
fn a_post_takes_parameters_from_its_query_too() {
    let shop = shop();
    let made = shop.post("/v1/products?name=Lamp&metadata[a]=1", "description=Bright").done();
    assert_eq!(made["name"], json!("Lamp"));
    assert_eq!(made["description"], json!("Bright"));
    assert_eq!(made["metadata"], json!({ "a": "1" }));
    let twice = shop.post("/v1/products?name=Lamp", "name=Desk");
    assert_eq!(twice.status, 400, "which of the two is meant?");
    assert_eq!(shop.get("/v1/products").done()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_list_or_a_map_may_stand_partly_in_the_query_and_partly_in_the_body() {
    let shop = shop();
    let made = shop.post("/v1/products?metadata[a]=1", "name=Lamp&metadata[b]=2");
    assert_eq!((made.status, &made.body["metadata"]), (200, &json!({ "a": "1", "b": "2" })));
    let stage = stage();
    let form = stage.purchase("&expand[]=customer");
    let made = stage.shop.post("/v1/subscriptions?expand[]=items.data.price.product", &form).done();
    assert_eq!(made["customer"]["object"], json!("customer"));
    assert_eq!(made["items"]["data"][0]["price"]["product"]["object"], json!("product"));
}

#[test]
fn a_date_is_a_second_or_bounds_of_it() {
    let mut shop = shop();
    for second in [100, 200, 300] {
        shop.now = Timestamp(second);
        shop.make("/v1/customers", "");
    }
    let list = |query: &str| shop.get(&format!("/v1/customers?{query}"));
    for (query, expected) in [
        ("created=200", &[200][..]),
        ("created=201", &[]),
        ("created[gt]=100", &[300, 200]),
        ("created[gte]=100", &[300, 200, 100]),
        ("created[gte]=101", &[300, 200]),
        ("created[lt]=300", &[200, 100]),
        ("created[lte]=300", &[300, 200, 100]),
        ("created[lte]=299", &[200, 100]),
        ("created[gt]=100&created[lt]=300", &[200]),
        ("created[gte]=200&created[lte]=200", &[200]),
        ("created[gt]=200&created[lt]=200", &[]),
        ("created[gte]=300&created[lte]=100", &[]),
        ("created[gt]=100&created[gte]=300", &[300]),
        ("created[gt]=200&created[gte]=100", &[300]),
        ("created[lt]=200&created[lte]=300", &[100]),
        ("created[lt]=300&created[lte]=100", &[100]),
        ("created%5Bgte%5D=300", &[300]),
        ("created[gte]=253402300799", &[]),
        ("created[gt]=253402300799", &[]),
        ("created=0", &[]),
        ("created[lt]=0", &[]),
    ] {
        let list = list(query).done();
        let seconds = list["data"].as_array().unwrap().iter();
        let seconds = seconds.map(|customer| customer["created"].as_i64().unwrap());
        assert_eq!(seconds.collect::<Vec<_>>(), expected, "{query}");
    }
    let integer = "parameter_invalid_integer";
    let late = "This value must be less than or equal to 253402300799 (it currently is \
                '253402300800').";
    let early = "This value must be greater than or equal to 0 (it currently is '-1').";
    for (query, code, param, message) in [
        ("created=noon", integer, "created", "Invalid integer: noon"),
        ("created=", integer, "created", "Invalid integer: "),
        ("created=1.5", integer, "created", "Invalid integer: 1.5"),
        ("created=-1", integer, "created", early),
        ("created=253402300800", integer, "created", late),
        ("created[lt]=noon", integer, "created[lt]", "Invalid integer: noon"),
        ("created[gte]=253402300800", integer, "created[gte]", late),
        (
            "created[eq]=1",
            "parameter_unknown",
            "created[eq]",
            "Received unknown parameter: created[eq]",
        ),
        (
            "created=1&created[gt]=1",
            "",
            "",
            "The parameter created[gt] is given in two ways at once.",
        ),
    ] {
        assert_eq!(list(query).refusal(), (400, code, param, message), "{query}");
    }
}

#[test]
fn what_a_form_can_say_can_be_said_in_json_too() {
    let stage = stage();
    let (customer, product) = (&stage.customer, &stage.product);
    let price =
        json!({ "product": product, "currency": "usd", "recurring": { "interval": "month" } });
    let purchase = json!({ "customer": customer, "items": [{ "price_data": price }] });
    let headers = [("content-type", "application/json")];
    let made =
        stage.shop.request("POST", "/v1/subscriptions", &headers, &purchase.to_string()).done();
    assert_eq!(made["items"]["data"][0]["price"]["recurring"]["interval"], json!("month"));

    let too_deep = r#"{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}"#;
    let refused = stage.shop.request("POST", "/v1/customers", &headers, too_deep);
    let message = "The JSON body is nested too deeply.";
    assert_eq!(refused.refusal(), (400, "", "", message));
}
