//! The layers import downward only, and what a layer is for stays inside it.
//!
//! Reads every `crate::` path of the sources as tokens, so that nested `use` and paths inside macros count too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// Who may import whom: each layer, and the layers that it may name.
const LAYERS: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("document", &["model"]),
    ("keys", &["model"]),
    ("certs", &["model", "keys"]),
    ("transport", &["model", "certs"]),
    ("channel", &["model", "keys"]),
    ("store", &["model", "keys"]),
    ("protocol", &["model", "document"]),
    ("service", &["model", "document", "keys", "protocol", "store"]),
    ("config", &["model", "keys", "certs", "transport", "channel", "service"]),
    ("server", &["model", "keys", "transport", "channel", "protocol", "service", "config"]),
    ("client", &["model", "document", "keys", "transport", "channel", "protocol", "config"]),
];

/// What belongs to some layers alone: the word in a path, and where it may stand.
const OWNED: [(&str, &[&str]); 25] = [
    ("x25519_dalek", &["keys", "channel"]),
    ("hkdf", &["keys", "channel"]),
    ("hmac", &["channel"]),
    ("sha2", &["keys", "channel", "service"]),
    ("aes", &["channel"]),
    ("cbc", &["channel"]),
    ("fernet", &["keys", "channel"]),
    ("TcpStream", &["transport"]),
    ("UnixStream", &["transport"]),
    ("UdpSocket", &["transport"]),
    ("rcgen", &["certs"]),
    ("x509_parser", &["certs"]),
    ("rustls", &["transport"]),
    ("tokio_rustls", &["transport"]),
    ("toml", &["config"]),
    ("quick_xml", &["document"]),
    ("bcrypt", &["service"]),
    ("unicode_normalization", &["model"]),
    ("rusqlite", &["store"]),
    ("clap", &["bin"]),
    ("anyhow", &["bin"]),
    ("rustyline", &["bin"]),
    ("ratatui", &["bin"]),
    ("crossterm", &["bin"]),
    ("nucleo_matcher", &["bin"]),
];

#[test]
fn imports_run_downward_only() {
    let mut wrong = Vec::new();
    for (layer, path) in sources() {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else { continue };
        for target in targets_of_crate(tokens(&path)) {
            if target != layer && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}: {layer} may not import {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_source_belongs_to_a_layer() {
    let known: BTreeSet<_> = LAYERS.iter().map(|(name, _)| *name).chain(["lib", "bin"]).collect();
    let unknown: Vec<_> = sources().into_iter().filter(|(layer, _)| !known.contains(layer.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn primitives_sockets_and_the_command_line_stay_in_their_layers() {
    let mut wrong = Vec::new();
    for (layer, path) in sources() {
        let idents: BTreeSet<String> = idents(tokens(&path)).into_iter().collect();
        for (word, owners) in OWNED {
            if idents.contains(word) && !owners.contains(&layer.as_str()) {
                wrong.push(format!("{}: {word} belongs to {owners:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_paths_sees_nested_and_macro_paths() {
    let source = "use crate::{a::B, c::{self, d}, e}; mac!(crate::f::g); fn x() { crate::h(); } use other::i;";
    let found = targets_of_crate(source.parse().unwrap());
    assert_eq!(found.into_iter().collect::<String>(), "acefh");
}

/// Every source file with its layer: the first name below src.
fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let first = path.strip_prefix(&root).unwrap().iter().next().unwrap();
                let layer = Path::new(first).file_stem().unwrap().to_str().unwrap().to_owned();
                found.push((layer, path));
            }
        }
    }
    assert!(found.len() > 20);
    found
}

fn tokens(path: &Path) -> TokenStream {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn idents(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Ident(ident) => vec![ident.to_string()],
            TokenTree::Group(group) => idents(group.stream()),
            _ => Vec::new(),
        })
        .collect()
}

/// The modules right below `crate` that the tokens name.
fn targets_of_crate(tokens: TokenStream) -> BTreeSet<String> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut targets = BTreeSet::new();
    for (i, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => targets.extend(targets_of_crate(group.stream())),
            TokenTree::Ident(ident) if ident == "crate" && is_path_separator(&trees[i + 1..]) => match &trees[i + 3] {
                TokenTree::Ident(target) => drop(targets.insert(target.to_string())),
                TokenTree::Group(group) => targets.extend(first_idents(group.stream())),
                _ => {}
            },
            _ => {}
        }
    }
    targets
}

fn is_path_separator(rest: &[TokenTree]) -> bool {
    matches!(rest, [TokenTree::Punct(a), TokenTree::Punct(b), _, ..] if a.as_char() == ':' && b.as_char() == ':')
}

/// The first name of each item of a `{...}` list.
fn first_idents(list: TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = list.into_iter().collect();
    let items = trees.split(|tree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ','));
    items.filter_map(|item| item.first()).map(ToString::to_string).collect()
}
