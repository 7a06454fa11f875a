//! A customer's token never returns data of another customer.
//!
//! Random requests cover all routes of the edge and of the catalog, all methods, and many ways to name
//! another customer. The responses are searched for strings that occur only in others' data.

use entgate::{
    api::{ROUTES, Request, catalog},
    store::memory::MemoryCatalog,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    catalog::TestCatalog,
    support::{Answer, NOW, Service, event},
    token_fixtures::{issued, part, token, with_tokens},
};

/// When Bob's last event was created: a number that occurs nowhere else.
const BOBS_LAST_EVENT: i64 = 1_699_912_345;

/// Strings that no request and no response to Ada may contain: of Bob, of Ada in the other mode, and of
/// a list of all customers.
const FOREIGN_STRINGS: [&str; 6] = [
    "bobs_own",
    "bob@example.com",
    "1699912345",
    "adas_live_one",
    "bobs_plan",
    "customer_sync_status",
];

/// A deployment where Ada has `sms`, Bob has `bobs_own` at version 7, and live mode has another Ada.
fn with_ada_and_bob(source: &'static str) -> (Service, String) {
    let mut service = with_tokens(&[("ENTGATE_SOURCE", source)]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    for created in BOBS_LAST_EVENT - 6..=BOBS_LAST_EVENT {
        let key = if created % 2 == 0 { "fax" } else { "bobs_own" };
        service.stripe_sends(&event("cus_bob", created, &[key], false));
    }
    let mut live = event("cus_ada", 1_700_000_001, &["adas_live_one"], false);
    live["livemode"] = json!(true);
    live["data"]["object"]["livemode"] = json!(true);
    live["data"]["object"]["entitlements"]["data"][0]["livemode"] = json!(true);
    service.stripe_sends(&live);
    let bobs = service.get("/v1/check?customer=cus_bob&feature=bobs_own").body;
    assert_eq!((&bobs["entitled"], &bobs["version"]), (&json!(true), &json!(7)));

    let catalog = TestCatalog::new();
    let mut bobs_grant = String::new();
    for (customer, key) in [("cus_ada", "sms"), ("cus_bob", "bobs_own")] {
        let feature =
            catalog.create("/v1/entitlements/features", &format!("lookup_key={key}&name={key}"));
        let product = catalog.create("/v1/products", &format!("name={}_plan", &key[..3]));
        catalog.create(
            &format!("/v1/products/{product}/features"),
            &format!("entitlement_feature={feature}"),
        );
        let price =
            format!("product={product}&currency=usd&unit_amount=500&recurring[interval]=month");
        let price = catalog.create("/v1/prices", &price);
        catalog.create(
            "/v1/customers",
            &format!("id={customer}&email={}@example.com", &customer[4..]),
        );
        catalog
            .create("/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}"));
        let list =
            catalog.get(&format!("/v1/entitlements/active_entitlements?customer={customer}"));
        list.body["data"][0]["id"].as_str().unwrap().clone_into(&mut bobs_grant);
        assert_eq!(list.body["data"][0]["lookup_key"], key);
    }
    if source == "catalog" {
        service.store.catalog = Some(MemoryCatalog::new(move |_, request: &Request| {
            let headers: Vec<_> = request.headers().iter().collect();
            let headers: Vec<_> = headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
                .collect();
            let form = String::from_utf8_lossy(request.body());
            catalog
                .request(request.method().as_str(), &request.uri().to_string(), &headers, &form)
                .http
        }));
    }
    (service, bobs_grant)
}

/// Returns a string in a response that Ada must not receive.
fn find_leak(answer: &Answer) -> Option<String> {
    let mut content = answer.text();
    if let Some(flags) = answer.body["flags"].as_array() {
        // The names of features are public. That a customer has one is not.
        let mut body = answer.body.clone();
        body["flags"] = flags.iter().filter(|flag| flag["value"] != false).cloned().collect();
        content = body.to_string();
    }
    if let Some(snapshot) = answer.body["snapshot"].as_str() {
        content.push_str(&part(snapshot, 1).to_string());
    }
    if let Some(string) = FOREIGN_STRINGS.iter().find(|string| content.contains(**string)) {
        return Some((*string).to_owned());
    }
    let customers = [&answer.body["customer"], &answer.body["data"][0]["customer"]];
    if let Some(customer) =
        customers.iter().find(|customer| !customer.is_null() && **customer != "cus_ada")
    {
        return Some(customer.to_string());
    }
    let version = answer.header("entgate-version").map(str::to_owned);
    let version = version.or_else(|| Some(answer.body["version"].as_u64()?.to_string()));
    version.filter(|version| *version == "7")
}

/// The path of any route, with an id for each of its parameters.
fn path(bobs_grant: &str) -> impl Strategy<Value = String> + use<> {
    let edge = ROUTES.iter().map(|route| route.path);
    let all: Vec<_> = edge.chain(catalog::routes().map(|(_, path)| path)).collect();
    let customer_routes =
        ["/v1/check", "/v1/authorize", "/v1/snapshot", "/v1/entitlements/active_entitlements"];
    let ids = prop::sample::select(vec![
        "cus_bob".to_owned(),
        "cus%5Fbob".to_owned(),
        "%63us_bob".to_owned(),
        "CUS_BOB".to_owned(),
        "cus_ada".to_owned(),
        "..".to_owned(),
        bobs_grant.to_owned(),
    ]);
    let paths =
        prop_oneof![prop::sample::select(customer_routes.to_vec()), prop::sample::select(all)];
    (paths, ids).prop_map(|(path, id)| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { &*id } else { part });
        parts.collect::<Vec<_>>().join("/")
    })
}

