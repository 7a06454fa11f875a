//! The list of entitlements where the catalog is the source.

use std::{cell::RefCell, rc::Rc};

use entgate::{api::Request, store::memory::MemoryCatalog};
use serde_json::{Value, json};

use super::{denial, deployment, grant};
use crate::support::{NOW, Service, event};

const LIST: &str = "/v1/entitlements/active_entitlements";

fn row(key: &str) -> Value {
    json!({
        "id": format!("ent_test_{key}"),
        "object": "entitlements.active_entitlement",
        "feature": format!("feat_test_{key}"),
        "livemode": false,
        "lookup_key": key,
    })
}

/// A deployment whose catalog returns `sms`, `sso` and `tv` in two pages. Its ledger has `sms` only.
/// Returns the targets of the requests to the catalog too.
fn with_catalog(settings: &[(&str, &str)]) -> (Service, Rc<RefCell<Vec<String>>>) {
    let mut service = deployment(&[settings, &[("ENTGATE_SOURCE", "catalog")]].concat());
    let requests = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&requests);
    service.store.catalog = Some(MemoryCatalog::new(move |_, request: &Request| {
        let target = request.uri().to_string();
        log.borrow_mut().push(target.clone());
        let is_second = target.contains("starting_after=ent%5Ftest%5Fsso");
        let data = if is_second { vec![row("tv")] } else { vec![row("sms"), row("sso")] };
        let page = json!({
            "object": "list", "data": data, "has_more": !is_second, "url": request.uri().path(),
        });
        http::Response::builder()
            .header("stripe-version", "of the catalog")
            .body(page.to_string().into_bytes())
            .unwrap()
    }));
    service.receive(&event("cus_ada", NOW.0, &["sms"], false));
    (service, requests)
}

#[test]
fn the_catalog_answers_alone_where_no_other_layer_changes_the_set() {
    let (service, requests) = with_catalog(&[]);
    let list = service.get(&format!("{LIST}?customer=cus_ada&limit=2"));
    assert_eq!(list.body["has_more"], true);
    assert_eq!(*requests.borrow(), [format!("{LIST}?customer=cus_ada&limit=2")]);
}

#[test]
fn the_rows_of_the_source_come_from_the_catalog_and_the_others_from_the_ledger() {
    let (service, _) = with_catalog(&[("ENTGATE_DEFAULT_FEATURES", "zip,tv")]);
    service.create(denial("ovr_1", "sso"));
    service.create(grant("ovr_2", "api"));
    service.replicate();
    let list = service.get(&format!("{LIST}?customer=cus_ada"));
    let keys = |list: &Value| -> Vec<String> {
        let rows = list["data"].as_array().unwrap().iter();
        rows.map(|row| row["lookup_key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&list.body), ["sms", "tv", "api", "zip"]);
    assert_eq!(list.body["data"][0], row("sms"));
    assert_eq!(list.header("stripe-version"), Some("of the catalog"));
    let by_customer = service.get("/v1/customer/cus_ada/entitlements");
    assert_eq!(keys(&by_customer.body), ["sms", "tv", "api", "zip"]);
    assert_eq!(by_customer.body["url"], "/v1/customer/cus_ada/entitlements");
    let page = service.get(&format!("{LIST}?customer=cus_ada&limit=1&starting_after=ent_test_tv"));
    assert_eq!((keys(&page.body), &page.body["has_more"]), (vec!["api".to_owned()], &json!(true)));
    let expanded = service.get(&format!("{LIST}?customer=cus_ada&expand[]=data.feature"));
    let local = expanded.body["data"][2]["feature"].clone();
    assert_eq!((&local["lookup_key"], &local["name"]), (&json!("api"), &json!("api")));
}
