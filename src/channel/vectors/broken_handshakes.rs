//! Handshake frames that end the connection, and why: each a good frame and what was changed in it.

use serde::Serialize;
use x25519_dalek::{PublicKey, StaticSecret};

use super::super::handshake::{Initiator, Offer, Responder};
use super::super::hello::FrameType;
use super::super::key_schedule::Prk;
use super::super::mode::{KeyMode, KeyModes};
use super::edit::{Edit, edited, resized};
use super::parties::{Field, Held, Inputs, alert, client_share, encoded, policy, server_share, tag, word};
use super::{Run, client_entropy, hold_to_file, identity, server_entropy};

#[test]
fn broken_handshakes_are_refused_for_the_reasons_of_their_vectors() {
    let mut broken = Vec::new();
    broken.extend(frames());
    broken.extend(hellos());
    broken.extend(fields_of_a_client());
    broken.extend(fields_of_a_server());
    broken.extend(points());
    broken.extend(finished());
    broken.extend(alerts());
    let good = KeyMode::ALL.map(Good::of).into();
    hold_to_file("broken-handshakes", &File { inputs: Inputs::known(), good, broken });
}

#[derive(Serialize)]
struct File {
    inputs: Inputs,
    good: Vec<Good>,
    broken: Vec<Broken>,
}

/// The frames before they are changed: the client offers this mode alone, and the server allows it alone.
#[derive(Serialize)]
struct Good {
    mode: &'static str,
    client_hello: String,
    server_hello: String,
    server_finished: String,
    client_finished: String,
}