/// A query string with parameters of routes, and with a customer in one form or another, in any order.
fn query(bobs_grant: &str) -> impl Strategy<Value = String> + use<> {
    let grant = format!("starting_after={bobs_grant}");
    let customers = vec![
        "customer=cus_bob",
        "customer=cus_ada",
        "customer=cus%5Fbob",
        "%63ustomer=cus_bob",
        "customer[]=cus_bob",
        "customer%5B%5D=cus_bob",
        "customer[0]=cus_bob",
        "customer[id]=cus_bob",
        "Customer=cus_bob",
        "CUSTOMER=cus_bob",
        "customer=CUS_BOB",
        "customer=cus_bob%00",
        "customer=cus_ada%00cus_bob",
        "customer=+cus_bob",
        "customer=",
        "customer",
        "sub=cus_bob",
        "targetingKey=cus_bob",
        "context[targetingKey]=cus_bob",
        "entgate-customer=cus_bob",
        "livemode=true",
    ];
    let others = vec![
        "feature=sms",
        "feature=fax",
        "feature[]=sms&feature[]=fax",
        "at_least=0",
        "fresh=true",
        "limit=100",
        "expires_in=60",
        "expand[]=data.feature",
        "expand[]=data.customer",
        "expand[]=customer",
        "last_event_id=0",
        &*grant,
    ];
    let owned = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (customers, others) = (owned(customers), owned(others));
    let customers = prop::collection::vec(prop::sample::select(customers), 0..3);
    let others = prop::collection::vec(prop::sample::select(others), 0..3);
    (customers, others)
        .prop_map(|(customers, others)| customers.into_iter().chain(others).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|parts| parts.join("&"))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop::sample::subsequence(
        vec![
            ("entgate-customer", "cus_bob"),
            ("entgate-customer", "cus_ada"),
            ("x-customer", "cus_bob"),
            ("x-api-key", "sk_test_other"),
            ("x-api-key", "cus_bob"),
            ("x-original-url", "/v1/check?customer=cus_bob"),
            ("x-http-method-override", "POST"),
            ("origin", "https://bob.example"),
            ("content-type", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("if-none-match", "\"7\""),
            ("last-event-id", "6"),
            ("idempotency-key", "cus_bob"),
        ],
        0..4,
    )
}

fn body() -> impl Strategy<Value = String> + use<> {
    let json = |value: Value| value.to_string();
    prop::sample::select(vec![
        String::new(),
        "customer=cus_bob".to_owned(),
        "customer=cus_bob&feature=fax".to_owned(),
        json(json!({ "customer": "cus_bob" })),
        json(json!({ "customer": "cus_bob", "feature": "fax" })),
        json(json!({ "customer": ["cus_ada", "cus_bob"], "feature": "fax" })),
        json(json!({ "checks": [{ "customer": "cus_bob", "feature": ["fax", "sms"] }] })),
        json(json!({ "context": { "targetingKey": "cus_bob" } })),
        json(json!({ "context": { "targetingKey": "cus_ada", "customer": "cus_bob" } })),
    ])
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

thread_local! {
    static EDGE: (Service, String) = with_ada_and_bob("stripe");
    static CATALOG: (Service, String) = with_ada_and_bob("catalog");
}

fn request()
-> impl Strategy<Value = (&'static str, String, Vec<(&'static str, &'static str)>, String)> {
    let grant = CATALOG.with(|(_, grant)| grant.clone());
    let methods = prop_oneof![3 => Just("GET"), 1 => prop::sample::select(METHODS.to_vec())];
    let target = (path(&grant), query(&grant)).prop_map(|(path, query)| format!("{path}?{query}"));
    (methods, target, headers(), body())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn no_token_of_ada_returns_data_of_bob((method, target, headers, body) in request()) {
        for token in [token(&json!({ "exp": NOW.0 + 900 })), issued("one", &json!({}))] {
            let authorization = format!("Bearer {token}");
            let mut headers = headers.clone();
            headers.push(("authorization", &authorization));
            for deployment in [&EDGE, &CATALOG] {
                let answer = deployment.with(|(service, _)| service.request(method, &target, &headers, body.as_bytes()));
                prop_assert_eq!(find_leak(&answer), None, "{}", answer.text());
                prop_assert!(answer.status != 500, "{}", answer.text());
            }
        }
    }
}

#[test]
fn the_search_finds_data_of_other_customers() {
    for deployment in [&EDGE, &CATALOG] {
        deployment.with(|(service, _)| {
            for path in ["/v1/entitlements/active_entitlements", "/v1/snapshot"] {
                let bobs = service.get(&format!("{path}?customer=cus_bob"));
                assert!(find_leak(&bobs).is_some(), "{path}");
                let adas = service.get_with(&token(&json!({})), path);
                assert_eq!((adas.status, find_leak(&adas)), (200, None), "{path}");
            }
            let bobs = json!({ "context": { "targetingKey": "cus_bob" } });
            let bobs = service.post_json("/ofrep/v1/evaluate/flags", &bobs);
            assert_eq!(find_leak(&bobs).as_deref(), Some("bobs_own"));
            let bobs = service.get("/v1/check?customer=cus_bob&feature=fax");
            assert_eq!(find_leak(&bobs).as_deref(), Some("1699912345"));
            assert!(
                find_leak(&service.get("/v1/authorize?customer=cus_bob&feature=fax")).is_none(),
                "a denial contains no data of Bob"
            );
            for path in ["/v1/activity", "/v1/sync_status"] {
                let list = service.get(path);
                assert_eq!(list.status, 200, "{path}");
                assert!(find_leak(&list).is_some(), "{path}");
            }
            let live = service.request(
                "GET",
                "/v1/snapshot?customer=cus_ada",
                &[("x-api-key", "sk_live_entgate")],
                b"",
            );
            assert_eq!(find_leak(&live).as_deref(), Some("adas_live_one"));
        });
    }
}
