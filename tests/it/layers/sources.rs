//! The files of `src`, parsed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Item, Macro};

/// One file.
pub(crate) struct Source {
    /// Its path below `src`.
    pub(crate) name: String,
    /// The number of its lines.
    pub(crate) lines: usize,
    /// Its code without comments.
    code: String,
    pub(crate) syntax: syn::File,
}

impl Source {
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        Self {
            name: name.to_owned(),
            lines: text.lines().count(),
            code: code.collect::<Vec<_>>().join("\n"),
            syntax: syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }

    /// Whether the code has this name, and not only a longer one around it.
    pub(crate) fn names(&self, name: &str) -> bool {
        let continues = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(name).any(|(at, _)| {
            !self.code[..at].ends_with(continues)
                && !self.code[at + name.len()..].starts_with(continues)
        })
    }
}

/// The items between the braces of a macro call, as in `json_type! { struct S { … } }` and `thread_local!`.
pub(crate) fn items_in_macro(call: &Macro) -> Option<Vec<Item>> {
    call.parse_body::<syn::File>().ok().map(|body| body.items)
}

pub(crate) fn read_sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let source = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        Source::parse(&name, &fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(source).collect()
}
