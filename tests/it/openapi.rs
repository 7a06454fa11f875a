//! The document of the routes, held to the tables of routes: what is in the one is in the other.

use std::collections::BTreeSet;

use entgate::api::{self, catalog};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../www/console/openapi.json");

/// What the platform serves from files.
const FILES: [(&str, &str); 2] = [("GET", "/"), ("GET", "/openapi.json")];

fn operations(document: &Value) -> Vec<(String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    each.collect()
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();

    let edge = api::ROUTES.iter().map(|route| (route.method.as_str(), route.path));
    let catalog = catalog::routes().map(|(method, path)| (method.as_str(), path));
    let all = edge.chain(catalog).chain(FILES);
    // `{…*}` is our own way to say that a key may have slashes in it.
    let routes: BTreeSet<_> =
        all.map(|(method, path)| format!("{method} {}", path.replace("*}", "}"))).collect();

    assert_eq!(described, routes);
}

#[test]
fn every_route_that_only_the_catalog_has_says_so() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let is_of_edge = |method: &str, path: &str| {
        api::ROUTES
            .iter()
            .any(|route| route.method == method && route.path.replace("*}", "}") == path)
    };
    let of_catalog: BTreeSet<_> =
        catalog::routes().map(|(method, path)| format!("{method} {path}")).collect();
    for (method, path, operation) in operations(&document) {
        let expected =
            of_catalog.contains(&format!("{method} {path}")) && !is_of_edge(&method, path);
        assert_eq!(operation["tags"][0] == "catalog", expected, "{method} {path}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let operations = operations(&document);
    let names: BTreeSet<_> =
        operations.iter().map(|(.., operation)| operation["operationId"].as_str()).collect();
    assert_eq!(names.len(), operations.len());
}
