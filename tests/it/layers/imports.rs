//! What each file takes from which other file.
//!
//! Resolves names as far as it takes to find the declaring file: modules, `use` (groups, aliases, globs,
//! re-exports) and paths in code and in macro arguments. A call of a method counts where its `impl` block is not in
//! the file of the type. Trait dispatch is not resolved. Test modules are left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ExprMethodCall, ImplItem, Item, ItemImpl, ItemMod, ItemUse, Type, UseTree,
    Visibility,
    visit::{self, Visit},
};

use super::sources::{Source, items_in_macro};

/// One name that a file takes from another one.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Import {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) name: String,
}

/// The modules of a crate by their paths, the root's being empty.
pub(super) struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

#[derive(Default)]
struct Module {
    file: String,
    declared: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths in code, unresolved.
    paths: Vec<Vec<String>>,
    /// Inherent `impl` blocks: the type, unresolved, and the names of the methods.
    impls: Vec<(Vec<String>, Vec<String>)>,
    /// The names of the methods that are called.
    method_calls: BTreeSet<String>,
}

struct Use {
    /// `*` for a glob.
    alias: String,
    path: Vec<String>,
    is_re_export: bool,
}

/// A method whose `impl` block is not in the file of its type.
struct Method {
    to: String,
    declared_in: String,
}

/// Where a path leads.
enum Target {
    Module,
    /// A declaration: its file and its name.
    Item(String, String),
}

impl Crate {
    pub(super) fn new(sources: &[Source]) -> Self {
        let mut modules = BTreeMap::new();
        for source in sources {
            let path = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
            let path = if path == "lib" {
                Vec::new()
            } else {
                path.split('/').map(str::to_owned).collect()
            };
            collect(&mut modules, path, &source.name, &source.syntax.items);
        }
        Self { modules }
    }

    /// All imports, sorted.
    pub(super) fn imports(&self) -> Vec<Import> {
        let mut imports = BTreeSet::new();
        for (path, module) in &self.modules {
            let uses =
                module.uses.iter().filter(|import| !import.is_re_export).map(|import| &import.path);
            for target in uses.chain(&module.paths) {
                if let Some(Target::Item(to, name)) = self.resolve(path, target)
                    && to != module.file
                {
                    imports.insert(Import { from: module.file.clone(), to, name });
                }
            }
        }
        let methods = self.methods_declared_apart();
        let importers: BTreeSet<_> =
            imports.iter().map(|import| (import.from.clone(), import.to.clone())).collect();
        for module in self.modules.values() {
            for (name, Method { to, declared_in }) in &methods {
                let knows_type = module.file == *declared_in
                    || importers.contains(&(module.file.clone(), declared_in.clone()));
                if knows_type && module.method_calls.contains(name) && *to != module.file {
                    imports.insert(Import {
                        from: module.file.clone(),
                        to: to.clone(),
                        name: name.clone(),
                    });
                }
            }
        }
        imports.into_iter().collect()
    }

    /// The methods in an `impl` block that is not in the file of its type. A caller that has the type needs no `use`
    /// for them. A name that several types have is left out.
    fn methods_declared_apart(&self) -> BTreeMap<String, Method> {
        let mut files = BTreeMap::<&String, Vec<&Module>>::new();
        let mut apart = BTreeMap::new();
        for (path, module) in &self.modules {
            for (target, methods) in &module.impls {
                let declared_in = match self.resolve(path, target) {
                    Some(Target::Item(file, _)) => file,
                    Some(Target::Module) | None => continue,
                };
                for name in methods {
                    files.entry(name).or_default().push(module);
                    if declared_in != module.file {
                        apart.insert(
                            name.clone(),
                            Method { to: module.file.clone(), declared_in: declared_in.clone() },
                        );
                    }
                }
            }
        }
        apart.retain(|name, _| files.get(name).is_some_and(|files| files.len() == 1));
        apart
    }

    /// Resolves a path in a module.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<Target> {
        let mut base = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" | "$crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => {}
        }
        self.walk(base, rest, 0)
    }

    fn walk(&self, mut module: Vec<String>, path: &[String], depth: usize) -> Option<Target> {
        // Globs that lead to each other end here.
        if depth > 16 {
            return None;
        }
        let Some((first, rest)) = path.split_first() else { return Some(Target::Module) };
        let here = self.modules.get(&module)?;
        if here.declared.contains(first) {
            return Some(Target::Item(here.file.clone(), first.clone()));
        }
        for import in here.uses.iter().filter(|import| import.alias == *first) {
            let target = [&import.path, rest].concat();
            // An alias of the same name is not its own target.
            if import.path.first() != Some(first) || import.path.len() > 1 {
                return match import.path.first().map(String::as_str) {
                    Some("crate" | "self" | "super") => {
                        let (base, target) = absolute(&module, &target);
                        self.walk(base, target, depth + 1)
                    }
                    Some(head) if self.is_child(&module, head) => {
                        self.walk(module.clone(), &target, depth + 1)
                    }
                    _ => None,
                };
            }
        }
        if self.is_child(&module, first) {
            module.push(first.clone());
            return self.walk(module, rest, depth + 1);
        }
        here.uses.iter().filter(|import| import.alias == "*").find_map(|import| {
            let target = [&import.path, path].concat();
            let (base, target) = absolute(&module, &target);
            self.walk(base, target, depth + 1)
        })
    }

    fn is_child(&self, module: &[String], name: &str) -> bool {
        self.modules.contains_key(&[module, &[name.to_owned()]].concat())
    }
}

