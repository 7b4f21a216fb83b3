//! Hellos that no side may send: cut, with fields that are wrong, absent or needless, and choices that were not offered.

use super::super::super::mode::KeyMode::{self, *};
use super::super::edit::Edit;
use super::super::parties::{Held, tag};
use super::super::{CLIENT_NONCE, identity};
use super::Step::{ClientHello, ServerHello};
use super::{Broken, appended, broken, field, instead, trailing, value};

pub(super) fn all() -> Vec<Broken> {
    [cut(), in_any_client_hello(), for_the_modes_of_a_client(), offers(), in_any_server_hello(), choices()]
        .into_iter()
        .flatten()
        .collect()
}

/// Magic, version, and the ends of both hellos.
fn cut() -> Vec<Broken> {
    let mut all = Vec::new();
    for (mode, step) in [(KeyMode::X25519Psk, ClientHello), (KeyMode::X25519, ServerHello)] {
        let mut add = |reason, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, step, reason, edits));
        add("bad_magic", &|hello| vec![Edit::replace(hello, 3, 1, b"f")]);
        add("bad_magic", &|hello| vec![Edit::flip(hello, 10, 1)]);
        add("bad_magic", &|hello| vec![Edit::replace(hello, 3, hello.len() - 3, b"")]);
        add("wrong_version", &|hello| vec![Edit::replace(hello, 11, 1, &[0])]);
        add("wrong_version", &|hello| vec![Edit::replace(hello, 11, 1, &[2])]);
        // Behind the last field, and inside its value, its length and its type.
        add("cut_field", &|hello| trailing(hello, &[0]));
        add("cut_field", &|hello| trailing(hello, &[2, 188, 0, 1]));
        add("cut_field", &|hello| vec![Edit::replace(hello, hello.len() - 1, 1, b"")]);
        let last = if step == ClientHello { 4 } else { 5 };
        add("cut_field", &|hello| cut_inside(hello, last, 3));
        add("cut_field", &|hello| cut_inside(hello, last, 1));
        add("cut_field", &|hello| vec![Edit::replace(hello, field(hello, 2).0 + 2, 2, &[0x0f, 0xff])]);
        add("cut_field", &|hello| vec![Edit::replace(hello, 11, hello.len() - 11, b"")]);
    }
    all
}

/// Ends the hello so many bytes into a field.
fn cut_inside(hello: &[u8], kind: u16, kept: usize) -> Vec<Edit> {
    let from = field(hello, kind).0 + kept;
    vec![Edit::replace(hello, from, hello.len() - from, b"")]
}

/// A ClientHello that no server takes.
fn client(mode: KeyMode, reason: &'static str, edits: impl FnOnce(&[u8]) -> Vec<Edit>) -> Broken {
    broken(mode, ClientHello, reason, edits)
}

/// A ServerHello that no client takes.
fn server(mode: KeyMode, reason: &'static str, edits: impl FnOnce(&[u8]) -> Vec<Edit>) -> Broken {
    broken(mode, ServerHello, reason, edits)
}

/// Fields twice, out of order, and of the wrong length or content.
fn in_any_client_hello() -> Vec<Broken> {
    let later = |byte: u8| (700, vec![byte; 4]);
    vec![
        client(X25519, "duplicate_field", |hello| appended(hello, &[(3, vec![9; 32])])),
        client(Psk, "duplicate_field", |hello| instead(hello, 1, &[(1, vec![3]), (1, vec![3])])),
        client(Psk, "duplicate_field", |hello| appended(hello, &[later(1), later(2)])),
        client(X25519, "field_order", |hello| appended(hello, &[(2, vec![0x99; 32])])),
        client(X25519, "field_order", |hello| instead(hello, 1, &[(2, vec![0x99; 32]), (1, vec![2])])),
        client(Psk, "field_order", |hello| appended(hello, &[later(1), (699, vec![])])),
        client(Psk, "field_order", |hello| appended(hello, &[(0, vec![])])),
        client(X25519, "bad_field", |hello| instead(hello, 1, &[(1, vec![])])),
        client(X25519, "bad_field", |hello| instead(hello, 1, &[(1, vec![2, 2])])),
        client(X25519, "bad_field", |hello| instead(hello, 1, &[(1, vec![2, 77, 99, 77])])),
        client(Psk, "bad_field", |hello| instead(hello, 2, &[(2, vec![9; 31])])),
        client(Psk, "bad_field", |hello| instead(hello, 2, &[(2, vec![9; 33])])),
        client(X25519, "bad_field", |hello| instead(hello, 3, &[(3, vec![9; 31])])),
        client(X25519, "bad_field", |hello| instead(hello, 3, &[(3, vec![])])),
        client(Psk, "bad_field", |hello| instead(hello, 4, &[(4, vec![9; 32])])),
    ]
}