impl Good {
    fn of(mode: KeyMode) -> Self {
        let run = run(mode);
        Self {
            mode: mode.name(),
            client_hello: hex::encode(run.client_hello),
            server_hello: hex::encode(run.server_hello),
            server_finished: hex::encode(run.server_finished),
            client_finished: hex::encode(run.client_finished),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    ClientHello,
    ServerHello,
    ServerFinished,
    ClientFinished,
}

use Step::*;

/// A frame in the place of a good one; all before it were good.
#[derive(Serialize)]
struct Broken {
    mode: &'static str,
    step: Step,
    changes: Vec<Edit>,
    frame: String,
    refused: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
}

fn run(mode: KeyMode) -> Run {
    Run::of(mode, [mode].into_iter().collect())
}

fn good(mode: KeyMode, step: Step) -> Vec<u8> {
    let run = run(mode);
    match step {
        ClientHello => run.client_hello,
        ServerHello => run.server_hello,
        ServerFinished => run.server_finished,
        ClientFinished => run.client_finished,
    }
}

/// Changes the good frame, length included, and gives it to whoever reads it.
fn broken(mode: KeyMode, step: Step, reason: &'static str, edits: impl FnOnce(&[u8]) -> Vec<Edit>) -> Broken {
    let frame = good(mode, step);
    let edits = resized(&frame, edits(&frame));
    refuse(mode, step, reason, edits)
}

fn refuse(mode: KeyMode, step: Step, reason: &'static str, changes: Vec<Edit>) -> Broken {
    let frame = edited(&good(mode, step), &changes);
    let modes: KeyModes = [mode].into_iter().collect();
    let held = mode.needs_secret().then_some(Held::Psk);
    let run = run(mode);
    let initiator = || Initiator::start(Offer::new(modes, held.map(Held::key)).unwrap(), client_entropy()).0;
    let responder = || Responder::new(policy(modes, held).unwrap(), server_entropy());
    let result = match step {
        ClientHello => responder().read_client_hello(&frame).map(drop),
        ServerHello => initiator().read_server_hello(&frame).map(drop),
        ServerFinished => {
            initiator().read_server_hello(&run.server_hello).unwrap().read_server_finished(&frame).map(drop)
        }
        ClientFinished => {
            responder().read_client_hello(&run.client_hello).unwrap().0.read_client_finished(&frame).map(drop)
        }
    };
    let error = result.unwrap_err();
    assert_eq!(word(&error), reason, "{error}");
    Broken { mode: mode.name(), step, changes, frame: hex::encode(frame), refused: reason, alert: alert(&error) }
}

/// Where a field of the good hello begins, and its length with type and length.
fn field(hello: &[u8], kind: u16) -> (usize, usize) {
    let mut at = 3 + 9;
    loop {
        let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
        let length = 4 + usize::from(number(at + 2));
        if number(at) == kind {
            return (at, length);
        }
        at += length;
    }
}

/// The edit that puts these fields in the place of one.
fn instead(hello: &[u8], kind: u16, fields: &[Field]) -> Vec<Edit> {
    let (at, length) = field(hello, kind);
    vec![Edit::replace(hello, at, length, &fields.iter().flat_map(encoded).collect::<Vec<_>>())]
}

/// The edit of a field's value.
fn value(hello: &[u8], kind: u16, bytes: &[u8]) -> Edit {
    let (at, length) = field(hello, kind);
    assert_eq!(bytes.len(), length - 4);
    Edit::replace(hello, at + 4, length - 4, bytes)
}

fn appended(hello: &[u8], bytes: &[u8]) -> Vec<Edit> {
    vec![Edit::replace(hello, hello.len(), 0, bytes)]
}

const ALL_STEPS: [Step; 4] = [ClientHello, ServerHello, ServerFinished, ClientFinished];

/// Type and length of each frame.
fn frames() -> Vec<Broken> {
    let mut all = Vec::new();
    for step in ALL_STEPS {
        let mode = KeyMode::X25519Psk;
        let kind = |kind: u8| move |frame: &[u8]| vec![Edit::replace(frame, 0, 1, &[kind])];
        let due = good(mode, step)[0];
        let others = [0, 1, 2, 3, 4, 6, 255].into_iter().filter(|other| *other != due);
        all.extend(others.map(|other| broken(mode, step, "unexpected_frame", kind(other))));
        // Refused for the header alone: nothing behind it is waited for.
        for length in [4097u16, 0xffff] {
            let header = |frame: &[u8]| vec![Edit::replace(frame, 1, frame.len() - 1, &length.to_be_bytes())];
            all.push(refuse(mode, step, "frame_too_long", header(&good(mode, step))));
        }
    }
    all
}

/// Magic, version, and the ends of both hellos.
fn hellos() -> Vec<Broken> {
    let mut all = Vec::new();
    for (mode, step) in [(KeyMode::X25519Psk, ClientHello), (KeyMode::X25519, ServerHello)] {
        let mut add = |reason, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, step, reason, edits));
        add("bad_magic", &|hello| vec![Edit::replace(hello, 3, 1, b"f")]);
        add("bad_magic", &|hello| vec![Edit::flip(hello, 10, 1)]);
        add("bad_magic", &|hello| vec![Edit::replace(hello, 3, hello.len() - 3, b"")]);
        add("wrong_version", &|hello| vec![Edit::replace(hello, 11, 1, &[0])]);
        add("wrong_version", &|hello| vec![Edit::replace(hello, 11, 1, &[2])]);
        // Behind the last field, and inside its value, its length and its type.
        add("cut_field", &|hello| appended(hello, &[0]));
        add("cut_field", &|hello| appended(hello, &[2, 188, 0, 1]));
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

/// Fields twice, out of order, of the wrong length, absent, and needless.
fn fields_of_a_client() -> Vec<Broken> {
    use KeyMode::*;
    let mut all = Vec::new();
    let mut add = |mode, reason, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, ClientHello, reason, edits));
    let (nonce, later) = ((2, vec![0x99; 32]), |byte: u8| (700, vec![byte; 4]));
    add(X25519, "duplicate_field", &|hello| appended(hello, &encoded(&(3, vec![9; 32]))));
    add(Psk, "duplicate_field", &|hello| instead(hello, 1, &[(1, vec![3]), (1, vec![3])]));
    add(Psk, "duplicate_field", &|hello| {
        appended(hello, &[later(1), later(2)].iter().flat_map(encoded).collect::<Vec<_>>())
    });
    add(X25519, "field_order", &|hello| appended(hello, &encoded(&nonce)));
    add(X25519, "field_order", &|hello| instead(hello, 1, &[nonce.clone(), (1, vec![2])]));
    add(Psk, "field_order", &|hello| {
        appended(hello, &[later(1), (699, vec![])].iter().flat_map(encoded).collect::<Vec<_>>())
    });
    add(Psk, "field_order", &|hello| appended(hello, &encoded(&(0, vec![]))));

