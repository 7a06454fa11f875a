//! The direction of imports: the layers of the crate, read in its sources.
//!
//! [`sources`] parses every file of `src` and [`imports`] resolves what each file takes from others, through
//! re-exports, to the file that declares it. A re-export itself is not an import.

mod imports;
pub(crate) mod sources;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    imports::{Crate, Import},
    sources::{Source, read_sources},
};

/// Each layer with the layers that it may import. Every one of them is listed above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("id", &["json"]),
    ("pagination", &["json"]),
    ("metadata", &["json"]),
    ("waiting", &[]),
    ("policy", &["json"]),
    ("override_period", &["json", "id"]),
    ("entitlement", &["json", "id", "policy", "override_period"]),
    ("effective_set", &["id", "policy", "override_period", "entitlement"]),
    ("entitlement_list", &["json", "id", "entitlement"]),
    ("gate", &["id", "entitlement"]),
    ("token", &["json", "id"]),
    ("webhook", &["json", "id", "entitlement", "policy", "entitlement_list"]),
    (
        "ledger",
        &[
            "waiting",
            "json",
            "id",
            "metadata",
            "policy",
            "override_period",
            "entitlement",
            "effective_set",
        ],
    ),
    ("source", &["waiting", "json", "id", "entitlement", "policy", "entitlement_list", "ledger"]),
    (
        "coordinator",
        &["waiting", "json", "id", "entitlement", "policy", "webhook", "ledger", "source"],
    ),
    ("customer_index", &["json", "id", "pagination", "ledger", "coordinator"]),
    (
        "catalog",
        &[
            "waiting",
            "json",
            "id",
            "pagination",
            "metadata",
            "entitlement",
            "policy",
            "webhook",
            "source",
        ],
    ),
    (
        "store",
        &[
            "waiting",
            "json",
            "id",
            "pagination",
            "policy",
            "override_period",
            "entitlement",
            "effective_set",
            "token",
            "ledger",
            "source",
            "coordinator",
            "customer_index",
        ],
    ),
    (
        "api",
        &[
            "json",
            "id",
            "pagination",
            "metadata",
            "waiting",
            "override_period",
            "entitlement",
            "effective_set",
            "policy",
            "token",
            "webhook",
            "ledger",
            "source",
            "coordinator",
            "customer_index",
            "catalog",
            "store",
        ],
    ),
    ("fast_path", &["json", "id", "entitlement", "api", "store"]),
    (
        "worker",
        &[
            "json",
            "id",
            "pagination",
            "waiting",
            "override_period",
            "entitlement",
            "effective_set",
            "policy",
            "token",
            "webhook",
            "ledger",
            "source",
            "coordinator",
            "customer_index",
            "catalog",
            "store",
            "api",
        ],
    ),
    ("browser", &["id", "entitlement", "gate"]),
];

/// The layers within the catalog, from the bottom to the top.
const CATALOG_LAYERS: &[&str] = &[
    "catalog/",
    "catalog/objects/",
    "catalog/engine/",
    "catalog/operations/",
    "catalog/scheduler.rs",
    "catalog/limiter.rs",
    "catalog/ports.rs",
    "catalog/process.rs",
];

/// The modules that may name a platform: the shells.
const SHELLS: [&str; 3] = ["fast_path", "worker", "browser"];

/// The number of lines that a file may have.
const MAX_LINES: usize = 400;

#[test]
fn imports_go_one_way_between_layers() {
    for Import { from, to, name } in imports() {
        let (layer, imported) = (layer_of(&from), layer_of(&to));
        let (_, allowed) = LAYERS
            .iter()
            .find(|(known, _)| *known == layer)
            .unwrap_or_else(|| panic!("{from} is in no layer"));
        assert!(
            layer == imported || allowed.contains(&imported),
            "{from} imports `{name}` of {to}: `{imported}` is not below `{layer}`"
        );
    }
}