/// The module that a `use` path starts at, and the rest of the path.
fn absolute<'a>(module: &[String], path: &'a [String]) -> (Vec<String>, &'a [String]) {
    let mut base = module.to_vec();
    let mut rest = path;
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    (base, rest)
}

fn collect(
    modules: &mut BTreeMap<Vec<String>, Module>,
    path: Vec<String>,
    file: &str,
    items: &[Item],
) {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    for item in items {
        match item {
            Item::Mod(item) if is_test(&item.attrs) => {}
            Item::Mod(ItemMod { ident, content: Some((_, items)), .. }) => {
                collect(modules, [&path[..], &[ident.to_string()]].concat(), file, items);
            }
            Item::Mod(_) => {}
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    module.declared.insert(ident.to_string());
                }
                if let Some(items) = items_in_macro(&item.mac) {
                    module.visit_path(&item.mac.path);
                    for item in &items {
                        module.add_item(item);
                    }
                } else {
                    module.declared.extend(declared_by_macro(&item.mac.tokens));
                    module.visit_item_macro(item);
                }
            }
            item => module.add_item(item),
        }
    }
    modules.insert(path, module);
}

fn declared_name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// The names that a macro call at module level may declare: `bounded_string! { CustomerId, 255 }`.
fn declared_by_macro(tokens: &TokenStream) -> Vec<String> {
    let trees: Vec<_> = tokens.clone().into_iter().collect();
    let names = trees.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(ident), TokenTree::Punct(punct)] if punct.as_char() == ',' => {
            Some(ident.to_string())
        }
        _ => None,
    });
    names.collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl Module {
    fn add_item(&mut self, item: &Item) {
        self.declared.extend(declared_name(item));
        self.visit_item(item);
    }

    fn add_uses(&mut self, tree: &UseTree, prefix: &[String], is_re_export: bool) {
        let mut add = |alias: &str, path: Vec<String>| {
            self.uses.push(Use { alias: alias.to_owned(), path, is_re_export });
        };
        match tree {
            UseTree::Path(path) => {
                let prefix = [prefix, &[path.ident.to_string()]].concat();
                self.add_uses(&path.tree, &prefix, is_re_export);
            }
            UseTree::Name(name) if name.ident == "self" => {
                add(prefix.last().map_or("", String::as_str), prefix.to_vec());
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                add(&name, [prefix, std::slice::from_ref(&name)].concat());
            }
            UseTree::Rename(rename) => {
                let path = [prefix, &[rename.ident.to_string()]].concat();
                add(&rename.rename.to_string(), path);
            }
            UseTree::Glob(_) => add("*", prefix.to_vec()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_uses(tree, prefix, is_re_export);
                }
            }
        }
    }

    /// Paths of two segments or more in the arguments of a macro.
    fn add_token_paths(&mut self, tokens: &TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for tree in tokens.clone() {
            match tree {
                TokenTree::Ident(ident) if colons == 2 => path.push(ident.to_string()),
                TokenTree::Ident(ident) => self.end_path(&mut path, Some(ident.to_string())),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end_path(&mut path, None);
                    self.add_token_paths(&group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_path(&mut path, None),
            }
            colons = 0;
        }
        self.end_path(&mut path, None);
    }

    fn end_path(&mut self, path: &mut Vec<String>, next: Option<String>) {
        let ended = std::mem::replace(path, next.into_iter().collect());
        if ended.len() > 1 {
            self.paths.push(ended);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_uses(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if item.trait_.is_none()
            && let Type::Path(path) = &*item.self_ty
        {
            let path = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let methods = item.items.iter().filter_map(|item| match item {
                ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
                _ => None,
            });
            self.impls.push((path, methods.collect()));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.method_calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.paths
                .push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_token_paths(&call.tokens);
        visit::visit_macro(self, call);
    }
}

/// The groups of files that import each other, directly or through others.
pub(super) fn circles(imported: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reachable = |start: &String| {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(file) = next.pop() {
            for to in imported.get(file).into_iter().flatten() {
                if reached.insert(to.clone()) {
                    next.push(to);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = imported.keys().map(|file| (file, reachable(file))).collect();
    let mut circles = Vec::<BTreeSet<String>>::new();
    for (file, from_here) in &reached {
        if !from_here.contains(*file) || circles.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let others = from_here
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*file)));
        circles.push(others.cloned().collect());
    }
    circles
}