    add(X25519, "bad_field", &|hello| instead(hello, 1, &[(1, vec![])]));
    add(X25519, "bad_field", &|hello| instead(hello, 1, &[(1, vec![2, 2])]));
    add(X25519, "bad_field", &|hello| instead(hello, 1, &[(1, vec![2, 77, 99, 77])]));
    add(Psk, "bad_field", &|hello| instead(hello, 2, &[(2, vec![9; 31])]));
    add(Psk, "bad_field", &|hello| instead(hello, 2, &[(2, vec![9; 33])]));
    add(X25519, "bad_field", &|hello| instead(hello, 3, &[(3, vec![9; 31])]));
    add(X25519, "bad_field", &|hello| instead(hello, 3, &[(3, vec![])]));
    add(Psk, "bad_field", &|hello| instead(hello, 4, &[(4, vec![9; 32])]));

    add(X25519, "missing_field", &|hello| instead(hello, 1, &[]));
    add(Psk, "missing_field", &|hello| instead(hello, 2, &[]));
    add(X25519, "missing_field", &|hello| instead(hello, 3, &[]));
    add(X25519Psk, "missing_field", &|hello| instead(hello, 3, &[]));
    add(X25519Psk, "missing_field", &|hello| instead(hello, 4, &[]));
    add(Psk, "missing_field", &|hello| instead(hello, 4, &[]));
    // An unknown mode does not stand in for what a known one needs.
    add(X25519, "missing_field", &|hello| [instead(hello, 1, &[(1, vec![2, 99])]), instead(hello, 3, &[])].concat());

    add(X25519, "needless_field", &|hello| appended(hello, &encoded(&(4, tag(Held::Psk).to_vec()))));
    add(Psk, "needless_field", &|hello| instead(hello, 2, &[(2, super::CLIENT_NONCE.to_vec()), (3, vec![9; 32])]));
    add(X25519, "needless_field", &|hello| appended(hello, &encoded(&(5, vec![9; 32]))));
    add(X25519Psk, "needless_field", &|hello| appended(hello, &encoded(&(5, vec![]))));

    add(X25519, "no_common_mode", &|hello| vec![value(hello, 1, &[99])]);
    for mode in [X25519Psk, Psk] {
        add(mode, "unknown_key", &|hello| vec![value(hello, 4, &tag(Held::OtherPsk)).made_as("key_tag_of_other_psk")]);
        add(mode, "unknown_key", &|hello| vec![Edit::flip(hello, hello.len() - 1, 1)]);
        // The tag is for another nonce.
        add(mode, "unknown_key", &|hello| vec![Edit::flip(hello, field(hello, 2).0 + 4, 0x80)]);
    }
    all
}