/// Fields that the offered modes need and that are absent, and others that they have no use for.
fn for_the_modes_of_a_client() -> Vec<Broken> {
    let tag = || (4, tag(Held::Psk).to_vec());
    vec![
        client(X25519, "missing_field", |hello| instead(hello, 1, &[])),
        client(Psk, "missing_field", |hello| instead(hello, 2, &[])),
        client(X25519, "missing_field", |hello| instead(hello, 3, &[])),
        client(X25519Psk, "missing_field", |hello| instead(hello, 3, &[])),
        client(X25519Psk, "missing_field", |hello| instead(hello, 4, &[])),
        client(Psk, "missing_field", |hello| instead(hello, 4, &[])),
        // An unknown mode does not stand in for what a known one needs.
        client(X25519, "missing_field", |hello| {
            [instead(hello, 1, &[(1, vec![2, 99])]), instead(hello, 3, &[])].concat()
        }),
        client(X25519, "needless_field", |hello| appended(hello, &[tag()])),
        client(Psk, "needless_field", |hello| instead(hello, 2, &[(2, CLIENT_NONCE.to_vec()), (3, vec![9; 32])])),
        client(X25519, "needless_field", |hello| appended(hello, &[(5, vec![9; 32])])),
        client(X25519Psk, "needless_field", |hello| appended(hello, &[(5, vec![9; 32])])),
    ]
}

/// Offers that this server has no use for: no mode that it knows, and tags that are not for its key and this nonce.
fn offers() -> Vec<Broken> {
    let mut all = vec![client(X25519, "no_common_mode", |hello| vec![value(hello, 1, &[99])])];
    for mode in [X25519Psk, Psk] {
        let other = |hello: &[u8]| vec![value(hello, 4, &tag(Held::OtherPsk)).made_as("key_tag_of_other_psk")];
        all.push(client(mode, "unknown_key", other));
        all.push(client(mode, "unknown_key", |hello| vec![Edit::flip(hello, hello.len() - 1, 1)]));
        all.push(client(mode, "unknown_key", |hello| vec![Edit::flip(hello, field(hello, 2).0 + 4, 0x80)]));
    }
    all
}

/// The same faults in a ServerHello.
fn in_any_server_hello() -> Vec<Broken> {
    let mut all = vec![
        server(X25519, "duplicate_field", |hello| appended(hello, &[(5, vec![9; 32])])),
        server(Psk, "duplicate_field", |hello| instead(hello, 1, &[(1, vec![3]), (1, vec![2])])),
        server(Psk, "field_order", |hello| appended(hello, &[(1, vec![3])])),
        server(X25519, "field_order", |hello| appended(hello, &[(3, vec![9; 32])])),
        server(Psk, "bad_field", |hello| instead(hello, 2, &[(2, vec![9; 31])])),
        server(X25519, "bad_field", |hello| instead(hello, 3, &[(3, vec![9; 33])])),
        server(X25519, "bad_field", |hello| instead(hello, 5, &[(5, vec![9; 31])])),
        server(Psk, "missing_field", |hello| instead(hello, 1, &[])),
        server(Psk, "missing_field", |hello| instead(hello, 2, &[])),
        server(Psk, "needless_field", |hello| appended(hello, &[(3, vec![9; 32])])),
        server(Psk, "needless_field", |hello| appended(hello, &[(4, tag(Held::Psk).to_vec())])),
        server(Psk, "needless_field", |hello| appended(hello, &[(5, vec![9; 32])])),
    ];
    for mode in [X25519Psk, X25519] {
        let identity = || (5, identity().public().as_bytes().to_vec());
        all.push(server(mode, "missing_field", |hello| instead(hello, 3, &[])));
        all.push(server(mode, "missing_field", |hello| instead(hello, 5, &[])));
        all.push(server(mode, "needless_field", |hello| instead(hello, 5, &[(4, vec![9; 8]), identity()])));
    }
    all
}

/// No mode, two, one that nobody knows; and modes that were not offered: somebody talks the client down, or up.
fn choices() -> Vec<Broken> {
    vec![
        server(Psk, "bad_field", |hello| instead(hello, 1, &[(1, vec![])])),
        server(X25519Psk, "bad_field", |hello| instead(hello, 1, &[(1, vec![1, 2])])),
        server(Psk, "bad_field", |hello| vec![value(hello, 1, &[99])]),
        server(Psk, "bad_field", |hello| vec![value(hello, 1, &[0])]),
        server(X25519Psk, "mode_not_offered", |hello| vec![value(hello, 1, &[2])]),
        server(X25519, "mode_not_offered", |hello| vec![value(hello, 1, &[1])]),
        server(X25519Psk, "mode_not_offered", |hello| {
            [vec![value(hello, 1, &[3])], instead(hello, 3, &[]), instead(hello, 5, &[])].concat()
        }),
    ]
}
