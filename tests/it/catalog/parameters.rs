//! Request parameters: where they are accepted, how they are encoded, and their error messages.

use entgate::{api::body::MAX_CATALOG_BYTES, id::Timestamp};
use serde_json::json;

use super::{fixture::fixture, test_catalog::TestCatalog};

#[test]
fn an_unknown_parameter_is_named_as_it_was_sent() {
    let fixture = fixture();
    let subscription = fixture.subscription_form("");
    for (target, form, names) in [
        ("/v1/customers", "colour=red".to_owned(), ": colour"),
        ("/v1/customers", "b=1&name=x&a=2".to_owned(), "s: b, a"),
        ("/v1/subscriptions", format!("{subscription}&items[0][colour]=red"), ": items[0][colour]"),
        ("/v1/subscriptions", format!("{subscription}&trial_settings[a]=1"), ": trial_settings[a]"),
        ("/v1/customers", "invoice_settings[a]=1".to_owned(), ": invoice_settings[a]"),
    ] {
        let rejected = fixture.catalog.post(target, &form);
        let message = format!("Received unknown parameter{names}");
        let (status, code, _, text) = rejected.error();
        assert_eq!((status, code, text), (400, "parameter_unknown", message.as_str()), "{form}");
    }
    for target in ["/v1/customers?colour=red", "/v1/events?colour=red", "/v1/prices?colour=red"] {
        let message = "Received unknown parameter: colour";
        let rejected = fixture.catalog.get(target);
        assert_eq!(rejected.error(), (400, "parameter_unknown", "colour", message), "{target}");
    }
    assert_eq!(
        fixture.catalog.get("/v1/customers").expect_ok()["data"],
        json!([]),
        "no customer was created"
    );
}

#[test]
fn a_missing_parameter_is_named_as_it_would_be_sent() {
    let fixture = fixture();
    let (customer, clocks) = (&fixture.customer, "/v1/test_helpers/test_clocks");
    let price = format!("product={}&currency=usd&unit_amount=500", fixture.product);
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
        let rejected = fixture.catalog.post(target, &form);
        let message = format!("Missing required param: {name}.");
        assert_eq!(rejected.error(), (400, "parameter_missing", name, message.as_str()));
    }
}

#[test]
fn metadata_has_up_to_50_keys_of_40_characters_and_values_of_500_characters() {
    let catalog = TestCatalog::new();
    let metadata = |count: usize| -> String {
        let params: Vec<_> = (0..count).map(|number| format!("metadata[k{number}]=v")).collect();
        params.join("&")
    };
    let long =
        |key: usize, value: usize| format!("metadata[{}]={}", "é".repeat(key), "é".repeat(value));
    let key = "é".repeat(41);
    let keys = format!("Metadata keys have 1 to 40 characters; `{key}` does not.");
    let values = "Metadata values can have up to 500 characters, but you passed in a value of 501.";
    assert_eq!(catalog.post("/v1/customers", &long(40, 500)).status, 200);
    for (form, param, message) in [
        (long(41, 1), format!("metadata[{key}]"), keys.as_str()),
        (long(1, 501), "metadata[é]".to_owned(), values),
    ] {
        let rejected = catalog.post("/v1/customers", &form);
        assert_eq!(rejected.error(), (400, "parameter_invalid", param.as_str(), message));
    }
    let customer = catalog.create("/v1/customers", &metadata(50));
    for count in [51, 53] {
        let rejected = catalog.post("/v1/customers", &metadata(count));
        let message =
            format!("An object can have up to 50 metadata keys, and this would make {count}.");
        let expected = (400, "parameter_invalid", "metadata", message.as_str());
        assert_eq!(rejected.error(), expected);
    }

    let path = format!("/v1/customers/{customer}");
    let count = || catalog.get(&path).expect_ok()["metadata"].as_object().unwrap().len();
    assert_eq!(catalog.post(&path, "metadata[more]=1").status, 400);
    assert_eq!(count(), 50);
    catalog.post(&path, "metadata[more]=1&metadata[k0]=").expect_ok();
    assert_eq!(count(), 50);
    catalog.post(&path, "metadata[nothing]=").expect_ok();
    assert_eq!(count(), 50);
    catalog.post(&path, "metadata=").expect_ok();
    assert_eq!(count(), 0);
}

