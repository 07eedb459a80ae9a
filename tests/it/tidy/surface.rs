//! The public surface of `moose-runtime`: what is added to it or taken off it is decided, so it shows in `surface.txt`.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{Attribute, Item, UseTree, Visibility};

use crate::types::is_current;

/// Public names of the crate, with what features add. Those that the documentation hides are marked, and what is under
/// them is nobody's business.
#[derive(Default)]
struct Surface(BTreeSet<String>);

impl Surface {
    /// Adds the items of a module whose other files are in `directory`; of a module that is not public, what it exports all
    /// the same.
    fn add(&mut self, items: &[Item], module: &str, is_public: bool, directory: &Path) {
        for item in items {
            if let Item::Macro(found) = item {
                let is_exported = found.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
                if let Some(name) = found.ident.as_ref().filter(|_| is_exported) {
                    self.insert(&found.attrs, format!("{name}!"));
                }
                continue;
            }
            let Some((visibility, attributes, name)) = named(item) else { continue };
            let is_public = is_public && matches!(visibility, Visibility::Public(_));
            if let (Item::Use(import), true) = (item, is_public) {
                for name in leaves(&import.tree) {
                    self.insert(attributes, format!("{module}{name}"));
                }
            } else if is_public {
                self.insert(attributes, format!("{module}{name}"));
            }
            if let Item::Mod(found) = item {
                let is_public = is_public && !is_hidden(attributes);
                let (module, directory) = (format!("{module}{name}::"), directory.join(&name));
                if let Some((_, items)) = &found.content {
                    self.add(items, &module, is_public, &directory);
                } else if let Some(text) = text(&directory) {
                    self.add(&parsed(&text), &module, is_public, &directory);
                } else {
                    assert!(!is_public, "{module} is public, and has no file at {}", directory.display());
                }
            }
        }
    }

    fn insert(&mut self, attributes: &[Attribute], name: String) {
        self.0.insert(if is_hidden(attributes) { format!("{name} (hidden)") } else { name });
    }
}

/// The text of the module whose other files would be in `directory`.
fn text(directory: &Path) -> Option<String> {
    [directory.with_extension("rs"), directory.join("mod.rs")].iter().find_map(|file| fs::read_to_string(file).ok())
}

fn parsed(text: &str) -> Vec<Item> {
    syn::parse_file(text).expect("the sources are Rust").items
}

/// Who sees an item, its attributes and its name; a `use` has no name of its own.
fn named(item: &Item) -> Option<(&Visibility, &[Attribute], String)> {
    Some(match item {
        Item::Const(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Enum(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Fn(item) => (&item.vis, &item.attrs, item.sig.ident.to_string()),
        Item::Mod(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Static(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Struct(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Trait(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Type(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Union(item) => (&item.vis, &item.attrs, item.ident.to_string()),
        Item::Use(item) => (&item.vis, &item.attrs, String::new()),
        _ => return None,
    })
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    let hides = |attribute: &Attribute| {
        attribute.path().is_ident("doc")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "hidden")
    };
    attributes.iter().any(hides)
}

/// The names that a `use` gives.
fn leaves(tree: &UseTree) -> Vec<String> {
    match tree {
        UseTree::Path(path) => leaves(&path.tree),
        UseTree::Name(name) => vec![name.ident.to_string()],
        UseTree::Rename(rename) => vec![rename.rename.to_string()],
        UseTree::Glob(_) => vec!["*".to_owned()],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

#[test]
fn the_public_surface_is_what_was_decided() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../moose-runtime/src");
    let mut surface = Surface::default();
    let root = fs::read_to_string(sources.join("lib.rs")).expect("the root of the crate");
    surface.add(&parsed(&root), "", true, &sources);
    let names: Vec<String> = surface.0.into_iter().collect();
    is_current("it/tidy/surface.txt", &format!("{}\n", names.join("\n")));
}

#[test]
fn every_public_name_is_found() {
    let code = "
        pub mod a {
            pub use crate::b::{C, d::E as F, g::*};
            pub fn h() {}
            #[doc(hidden)]
            pub struct I;
            pub(crate) struct J;
            mod k { pub struct L; }
        }
        mod b {
            pub struct C;
            #[macro_export]
            macro_rules! m { () => {} }
            macro_rules! n { () => {} }
        }
        #[doc(hidden)]
        pub mod o { pub struct P; }
        pub trait Q {}
        use a::h;
    ";
    let mut surface = Surface::default();
    surface.add(&parsed(code), "", true, Path::new("nowhere"));
    let names: Vec<String> = surface.0.into_iter().collect();
    assert_eq!(names, ["Q", "a", "a::*", "a::C", "a::F", "a::I (hidden)", "a::h", "m!", "o (hidden)"]);
}
