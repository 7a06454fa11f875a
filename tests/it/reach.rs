//! Whatever is asked with a customer's token, nothing of another customer comes back.
//!
//! Over all routes of the edge and of the catalog, any method, and many ways to name somebody else:
//! the answers are searched for what is only the others'.

use entgate::{
    api::{ROUTES, Request, catalog},
    store::memory::MemoryCatalog,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    catalog::TestCatalog,
    minted::{issued, part, token, with_tokens},
    support::{Answer, NOW, Service, event},
};

/// When Bob's set was told last: a number that is nowhere else.
const BOBS_MOMENT: i64 = 1_699_912_345;

/// Words that stand in no request, and in no answer to Ada: of Bob, of Ada in the other mode, and of a
/// list of everybody.
const OTHERS: [&str; 6] = [
    "bobs_own",
    "bob@example.com",
    "1699912345",
    "adas_live_one",
    "bobs_plan",
    "customer_sync_status",
];

/// Ada holds `sms`; Bob holds `bobs_own` since version 7; and there is an Ada in live mode.
fn with_ada_and_bob(source: &'static str) -> (Service, String) {
    let mut service = with_tokens(&[("ENTGATE_SOURCE", source)]);
    service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    for moment in BOBS_MOMENT - 6..=BOBS_MOMENT {
        let key = if moment % 2 == 0 { "fax" } else { "bobs_own" };
        service.stripe_sends(&event("cus_bob", moment, &[key], false));
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

/// Whether an answer says anything that is not Ada's to know.
fn betrays(answer: &Answer) -> Option<String> {
    let mut said = answer.text();
    if let Some(flags) = answer.body["flags"].as_array() {
        // That there is a feature is everybody's to know; that somebody has it is not.
        let mut body = answer.body.clone();
        body["flags"] = flags.iter().filter(|flag| flag["value"] != false).cloned().collect();
        said = body.to_string();
    }
    if let Some(snapshot) = answer.body["snapshot"].as_str() {
        said.push_str(&part(snapshot, 1).to_string());
    }
    if let Some(word) = OTHERS.iter().find(|word| said.contains(**word)) {
        return Some((*word).to_owned());
    }
    let customers = [&answer.body["customer"], &answer.body["data"][0]["customer"]];
    if let Some(customer) = customers.iter().find(|named| !named.is_null() && **named != "cus_ada")
    {
        return Some(customer.to_string());
    }
    let version = answer.header("entgate-version").map(str::to_owned);
    let version = version.or_else(|| Some(answer.body["version"].as_u64()?.to_string()));
    version.filter(|version| *version == "7")
}

/// A path of any route, with somebody in it wherever a name has to be.
fn path(bobs_grant: &str) -> impl Strategy<Value = String> + use<> {
    let edge = ROUTES.iter().map(|route| route.path);
    let all: Vec<_> = edge.chain(catalog::routes().map(|(_, path)| path)).collect();
    let open =
        ["/v1/check", "/v1/authorize", "/v1/snapshot", "/v1/entitlements/active_entitlements"];
    let names = prop::sample::select(vec![
        "cus_bob".to_owned(),
        "cus%5Fbob".to_owned(),
        "%63us_bob".to_owned(),
        "CUS_BOB".to_owned(),
        "cus_ada".to_owned(),
        "..".to_owned(),
        bobs_grant.to_owned(),
    ]);
    let paths = prop_oneof![prop::sample::select(open.to_vec()), prop::sample::select(all)];
    (paths, names).prop_map(|(path, name)| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { &*name } else { part });
        parts.collect::<Vec<_>>().join("/")
    })
}

/// A query string: what a route wants, and somebody named in one way or another, in any order.
fn query(bobs_grant: &str) -> impl Strategy<Value = String> + use<> {
    let grant = format!("starting_after={bobs_grant}");
    let named = vec![
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
    let more = vec![
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
    let (named, more) = (owned(named), owned(more));
    let named = prop::collection::vec(prop::sample::select(named), 0..3);
    let more = prop::collection::vec(prop::sample::select(more), 0..3);
    (named, more)
        .prop_map(|(named, more)| named.into_iter().chain(more).collect::<Vec<_>>())
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
    fn no_token_of_ada_reads_anything_of_bob((method, target, headers, body) in request()) {
        for by in [token(&json!({ "exp": NOW.0 + 900 })), issued("one", &json!({}))] {
            let authorization = format!("Bearer {by}");
            let mut headers = headers.clone();
            headers.push(("authorization", &authorization));
            for stage in [&EDGE, &CATALOG] {
                let answer = stage.with(|(service, _)| service.request(method, &target, &headers, body.as_bytes()));
                prop_assert_eq!(betrays(&answer), None, "{}", answer.text());
                prop_assert!(answer.status != 500, "{}", answer.text());
            }
        }
    }
}

#[test]
fn the_search_finds_what_it_is_for() {
    for stage in [&EDGE, &CATALOG] {
        stage.with(|(service, _)| {
            for path in ["/v1/entitlements/active_entitlements", "/v1/snapshot"] {
                let bobs = service.get(&format!("{path}?customer=cus_bob"));
                assert!(betrays(&bobs).is_some(), "{path}");
                let adas = service.get_with(&token(&json!({})), path);
                assert_eq!((adas.status, betrays(&adas)), (200, None), "{path}");
            }
            let bobs = json!({ "context": { "targetingKey": "cus_bob" } });
            let bobs = service.post_json("/ofrep/v1/evaluate/flags", &bobs);
            assert_eq!(betrays(&bobs).as_deref(), Some("bobs_own"));
            let bobs = service.get("/v1/check?customer=cus_bob&feature=fax");
            assert_eq!(betrays(&bobs).as_deref(), Some("1699912345"));
            assert!(
                betrays(&service.get("/v1/authorize?customer=cus_bob&feature=fax")).is_none(),
                "a no is no secret of his"
            );
            for path in ["/v1/activity", "/v1/sync_status"] {
                let everybody = service.get(path);
                assert_eq!(everybody.status, 200, "{path}");
                assert!(betrays(&everybody).is_some(), "{path}");
            }
            let live = service.request(
                "GET",
                "/v1/snapshot?customer=cus_ada",
                &[("x-api-key", "sk_live_entgate")],
                b"",
            );
            assert_eq!(betrays(&live).as_deref(), Some("adas_live_one"));
        });
    }
}
