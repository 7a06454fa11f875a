//! The OpenAPI document describes exactly the routes of the route tables.

use std::collections::BTreeSet;

use entgate::api::{self, catalog};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../www/console/openapi.json");

/// The routes that the platform serves from files.
const FILES: [(&str, &str); 2] = [("GET", "/"), ("GET", "/openapi.json")];

fn operations(document: &Value) -> Vec<(String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    operations.collect()
}

#[test]
fn the_document_describes_every_route_and_no_other() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();

    let edge = api::ROUTES.iter().map(|route| (route.method.as_str(), route.path));
    let catalog = catalog::routes().map(|(method, path)| (method.as_str(), path));
    let all = edge.chain(catalog).chain(FILES);
    // OpenAPI has no syntax for a parameter with slashes.
    let routes: BTreeSet<_> =
        all.map(|(method, path)| format!("{method} {}", path.replace("*}", "}"))).collect();

    assert_eq!(described, routes);
}

#[test]
fn every_route_of_the_catalog_alone_has_its_tag() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let is_edge_route = |method: &str, path: &str| {
        api::ROUTES
            .iter()
            .any(|route| route.method == method && route.path.replace("*}", "}") == path)
    };
    let catalog_routes: BTreeSet<_> =
        catalog::routes().map(|(method, path)| format!("{method} {path}")).collect();
    for (method, path, operation) in operations(&document) {
        let expected =
            catalog_routes.contains(&format!("{method} {path}")) && !is_edge_route(&method, path);
        assert_eq!(operation["tags"][0] == "catalog", expected, "{method} {path}");
    }
}

#[test]
fn every_operation_id_is_unique() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let operations = operations(&document);
    let ids: BTreeSet<_> =
        operations.iter().map(|(.., operation)| operation["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len());
}