fn fields_of_a_server() -> Vec<Broken> {
    use KeyMode::*;
    let mut all = Vec::new();
    let mut add = |mode, reason, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, ServerHello, reason, edits));
    add(X25519, "duplicate_field", &|hello| appended(hello, &encoded(&(5, vec![9; 32]))));
    add(Psk, "duplicate_field", &|hello| instead(hello, 1, &[(1, vec![3]), (1, vec![2])]));
    add(Psk, "field_order", &|hello| appended(hello, &encoded(&(1, vec![3]))));
    add(X25519, "field_order", &|hello| appended(hello, &encoded(&(3, vec![9; 32]))));

    add(Psk, "bad_field", &|hello| instead(hello, 1, &[(1, vec![])]));
    add(X25519Psk, "bad_field", &|hello| instead(hello, 1, &[(1, vec![1, 2])]));
    add(Psk, "bad_field", &|hello| vec![value(hello, 1, &[99])]);
    add(Psk, "bad_field", &|hello| vec![value(hello, 1, &[0])]);
    add(Psk, "bad_field", &|hello| instead(hello, 2, &[(2, vec![9; 31])]));
    add(X25519, "bad_field", &|hello| instead(hello, 3, &[(3, vec![9; 33])]));
    add(X25519, "bad_field", &|hello| instead(hello, 5, &[(5, vec![9; 31])]));

    add(Psk, "missing_field", &|hello| instead(hello, 1, &[]));
    add(Psk, "missing_field", &|hello| instead(hello, 2, &[]));
    for mode in [X25519Psk, X25519] {
        add(mode, "missing_field", &|hello| instead(hello, 3, &[]));
        add(mode, "missing_field", &|hello| instead(hello, 5, &[]));
        add(mode, "needless_field", &|hello| {
            instead(hello, 5, &[(4, vec![9; 8]), (5, identity().public().as_bytes().to_vec())])
        });
    }
    add(Psk, "needless_field", &|hello| appended(hello, &encoded(&(3, vec![9; 32]))));
    add(Psk, "needless_field", &|hello| appended(hello, &encoded(&(4, tag(Held::Psk).to_vec()))));
    add(Psk, "needless_field", &|hello| appended(hello, &encoded(&(5, vec![9; 32]))));

    // Somebody talks the client down, or up.
    add(X25519Psk, "mode_not_offered", &|hello| vec![value(hello, 1, &[2])]);
    add(X25519, "mode_not_offered", &|hello| vec![value(hello, 1, &[1])]);
    add(X25519Psk, "mode_not_offered", &|hello| {
        [vec![value(hello, 1, &[3])], instead(hello, 3, &[]), instead(hello, 5, &[])].concat()
    });
    all
}

/// Every u-coordinate that leads to an all-zero result, without its highest bit and with it.
fn low_order_points() -> Vec<[u8; 32]> {
    let of = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
    let zeros = "00".repeat(31);
    let ones = format!("{}7f", "ff".repeat(30));
    let points = [
        of(&format!("00{zeros}")),
        of(&format!("01{zeros}")),
        of("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        of("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        of(&format!("ec{ones}")),
        of(&format!("ed{ones}")),
        of(&format!("ee{ones}")),
    ];
    let with_high_bit = points.map(|mut point| {
        point[31] |= 0x80;
        point
    });
    [points, with_high_bit].concat()
}

/// Bad points, and one's own points sent back.
fn points() -> Vec<Broken> {
    use KeyMode::*;
    let mut all = Vec::new();
    for point in low_order_points() {
        let as_field = |kind| move |hello: &[u8]| vec![value(hello, kind, &point)];
        all.push(broken(X25519, ClientHello, "low_order_point", as_field(3)));
        all.push(broken(X25519, ServerHello, "low_order_point", as_field(3)));
        all.push(broken(X25519, ServerHello, "low_order_point", as_field(5)));
    }
    for mode in [X25519Psk, X25519] {
        let own = *identity().public().as_bytes();
        let sent_back =
            |kind, point: [u8; 32], name| move |hello: &[u8]| vec![value(hello, kind, &point).made_as(name)];
        let mut add = |step, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, step, "reflected_share", edits));
        add(ServerHello, &sent_back(3, client_share(), "client_share"));
        add(ServerHello, &sent_back(5, client_share(), "client_share"));
        add(ClientHello, &sent_back(3, server_share(), "server_share"));
        add(ClientHello, &sent_back(3, own, "server_identity"));
    }
    all
}

