//! The direction of imports: the sentences of the crate's map, read in its sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each layer, and what it may import: what stands before it here, and of its own row only what is
/// listed. The shells come last.
const LAYERS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("id", &["json"]),
    ("entitlement", &["json", "id"]),
    ("policy", &["json"]),
    ("entitlement_list", &["id", "entitlement"]),
    ("gate", &["id", "entitlement"]),
    ("token", &["json", "id"]),
    ("webhook", &["id", "entitlement", "policy", "entitlement_list"]),
    ("ledger", &["json", "id", "entitlement"]),
    ("source", &["json", "id", "entitlement", "policy", "entitlement_list", "ledger"]),
    ("catalog", &["json", "id", "entitlement", "policy", "webhook", "source"]),
    ("store", &["json", "id", "entitlement", "token", "ledger", "source"]),
    (
        "api",
        &[
            "json",
            "id",
            "entitlement",
            "policy",
            "token",
            "webhook",
            "ledger",
            "source",
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
            "entitlement",
            "policy",
            "token",
            "webhook",
            "ledger",
            "source",
            "catalog",
            "store",
            "api",
        ],
    ),
    ("browser", &["id", "entitlement", "gate"]),
];

fn sources() -> Vec<(String, String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let source = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let layer = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        // Comments may speak of anything.
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        (name, layer, code.collect::<Vec<_>>().join("\n"))
    };
    paths.into_iter().map(source).collect()
}

/// Whether the code names a thing, and not only a longer name around it.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part)
    })
}

/// What is imported of the crate: the first names of `crate::…`, in groups too.
fn imported(code: &str) -> Vec<String> {
    let mut imported = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut first = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => first = true,
                    _ => {}
                }
                if depth == 0 && first && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                } else if !word.is_empty() {
                    imported.push(std::mem::take(&mut word));
                    first = false;
                }
            }
            if !word.is_empty() {
                imported.push(word);
            }
        } else {
            imported.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    imported
}

#[test]
fn imports_go_one_way() {
    let sources = sources();
    assert!(sources.len() > 20, "the sources were found");
    for (name, layer, code) in sources {
        if name == "lib.rs" {
            continue;
        }
        let row = LAYERS.iter().find(|(known, _)| *known == layer);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{name} is in no layer"));
        for import in imported(&code) {
            assert!(
                import == layer || allowed.contains(&import.as_str()),
                "{name} imports `{import}`, which is not below `{layer}`"
            );
        }
    }
}

#[test]
fn the_reader_of_imports_sees_groups() {
    let code = "use crate::{\n    api::{self, App},\n    id,\n};\nuse crate::store::Error;";
    assert_eq!(imported(code), ["api", "id", "store"]);
    assert!(names("use worker::Env;", "worker") && !names("use worker_sys::X;", "worker"));
}

#[test]
fn only_the_shells_name_their_platforms() {
    for (name, layer, code) in sources() {
        let forbidden: &[&str] = match (name.as_str(), layer.as_str()) {
            ("lib.rs", _) | (_, "worker") => &[],
            (_, "fast_path" | "browser") => &["worker"],
            _ => &["worker", "wasm_bindgen", "js_sys", "web_sys"],
        };
        for word in forbidden {
            assert!(!names(&code, word), "{name} names `{word}`");
        }
    }
}

#[test]
fn nothing_below_the_shells_reads_a_clock_a_secret_or_the_environment() {
    for (name, layer, code) in sources() {
        if ["fast_path", "worker", "browser"].contains(&layer.as_str()) {
            continue;
        }
        for word in ["SystemTime", "Instant", "std::time", "std::env", "std::fs", "std::net"] {
            assert!(!names(&code, word), "{name} names `{word}`");
        }
    }
}

#[test]
fn a_file_is_one_noun_and_stays_under_400_lines() {
    for (name, _, _) in sources() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&name);
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= 400, "{name} has {lines} lines");
    }
}
