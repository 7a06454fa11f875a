//! Searches with Stripe's query language.
//!
//! Specification: <https://docs.stripe.com/search>.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    fixture::{FEBRUARY, JANUARY, fixture},
    test_catalog::{ApiResponse, TestCatalog, members},
};
use crate::support::NOW;

fn encode(query: &str) -> String {
    form_urlencoded::byte_serialize(query.as_bytes()).collect()
}

fn search(catalog: &TestCatalog, resource: &str, query: &str) -> ApiResponse {
    catalog.get(&format!("/v1/{resource}/search?query={}", encode(query)))
}

/// The ids that a search finds.
#[track_caller]
fn found(catalog: &TestCatalog, resource: &str, query: &str) -> Vec<String> {
    let result = search(catalog, resource, query);
    assert_eq!(result.status, 200, "{query}: {}", result.body);
    let data = result.body["data"].as_array().unwrap().iter();
    data.map(|object| object["id"].as_str().unwrap().to_owned()).collect()
}

/// Asserts which customers a query finds.
#[track_caller]
fn assert_customers(catalog: &TestCatalog, cases: &[(&str, &[&str])]) {
    for (query, expected) in cases {
        let ids: HashSet<_> = found(catalog, "customers", query).into_iter().collect();
        let expected: HashSet<_> = expected.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

fn catalog_with_customers() -> TestCatalog {
    let catalog = TestCatalog::new();
    for form in [
        "id=amy&email=amy@example.com&name=Amy+Lee+Smith&phone=%2B491234&metadata[team]=a&metadata[n]=5",
        "id=bob&email=Bob@Example.com&name=Bob+Smith&metadata[team]=b&metadata[it's]=%22x%22",
        "id=cat&email=cat@example.com.au&name=Amy+Smith&metadata[team]=A",
        "id=dan",
    ] {
        catalog.create("/v1/customers", form);
    }
    catalog
}

#[test]
fn a_clause_compares_a_field_with_a_value() {
    assert_customers(
        &catalog_with_customers(),
        &[
            ("email:'amy@example.com'", &["amy"]),
            ("email:\"AMY@example.com\"", &["amy"]),
            ("email:'bob@example.com'", &["bob"]),
            ("email:'cat@example.com'", &[]),
            ("email:'example.com'", &[]),
            ("email~'example.com'", &["amy", "bob", "cat"]),
            ("email~'EXAMPLE.COM.'", &["cat"]),
            ("name:'Amy Lee Smith'", &["amy"]),
            ("name:'amy lee'", &["amy"]),
            ("name:'Lee Smith'", &["amy"]),
            ("name:'Amy Smith'", &["cat"]),
            ("name:'Smith'", &["amy", "bob", "cat"]),
            ("name:'Smi'", &[]),
            ("name:''", &[]),
            ("name~'smi'", &["amy", "bob", "cat"]),
            ("phone:'+491234'", &["amy"]),
            ("metadata['team']:'a'", &["amy", "cat"]),
            ("metadata[\"team\"]:\"b\"", &["bob"]),
            ("metadata['n']:5", &["amy"]),
            ("metadata['n']:'5'", &["amy"]),
            ("metadata['it\\'s']:'\"x\"'", &["bob"]),
            ("metadata[\"it's\"]:\"\\\"x\\\"\"", &["bob"]),
            ("metadata['none']:'a'", &[]),
            ("email:null", &["dan"]),
            ("email:NULL", &["dan"]),
            ("email:'null'", &[]),
            ("metadata['n']:null", &["bob", "cat", "dan"]),
        ],
    );
}

#[test]
fn clauses_are_negated_and_joined_by_and_or_or() {
    assert_customers(
        &catalog_with_customers(),
        &[
            ("-email:'amy@example.com'", &["bob", "cat", "dan"]),
            ("-metadata['team']:'a'", &["bob", "dan"]),
            ("-metadata['n']:null", &["amy"]),
            ("-name~'smi'", &["dan"]),
            ("name:'smith' AND metadata['team']:'a'", &["amy", "cat"]),
            ("name:'smith' and -metadata['n']:null", &["amy"]),
            ("name:'smith' metadata['team']:'b'", &["bob"]),
            ("name:'smith'   AND\tmetadata['team']:'b'", &["bob"]),
            ("  email:'amy@example.com'  ", &["amy"]),
            ("email:'amy@example.com' OR metadata['team']:'b'", &["amy", "bob"]),
            ("email:'amy@example.com' or email:null or name:'x'", &["amy", "dan"]),
            ("email:'amy@example.com' AND email:'bob@example.com'", &[]),
            ("email:'amy@example.com' AND -metadata['team']:'a'", &[]),
            ("name:'AND' OR name:'lee'", &["amy"]),
        ],
    );
}

#[test]
fn a_number_is_compared() {
    let mut catalog = TestCatalog::new();
    for (id, seconds) in [("old", 0), ("new", 100)] {
        catalog.now.0 = NOW.0 + seconds;
        catalog.create("/v1/customers", &format!("id={id}"));
    }
    let at = |operator: &str, seconds: i64| format!("created{operator}{}", NOW.0 + seconds);
    for (query, expected) in [
        (at(">", 0), &["new"][..]),
        (at(">", -1), &["new", "old"]),
        (at(">=", 0), &["new", "old"]),
        (at(">=", 1), &["new"]),
        (at("<", 100), &["old"]),
        (at("<", 101), &["new", "old"]),
        (at("<=", 100), &["new", "old"]),
        (at("<=", 99), &["old"]),
        (at(":", 100), &["new"]),
        (at("=", 100), &["new"]),
        (at("=", 99), &[]),
        (format!("-{}", at(">", 0)), &["old"]),
        (format!("{} {}", at(">", 0), at("<", 100)), &[]),
        (format!("created>\"{}\"", NOW.0), &["new"]),
        ("created>-1".to_owned(), &["new", "old"]),
        ("created:null".to_owned(), &[]),
    ] {
        assert_eq!(found(&catalog, "customers", &query), expected, "{query}");
    }
}

#[test]
fn a_query_that_cannot_be_parsed_is_rejected_with_the_reason() {
    let catalog = TestCatalog::new();
    let unparseable = "We were unable to parse your search query. Try using the format \
                       `metadata[\"key\"]:\"value\"` to query for metadata or key:\"value\" to query for \
                       other fields.";
    for query in [
        "amy",
        "email",
        "email:",
        "email:amy",
        "email:'amy",
        "email:'amy\\'",
        "email:'a'x",
        "email 'a'",
        "email : 'a'",
        "'a':'b'",
        "metadata:'a'x",
        "metadata[team]:'a'",
        "metadata['team':'a'",
        "email['team']:'a'",
        "-",
        "--email:'a'",
        "(email:'a')",
        "email:'a' AND",
        "AND email:'a'",
        "email:'a' AND AND name:'b'",
        "email:'a',name:'b'",
        "email:true",
        "created>1e3x",
        "é:'a'",
    ] {
        let error = search(&catalog, "customers", query);
        let (status, code, param, message) = error.error();
        assert_eq!((status, code, param), (400, "parameter_invalid", "query"), "{query}");
        let is_unknown_field = message.starts_with("Field `");
        assert!(message == unparseable || is_unknown_field, "{query}: {message}");
    }
    let mixed = "You can't combine AND and OR in the same search query. Send two queries.";
    let short = "A substring has at least 3 characters: name~\"am\" is too short.";
    let unsupported = "The field `email` does not support the operator `>`.";
    for (query, message) in [
        ("email:'a' AND name:'b' OR name:'c'", mixed),
        ("email:'a' name:'b' OR name:'c'", mixed),
        ("name~'am'", short),
        ("email>'a'", unsupported),
        ("metadata['team']~'abc'", "The field `metadata` does not support the operator `~`."),
        ("metadata['team']>5", "The field `metadata` does not support the operator `>`."),
        ("created~'123'", "The field `created` does not support the operator `~`."),
        ("created>'x'", "The field `created` is compared with a whole number, as in created>0."),
        ("created>1.5", "The field `created` is compared with a whole number, as in created>0."),
        ("email~null", "`null` can only be searched with `:`, as in `email:null`."),
        (
            "foo:'bar'",
            "Field `foo` is an unsupported search field for resource `customers`. It supports created, \
             email, name, phone, and metadata[\"key\"].",
        ),
    ] {
        let expected = (400, "parameter_invalid", "query", message);
        assert_eq!(search(&catalog, "customers", query).error(), expected, "{query}");
    }
    let clauses = |count: usize| vec!["name:'a'"; count].join(" AND ");
    assert_eq!(search(&catalog, "customers", &clauses(10)).status, 200);
    let message = "A search query can have up to 10 clauses.";
    let expected = (400, "parameter_invalid", "query", message);
    assert_eq!(search(&catalog, "customers", &clauses(11)).error(), expected);
    let missing = catalog.get("/v1/customers/search");
    let expected = (400, "parameter_missing", "query", "Missing required param: query.");
    assert_eq!(missing.error(), expected);
    let empty = catalog.get("/v1/customers/search?query=");
    assert_eq!(empty.error().1, "parameter_invalid_empty");
}

#[test]
fn the_pages_of_a_search_have_each_result_once() {
    let catalog = TestCatalog::new();
    let mut expected: Vec<String> = Vec::new();
    for number in 0..235 {
        let team = if number % 2 == 0 { "even" } else { "odd" };
        let id = catalog.create("/v1/products", &format!("name=x&metadata[team]={team}"));
        if team == "even" {
            expected.insert(0, id);
        }
    }
    let query = encode("metadata['team']:'even'");
    for limit in [1, 7, 59, 100] {
        let mut page = String::new();
        let mut ids: Vec<String> = Vec::new();
        loop {
            let target = format!("/v1/products/search?query={query}&limit={limit}{page}");
            let result = catalog.get(&target).expect_ok();
            let data = result["data"].as_array().unwrap();
            ids.extend(data.iter().map(|object| object["id"].as_str().unwrap().to_owned()));
            let Some(next) = result["next_page"].as_str() else {
                assert_eq!(result["has_more"], json!(false));
                break;
            };
            assert_eq!((result["has_more"].clone(), data.len()), (json!(true), limit));
            page = format!("&page={next}");
        }
        assert_eq!(ids, expected, "limit {limit}");
    }
    let result = catalog.get(&format!("/v1/products/search?query={query}")).expect_ok();
    assert_eq!(result["data"].as_array().unwrap().len(), 10);
    let names = ["object", "url"];
    assert_eq!(members(&result, &names), json!(["search_result", "/v1/products/search"]));
    // A page continues where the previous one ended, even if its last object is deleted.
    let next = result["next_page"].as_str().unwrap();
    catalog.delete(&format!("/v1/products/{}", expected[9])).expect_ok();
    let second = format!("/v1/products/search?query={query}&page={next}");
    assert_eq!(catalog.list_ids(&second), expected[10..20]);
    for (params, param) in [
        ("page=x", "page"),
        ("page=1_x", "page"),
        ("page=_", "page"),
        ("page=", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("starting_after=x", "starting_after"),
        ("created=1", "created"),
    ] {
        let rejected = catalog.get(&format!("/v1/products/search?query={query}&{params}"));
        let (status, _, name, _) = rejected.error();
        assert_eq!((status, name), (400, param), "{params}");
    }
}

#[test]
fn products_and_prices_are_searched_by_their_fields() {
    let catalog = TestCatalog::new();
    let lamp = "id=lamp&name=Desk+Lamp&description=A+bright+lamp&url=https://example.com/lamp&shippable=true";
    catalog.create("/v1/products", &format!("{lamp}&metadata[shelf]=3"));
    catalog.create("/v1/products", "id=plan&name=Pro+plan&active=false");
    for (query, expected) in [
        ("active:'true'", &["lamp"][..]),
        ("active:'false'", &["plan"]),
        ("-active:'true'", &["plan"]),
        ("name:'lamp'", &["lamp"]),
        ("name~'pla'", &["plan"]),
        ("description:'bright lamp'", &["lamp"]),
        ("description:null", &["plan"]),
        ("shippable:'true'", &["lamp"]),
        ("shippable:null", &["plan"]),
        ("url:'https://example.com/lamp'", &["lamp"]),
        ("url~'example'", &["lamp"]),
        ("metadata['shelf']:'3'", &["lamp"]),
        ("created>0 AND name:'pro'", &["plan"]),
    ] {
        assert_eq!(found(&catalog, "products", query), expected, "{query}");
    }
    let once = catalog.create(
        "/v1/prices",
        "product=lamp&currency=eur&unit_amount=900&lookup_key=lamp_once&metadata[a]=b",
    );
    let monthly = catalog.create(
        "/v1/prices",
        "product=plan&currency=usd&unit_amount=5&recurring[interval]=month&active=false",
    );
    for (query, expected) in [
        ("active:'true'", vec![&once]),
        ("currency:'EUR'", vec![&once]),
        ("currency:'usd'", vec![&monthly]),
        ("lookup_key:'lamp_once'", vec![&once]),
        ("lookup_key~'lamp'", vec![&once]),
        ("lookup_key:null", vec![&monthly]),
        ("product:'plan'", vec![&monthly]),
        ("type:'recurring'", vec![&monthly]),
        ("type:'one_time'", vec![&once]),
        ("metadata['a']:'b'", vec![&once]),
        ("created>0", vec![&monthly, &once]),
    ] {
        let ids = found(&catalog, "prices", query);
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let expand = encode("type:'recurring'");
    let expand = format!("/v1/prices/search?query={expand}&expand[]=data.product");
    assert_eq!(catalog.get(&expand).expect_ok()["data"][0]["product"]["name"], json!("Pro plan"));
}

#[test]
fn subscriptions_and_customers_of_test_clocks_are_found_with_their_status() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let form = format!("{}&metadata[team]=a", "email=ada@example.com");
    catalog.post(&format!("/v1/customers/{}", fixture.customer), &form).expect_ok();
    let outside = catalog.create("/v1/customers", "email=Ada@example.com");
    assert_customers(
        catalog,
        &[
            ("email:'ada@example.com'", &[&fixture.customer, &outside]),
            ("email:'ada@example.com' AND metadata['team']:'a'", &[&fixture.customer]),
        ],
    );
    catalog.post(&format!("/v1/customers/{outside}"), "email=eve@example.com").expect_ok();
    catalog
        .delete(&format!("/v1/customers/{}", catalog.create("/v1/customers", "email=x@x.de")))
        .expect_ok();
    assert_customers(
        catalog,
        &[
            ("email:'ada@example.com'", &[&fixture.customer]),
            ("email:'eve@example.com'", &[&outside]),
            ("email:'x@x.de'", &[]),
        ],
    );

    let active = fixture.subscribe("&metadata[seat]=7");
    let trialing = fixture.subscribe("&trial_period_days=90");
    let canceled = fixture.subscribe("");
    fixture.cancel(&canceled).expect_ok();
    for (query, expected) in [
        ("status:'active'", vec![&active]),
        ("status:'ACTIVE'", vec![&active]),
        ("status:'trialing'", vec![&trialing]),
        ("status:'canceled'", vec![&canceled]),
        ("status:'none'", vec![]),
        ("-status:'canceled'", vec![&trialing, &active]),
        ("status:'active' OR status:'canceled'", vec![&canceled, &active]),
        ("status:'active' AND metadata['seat']:'7'", vec![&active]),
        ("status:'trialing' AND metadata['seat']:'7'", vec![]),
        ("canceled_at:null", vec![&trialing, &active]),
        ("canceled_at>0", vec![&canceled]),
        (&format!("canceled_at:{JANUARY}"), vec![&canceled]),
        (&format!("created>={JANUARY}"), vec![&canceled, &trialing, &active]),
        (&format!("created>{FEBRUARY}"), vec![]),
    ] {
        let ids = found(catalog, "subscriptions", query);
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let result = search(catalog, "subscriptions", "status:'active'").expect_ok();
    assert_eq!(result["data"], json!([fixture.retrieve(&active)]));
    assert_eq!(result["next_page"], Value::Null);
    let field = search(catalog, "subscriptions", "customer:'x'");
    assert_eq!(field.error().0, 400);
}

#[test]
fn an_object_cannot_have_an_id_that_is_a_route() {
    let catalog = TestCatalog::new();
    for path in ["/v1/customers", "/v1/products"] {
        let rejected = catalog.post(path, "id=search&name=x");
        let message = "The id `search` is the name of a route. Choose another one.";
        assert_eq!(rejected.error(), (400, "parameter_invalid", "id", message), "{path}");
        catalog.create(path, "id=searches&name=x");
    }
}