/// Finished messages of those who lack a key, look at another transcript, or repeat what they heard.
fn finished() -> Vec<Broken> {
    let mut all = Vec::new();
    for mode in KeyMode::ALL {
        let Run { prk, h0, h1, server_finished, client_finished, .. } = run(mode);
        let body = |mac: [u8; 32], name| move |frame: &[u8]| vec![Edit::replace(frame, 3, 32, &mac).made_as(name)];
        let mac_of = |frame: &[u8]| <[u8; 32]>::try_from(&frame[3..]).unwrap();
        for step in [ServerFinished, ClientFinished] {
            for (at, mask) in [(3, 0x80), (34, 0x01)] {
                all.push(broken(mode, step, "bad_finished", |frame| vec![Edit::flip(frame, at, mask)]));
            }
        }
        let mut add = |step, edits: &dyn Fn(&[u8]) -> Vec<Edit>| all.push(broken(mode, step, "bad_finished", edits));
        add(ServerFinished, &body(mac_of(&client_finished), "client_mac"));
        add(ServerFinished, &body(prk.client_finished(&h0).mac(&h0), "client_key_over_h0"));
        add(ServerFinished, &body(prk.server_finished(&h0).mac(&h1), "server_key_over_h1"));
        add(ClientFinished, &body(mac_of(&server_finished), "server_mac"));
        add(ClientFinished, &body(prk.client_finished(&h0).mac(&h0), "client_key_over_h0"));
        add(ClientFinished, &body(prk.server_finished(&h0).mac(&h1), "server_key_over_h1"));
        add(ClientFinished, &body(prk.client_finished(&h1).mac(&h1), "client_key_from_h1"));
        if mode.needs_share() {
            let thief = without_dh_es(mode);
            add(ServerFinished, &body(thief.server_finished(&h0).mac(&h0), "server_without_dh_es"));
        }
        if mode.needs_secret() {
            let stranger = with_other_psk(mode);
            add(ServerFinished, &body(stranger.server_finished(&h0).mac(&h0), "server_with_other_psk"));
            add(ClientFinished, &body(stranger.client_finished(&h0).mac(&h1), "client_with_other_psk"));
        }
    }
    all
}

/// What a server works out that has everything but the identity whose public key it shows: an agreement of length 0.
fn without_dh_es(mode: KeyMode) -> Prk {
    use super::super::handshake::agree;
    use super::super::key_schedule::InputSecrets;
    let psk = mode.needs_secret().then(|| Held::Psk.key());
    let server = StaticSecret::from(super::SERVER_EPHEMERAL_SECRET);
    let ee = agree(&server, PublicKey::from(client_share()).as_bytes()).unwrap();
    Prk::extract(mode, &InputSecrets { psk: psk.as_ref(), ephemeral_ephemeral: Some(ee), ephemeral_static: None })
}

fn with_other_psk(mode: KeyMode) -> Prk {
    super::parties::clients_prk(mode, Some(Held::OtherPsk), &good(mode, ServerHello))
}

/// What comes as an alert where a frame is due: a known one, an unknown one, and bodies that no alert has.
fn alerts() -> Vec<Broken> {
    let mut all = Vec::new();
    for (step, code) in ALL_STEPS.into_iter().zip([1, 4, 5, 6]) {
        let alert = |body: Vec<u8>| {
            move |frame: &[u8]| {
                let kind = [FrameType::Alert as u8];
                vec![Edit::replace(
                    frame,
                    0,
                    frame.len(),
                    &[&kind[..], &(body.len() as u16).to_be_bytes(), &body].concat(),
                )]
            }
        };
        for (reason, body) in
            [("alert", vec![code]), ("alert", vec![99]), ("bad_field", vec![]), ("bad_field", vec![code, 0])]
        {
            let frame = good(KeyMode::X25519, step);
            all.push(refuse(KeyMode::X25519, step, reason, alert(body)(&frame)));
        }
    }
    all
}