#[test]
fn a_body_has_up_to_256_kib() {
    assert_eq!(MAX_CATALOG_BYTES, 262_144);
    let catalog = TestCatalog::new();
    // Two adjacent `&` have no parameter between them.
    let form = |length: usize| format!("name=Ada{}", "&".repeat(length - "name=Ada".len()));
    assert_eq!(catalog.post("/v1/customers", &form(262_144)).expect_ok()["name"], json!("Ada"));
    let rejected = catalog.post("/v1/customers", &form(262_145));
    let message = "The body is longer than 262144 bytes, the maximum.";
    assert_eq!(rejected.error(), (413, "", "", message));
}

#[test]
fn a_post_request_accepts_parameters_in_its_query() {
    let catalog = TestCatalog::new();
    let created =
        catalog.post("/v1/products?name=Lamp&metadata[a]=1", "description=Bright").expect_ok();
    assert_eq!(created["name"], json!("Lamp"));
    assert_eq!(created["description"], json!("Bright"));
    assert_eq!(created["metadata"], json!({ "a": "1" }));
    let twice = catalog.post("/v1/products?name=Lamp", "name=Chair");
    assert_eq!(twice.status, 400, "the parameter is ambiguous");
    assert_eq!(catalog.get("/v1/products").expect_ok()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_list_or_a_map_can_be_split_between_the_query_and_the_body() {
    let catalog = TestCatalog::new();
    let created = catalog.post("/v1/products?metadata[a]=1", "name=Lamp&metadata[b]=2");
    assert_eq!((created.status, &created.body["metadata"]), (200, &json!({ "a": "1", "b": "2" })));
    let fixture = fixture();
    let form = fixture.subscription_form("&expand[]=customer");
    let created = fixture
        .catalog
        .post("/v1/subscriptions?expand[]=items.data.price.product", &form)
        .expect_ok();
    assert_eq!(created["customer"]["object"], json!("customer"));
    assert_eq!(created["items"]["data"][0]["price"]["product"]["object"], json!("product"));
}

#[test]
fn a_date_filter_is_a_timestamp_or_bounds() {
    let mut catalog = TestCatalog::new();
    for second in [100, 200, 300] {
        catalog.now = Timestamp(second);
        catalog.create("/v1/customers", "");
    }
    let list = |query: &str| catalog.get(&format!("/v1/customers?{query}"));
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
        ("created=-1", &[]),
        ("created=253402300800", &[]),
        ("created[gte]=-1", &[300, 200, 100]),
        ("created[gt]=-9223372036854775808", &[300, 200, 100]),
        ("created[gte]=-99999999999999999999", &[300, 200, 100]),
        ("created[lt]=-1", &[]),
        ("created[lte]=-9223372036854775809", &[]),
        ("created[gte]=253402300800", &[]),
        ("created[gt]=9223372036854775807", &[]),
        ("created[lte]=9223372036854775808", &[300, 200, 100]),
        ("created[lt]=99999999999999999999", &[300, 200, 100]),
        ("created[gte]=-5&created[lte]=200", &[200, 100]),
    ] {
        let list = list(query).expect_ok();
        let seconds = list["data"].as_array().unwrap().iter();
        let seconds = seconds.map(|customer| customer["created"].as_i64().unwrap());
        assert_eq!(seconds.collect::<Vec<_>>(), expected, "{query}");
    }
    let integer = "parameter_invalid_integer";
    for (query, code, param, message) in [
        ("created=noon", integer, "created", "Invalid integer: noon"),
        ("created=", integer, "created", "Invalid integer: "),
        ("created=1.5", integer, "created", "Invalid integer: 1.5"),
        ("created=-", integer, "created", "Invalid integer: -"),
        ("created=--1", integer, "created", "Invalid integer: --1"),
        ("created[lt]=noon", integer, "created[lt]", "Invalid integer: noon"),
        ("created[gte]=1e3", integer, "created[gte]", "Invalid integer: 1e3"),
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
        assert_eq!(list(query).error(), (400, code, param, message), "{query}");
    }
}

#[test]
fn a_json_body_is_equivalent_to_a_form() {
    let fixture = fixture();
    let (customer, product) = (&fixture.customer, &fixture.product);
    let price = json!({ "product": product, "currency": "usd", "unit_amount": 500, "recurring": { "interval": "month" } });
    let subscription = json!({ "customer": customer, "items": [{ "price_data": price }] });
    let headers = [("content-type", "application/json")];
    let created = fixture
        .catalog
        .request("POST", "/v1/subscriptions", &headers, &subscription.to_string())
        .expect_ok();
    assert_eq!(created["items"]["data"][0]["price"]["recurring"]["interval"], json!("month"));

    let nested = |levels: usize| {
        let (open, close) = ("{\"a\":".repeat(levels), "}".repeat(levels));
        format!("{{\"name\":\"Ada\",\"tax\":{open}1{close}}}")
    };
    let post = |body: &str| fixture.catalog.request("POST", "/v1/customers", &headers, body);
    assert_eq!(post(&nested(16)).expect_ok()["name"], json!("Ada"));
    let message = "The JSON body is nested too deeply: it may have up to 16 levels.";
    assert_eq!(post(&nested(17)).error(), (400, "", "", message));
    assert_eq!(post("").expect_ok()["name"], json!(null), "an empty body has no parameters");
}

/// The first one is in Stripe's guide to bank debits; the other ones are the deepest in the SDKs.
#[test]
fn parameters_can_be_nested_as_deeply_as_stripes() {
    let fixture = fixture();
    let bank = "payment_settings[payment_method_options][us_bank_account][financial_connections]";
    for param in [
        format!("{bank}[permissions][0]=payment_method"),
        format!("{bank}[filters][account_subcategories][0]=checking"),
        "add_invoice_items[0][discounts][0][discount_end][duration][interval]=month".to_owned(),
        "items[0][discounts][0][discount_end][duration][interval_count]=1".to_owned(),
    ] {
        fixture.subscribe(&format!("&{param}"));
    }
    let mut settings = json!("checking");
    for name in [
        "account_subcategories",
        "filters",
        "financial_connections",
        "us_bank_account",
        "payment_method_options",
    ] {
        settings = json!({ name: settings });
    }
    let body = json!({
        "customer": fixture.customer,
        "items": [{ "price": fixture.price }],
        "payment_settings": settings,
    });
    let headers = [("content-type", "application/json")];
    let form = body.to_string();
    fixture.catalog.request("POST", "/v1/subscriptions", &headers, &form).expect_ok();
}

#[test]
fn the_body_of_a_get_request_has_parameters_too() {
    let catalog = TestCatalog::new();
    let [_, ada] = ["bob", "ada"]
        .map(|name| catalog.create("/v1/customers", &format!("email={name}@a.example")));
    let json = [("content-type", "application/json")];
    for (headers, target, body) in [
        (&[][..], "/v1/customers", "email=ada@a.example"),
        (&[], "/v1/customers?limit=1", "email=ada@a.example"),
        (&json, "/v1/customers", r#"{"email":"ada@a.example"}"#),
        (&json, "/v1/customers?email=ada@a.example", ""),
    ] {
        let list = catalog.request("GET", target, headers, body).expect_ok();
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{target} {body}");
        assert_eq!(list["data"][0]["id"], json!(ada), "{target} {body}");
    }
    let unknown = catalog.request("GET", "/v1/customers", &[], "colour=red");
    let message = "Received unknown parameter: colour";
    assert_eq!(unknown.error(), (400, "parameter_unknown", "colour", message));
}
