//! Points that lead nowhere or come back, and Finished messages of those who lack a key.

use x25519_dalek::{PublicKey, StaticSecret};

use super::super::super::handshake::agree;
use super::super::super::key_schedule::{InputSecrets, Prk};
use super::super::super::mode::KeyMode::{self, *};
use super::super::edit::Edit;
use super::super::parties::{Held, client_share, clients_prk, server_share};
use super::super::{Run, SERVER_EPHEMERAL_SECRET, identity};
use super::Step::*;
use super::{Broken, broken, good, run, value};

pub(super) fn all() -> Vec<Broken> {
    [points(), finished()].into_iter().flatten().collect()
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
    let psk = mode.needs_secret().then(|| Held::Psk.key());
    let server = StaticSecret::from(SERVER_EPHEMERAL_SECRET);
    let ee = agree(&server, PublicKey::from(client_share()).as_bytes()).unwrap();
    Prk::extract(mode, &InputSecrets { psk: psk.as_ref(), ephemeral_ephemeral: Some(ee), ephemeral_static: None })
}

fn with_other_psk(mode: KeyMode) -> Prk {
    clients_prk(mode, Some(Held::OtherPsk), &good(mode, ServerHello))
}