#[test]
fn imports_go_one_way_within_the_catalog() {
    let position = |file: &str| CATALOG_LAYERS.iter().rposition(|layer| file.starts_with(layer));
    for Import { from, to, name } in imports() {
        if let (Some(layer), Some(imported)) = (position(&from), position(&to)) {
            assert!(imported <= layer, "{from} imports `{name}` of {to}, which is above it");
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut imported = BTreeMap::<String, BTreeSet<String>>::new();
    let mut names = BTreeMap::<(String, String), BTreeSet<String>>::new();
    for Import { from, to, name } in imports() {
        names.entry((from.clone(), to.clone())).or_default().insert(name);
        imported.entry(from).or_default().insert(to);
    }
    let circles: Vec<_> = imports::circles(&imported)
        .into_iter()
        .map(|files| {
            let ties =
                names.iter().filter(|((from, to), _)| files.contains(from) && files.contains(to));
            let ties = ties.map(|((from, to), names)| format!("\n  {from} -> {to}: {names:?}"));
            format!("\n{files:?}{}", ties.collect::<String>())
        })
        .collect();
    assert!(circles.is_empty(), "{} circles:{}", circles.len(), circles.concat());
}

#[test]
fn imports_are_found_in_groups_paths_aliases_macros_and_through_re_exports() {
    let sources = [
        ("lib.rs", "mod a; mod b; mod c; macro_rules! m { () => {} }"),
        (
            "a/mod.rs",
            "mod inner; pub use self::inner::{Deep, Alias as Other}; pub const LIMIT: u8 = 1;",
        ),
        (
            "a/inner.rs",
            "pub struct Deep; pub struct Alias; impl Deep { fn new() { super::LIMIT; } }",
        ),
        (
            "b.rs",
            "use crate::{a::{self, Deep}, c}; fn f(x: Deep) { print!(\"{}\", a::Other); c::go() }",
        ),
        (
            "c.rs",
            "pub fn go() { let _: crate::b::X; } #[cfg(test)] mod tests { use crate::a::LIMIT; }",
        ),
    ];
    let sources = sources.map(|(name, code)| Source::parse(name, code));
    let imports = Crate::new(&sources).imports();
    let imports: Vec<_> =
        imports.iter().map(|Import { from, to, name }| (&**from, &**to, &**name)).collect();
    let expected = [
        ("a/inner.rs", "a/mod.rs", "LIMIT"),
        ("b.rs", "a/inner.rs", "Alias"),
        ("b.rs", "a/inner.rs", "Deep"),
        ("b.rs", "c.rs", "go"),
    ];
    assert_eq!(imports, expected);
}

#[test]
fn a_call_of_a_method_whose_block_is_apart_from_its_type_is_an_import() {
    let sources = [
        ("lib.rs", "mod low; mod high;"),
        ("low.rs", "pub struct T; impl T { pub fn near(&self) { self.apart() } }"),
        ("high.rs", "use crate::low::T; impl T { pub fn apart(&self) { self.near() } }"),
    ];
    let sources = sources.map(|(name, code)| Source::parse(name, code));
    let imports = Crate::new(&sources).imports();
    let imports: Vec<_> =
        imports.iter().map(|Import { from, to, name }| (&**from, &**to, &**name)).collect();
    assert_eq!(imports, [("high.rs", "low.rs", "T"), ("low.rs", "high.rs", "apart")]);
}

#[test]
fn a_circle_through_types_that_a_macro_declares_is_found() {
    let sources = [
        ("lib.rs", "mod json; mod low; mod high;"),
        ("json.rs", "macro_rules! json_type { () => {} } pub(crate) use json_type;"),
        ("low.rs", "crate::json::json_type! { pub struct Low { high: Option<super::high::High> } }"),
        (
            "high.rs",
            "use crate::{json::json_type, low::Low};
            json_type! { pub struct Other(u8); pub enum High { No = \"no\", Of { low: Low } = \"of\" } }",
        ),
    ];
    let sources = sources.map(|(name, code)| Source::parse(name, code));
    let imports = Crate::new(&sources).imports();
    let found: Vec<_> =
        imports.iter().map(|Import { from, to, name }| (&**from, &**to, &**name)).collect();
    let expected = [
        ("high.rs", "json.rs", "json_type"),
        ("high.rs", "low.rs", "Low"),
        ("low.rs", "high.rs", "High"),
        ("low.rs", "json.rs", "json_type"),
    ];
    assert_eq!(found, expected);
    let mut imported = BTreeMap::<_, BTreeSet<_>>::new();
    for Import { from, to, .. } in imports {
        imported.entry(from).or_default().insert(to);
    }
    let circle = ["high.rs".to_owned(), "low.rs".to_owned()];
    assert_eq!(imports::circles(&imported), [circle.into()]);
}

#[test]
fn a_circle_is_found_with_all_its_files() {
    let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let imported = [("a", &["b"][..]), ("b", &["c", "d"]), ("c", &["a"]), ("d", &[])];
    let imported = imported.map(|(from, to)| (from.to_owned(), files(to)));
    assert_eq!(imports::circles(&imported.into()), [files(&["a", "b", "c"])]);
}

#[test]
fn only_the_shells_name_their_platforms() {
    for source in read_sources() {
        let forbidden: &[&str] = match layer_of(&source.name) {
            "lib" | "worker" => &[],
            "fast_path" | "browser" => &["worker"],
            _ => &["worker", "wasm_bindgen", "js_sys", "web_sys"],
        };
        for name in forbidden {
            assert!(!source.names(name), "{} names `{name}`", source.name);
        }
    }
}

/// The files that parse JSON with `serde_json`. The table in `src/json/mod.rs` has them and the other readers.
const JSON_READERS: [&str; 3] = ["json/decode.rs", "json/object.rs", "json/strict.rs"];

#[test]
fn json_is_parsed_by_the_documented_readers_only() {
    let functions = ["from_str", "from_slice", "from_reader", "from_value", "Deserializer"];
    let parses =
        |source: &Source| functions.iter().any(|name| source.names(&format!("serde_json::{name}")));
    let readers = read_sources().into_iter().filter(parses).map(|source| source.name);
    assert_eq!(readers.collect::<Vec<_>>(), JSON_READERS);
}

#[test]
fn nothing_below_the_shells_reads_a_clock_a_secret_or_the_environment() {
    for source in read_sources() {
        if !SHELLS.contains(&layer_of(&source.name)) {
            for name in ["SystemTime", "Instant", "std::time", "std::env", "std::fs", "std::net"] {
                assert!(!source.names(name), "{} names `{name}`", source.name);
            }
        }
    }
}

#[test]
fn a_file_has_at_most_400_lines() {
    for source in read_sources() {
        assert!(source.lines <= MAX_LINES, "{} has {} lines", source.name, source.lines);
    }
}

fn imports() -> Vec<Import> {
    let sources = read_sources();
    let imports = Crate::new(&sources).imports();
    assert!(imports.len() > 500, "only {} imports were found", imports.len());
    imports
}

/// The first folder of a file below `src`, or its own name.
fn layer_of(name: &str) -> &str {
    name.split('/').next().unwrap().trim_end_matches(".rs")
}
