//! Tokens and keys across implementations: Python's `cryptography`, the `fernet` crate and ours open each other's.
#![allow(clippy::unwrap_used)]

mod python;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernet::Fernet;
use fernwire::channel::token::{FernetKey, InvalidToken};
use fernwire::keys::SecretKey;
use python::{Python, python_with, repository};
use serde_json::{Value, json};

/// Around the ends of blocks, and around what lengths of one and two bytes can say.
const SIZES: [usize; 12] = [0, 1, 15, 16, 17, 31, 32, 33, 255, 4096, 65_527, 65_536];
/// How many texts of random length come on top.
const RANDOM_TEXTS: usize = 40;

#[test]
fn python_and_we_open_each_others_tokens() {
    let mut python = Python::start("tests/interop/fernet_peer.py", "cryptography");
    let folder = tempfile::tempdir().unwrap();
    let (text_form, ours) = new_key(&folder.path().join("secret.key"));
    for text in texts() {
        let token = seal(&ours, &text);
        assert_eq!(
            python_opens(&mut python, json!({ "key": text_form }), &token),
            Some(text.clone()),
            "{} bytes",
            text.len()
        );
        let token = python_seals(&mut python, json!({ "key": text_form }), &text);
        assert_eq!(open(&ours, &token), Ok(text.clone()), "{} bytes", text.len());
    }
}

#[test]
fn the_fernet_crate_and_we_open_each_others_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (text_form, ours) = new_key(&folder.path().join("secret.key"));
    let theirs = Fernet::new(&text_form).unwrap();
    for text in texts() {
        assert_eq!(theirs.decrypt(&seal(&ours, &text)).unwrap(), text, "{} bytes", text.len());
        assert_eq!(open(&ours, &theirs.encrypt(&text)), Ok(text.clone()), "{} bytes", text.len());
    }
}

#[test]
fn a_token_that_was_changed_on_the_way_is_refused_by_everyone() {
    let mut python = Python::start("tests/interop/fernet_peer.py", "cryptography");
    let folder = tempfile::tempdir().unwrap();
    let (text_form, ours) = new_key(&folder.path().join("secret.key"));
    let theirs = Fernet::new(&text_form).unwrap();
    let token = URL_SAFE.decode(seal(&ours, b"a message")).unwrap();
    for place in 0..token.len() {
        let mut forged = token.clone();
        forged[place] ^= 1;
        let forged = URL_SAFE.encode(forged);
        assert_eq!(open(&ours, &forged), Err(InvalidToken), "byte {place}");
        assert_eq!(python_opens(&mut python, json!({ "key": text_form }), &forged), None, "byte {place}");
        assert!(theirs.decrypt(&forged).is_err(), "byte {place}");
    }
}

#[test]
fn a_key_file_of_ours_serves_python() {
    let mut python = Python::start("tests/interop/fernet_peer.py", "cryptography");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.key");
    let (_, ours) = new_key(&path);
    let token = python_seals(&mut python, json!({ "key_file": path }), b"from Python");
    assert_eq!(open(&ours, &token).unwrap(), b"from Python");
    assert_eq!(python_opens(&mut python, json!({ "key_file": path }), &seal(&ours, b"from us")).unwrap(), b"from us");
}

#[test]
fn a_key_file_of_pythons_serves_us() {
    let mut python = Python::start("tests/interop/fernet_peer.py", "cryptography");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.key");
    python.ask(json!({ "do": "write_key", "path": path }));
    let loaded = SecretKey::load(&path).unwrap_or_else(|error| panic!("{error}"));

    let bytes = raw(&fs::read_to_string(&path).unwrap());
    assert_eq!(loaded.id(), SecretKey::from_bytes(bytes).id());
    let token = python_seals(&mut python, json!({ "key_file": path }), b"from Python");
    assert_eq!(open(&FernetKey::new(&bytes), &token).unwrap(), b"from Python");
}

#[test]
fn our_vectors_hold_for_a_checker_that_shares_no_code_with_us() {
    let output = Command::new(python_with("cryptography")).arg(repository("tests/vectors/check.py")).output().unwrap();
    let [said, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said.lines().count(), 9, "one line for each file: {said}");
}

/// The slowest test here: every digit of every value, one at a time.
#[test]
fn the_checker_of_our_vectors_notices_every_change() {
    let mut checker = Command::new(python_with("cryptography"));
    let output = checker.arg(repository("tests/vectors/check.py")).arg("--self-test").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A new secret.key at `path`: its text form, and the token key with its bytes.
fn new_key(path: &Path) -> (String, FernetKey) {
    SecretKey::generate().save_new(path).unwrap();
    let text = fs::read_to_string(path).unwrap().trim().to_owned();
    let key = FernetKey::new(&raw(&text));
    (text, key)
}

fn raw(key: &str) -> [u8; 32] {
    URL_SAFE.decode(key.trim()).unwrap().try_into().unwrap()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// Random bytes of every size that matters and of some that nobody chose.
fn texts() -> impl Iterator<Item = Vec<u8>> {
    let chosen = (0..RANDOM_TEXTS).map(|_| usize::from(u16::from_be_bytes(random())));
    SIZES.into_iter().chain(chosen).map(|size| {
        let mut text = vec![0; size];
        getrandom::fill(&mut text).unwrap();
        text
    })
}

/// Our token in the text form that the others take.
fn seal(key: &FernetKey, text: &[u8]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut token = Vec::new();
    key.seal(now, random(), &[text], &mut token);
    URL_SAFE.encode(token)
}

fn open(key: &FernetKey, token: &str) -> Result<Vec<u8>, InvalidToken> {
    key.open(&mut URL_SAFE.decode(token).unwrap()).map(|text| text.to_vec())
}

/// `key` says which: `{"key": ...}` or `{"key_file": ...}`.
fn python_seals(python: &mut Python, key: Value, text: &[u8]) -> String {
    let answer = python.ask(with(key, json!({ "do": "seal", "text": hex::encode(text) })));
    answer["token"].as_str().unwrap().to_owned()
}

/// The text, unless Python refuses the token.
fn python_opens(python: &mut Python, key: Value, token: &str) -> Option<Vec<u8>> {
    let answer = python.ask(with(key, json!({ "do": "open", "token": token })));
    if answer == json!({ "refused": true }) {
        return None;
    }
    Some(hex::decode(answer["text"].as_str().unwrap()).unwrap())
}

fn with(mut request: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(more);
    request
}
