//! Attacks by those who take part in a handshake: men in the middle, thieves of keys, bad points.

use x25519_dalek::{PublicKey, StaticSecret};

use super::super::error::HandshakeError;
use super::super::handshake::{Initiator, Offer, Policy, agree};
use super::super::hello::{self, ClientHello, FrameType, ServerHello, ServerKeys};
use super::super::key_schedule::{InputSecrets, Prk, key_tag};
use super::super::mode::KeyMode;
use super::super::transcript::Transcript;
use super::{ALL, answer, entropy, identity, modes, policy, secret, session, start};
use crate::keys::{IdentityKey, SecretKey};

fn other_secret() -> SecretKey {
    SecretKey::from_bytes([0xbd; 32])
}

fn attacker_ephemeral() -> StaticSecret {
    StaticSecret::from([0xa7; 32])
}

fn attacker_identity() -> IdentityKey {
    IdentityKey::from_bytes([0xa1; 32])
}

fn share_of(client_hello: &[u8]) -> [u8; 32] {
    ClientHello::decode(client_hello).unwrap().share.unwrap()
}

/// The honest client's word on an answer that an attacker made up: a ServerHello with these keys, and a Finished
/// under the secrets that the attacker has.
fn client_given(mode: KeyMode, keys: Option<ServerKeys>, secrets: Secrets) -> Result<(), HandshakeError> {
    let server_hello = ServerHello { mode, nonce: [9; 32], x25519: keys };
    client_given_frame(mode, &server_hello.encode(), secrets)
}

/// The same for a ServerHello frame that need not be one.
fn client_given_frame(mode: KeyMode, server_hello: &[u8], secrets: Secrets) -> Result<(), HandshakeError> {
    let (initiator, client_hello) = start(mode.name());
    let mut transcript = Transcript::new();
    transcript.add(&client_hello);
    transcript.add(server_hello);
    let h0 = transcript.hash();
    let share = mode.needs_share().then(|| share_of(&client_hello));
    let agreed = |with: Option<StaticSecret>| with.zip(share).map(|(with, share)| agree(&with, &share).unwrap());
    let secrets = InputSecrets {
        psk: secrets.psk.as_ref(),
        ephemeral_ephemeral: agreed(secrets.ephemeral),
        ephemeral_static: agreed(secrets.identity),
    };
    let mac = Prk::extract(mode, &secrets).server_finished(&h0).mac(&h0);
    let server_finished = hello::frame(FrameType::ServerFinished, &mac);
    initiator.read_server_hello(server_hello)?.read_server_finished(&server_finished).map(drop)
}

/// What an attacker can put into a key schedule.
#[derive(Default)]
struct Secrets {
    psk: Option<SecretKey>,
    ephemeral: Option<StaticSecret>,
    identity: Option<StaticSecret>,
}

fn keys(identity: &IdentityKey) -> Option<ServerKeys> {
    let share = PublicKey::from(&attacker_ephemeral()).to_bytes();
    Some(ServerKeys { share, identity: *identity.public().as_bytes() })
}

#[test]
fn the_forgery_itself_is_sound() {
    // Whoever has every secret is the server; so it is a missing secret alone that stops the attackers below.
    let everything =
        || Secrets { psk: None, ephemeral: Some(attacker_ephemeral()), identity: Some(identity().secret().clone()) };
    let with_psk = || Secrets { psk: Some(secret()), ..everything() };
    assert!(client_given(KeyMode::X25519, keys(&identity()), everything()).is_ok());
    assert!(client_given(KeyMode::X25519Psk, keys(&identity()), with_psk()).is_ok());
    assert!(client_given(KeyMode::Psk, None, Secrets { psk: Some(secret()), ..Secrets::default() }).is_ok());
}

#[test]
fn a_man_in_the_middle_of_x25519_shows_an_identity_of_his_own() {
    let (initiator, hello) = start("x25519");
    let his = Policy::new(modes("x25519"), Some(attacker_identity()), None).unwrap();
    let (sent, server_hello, server_finished) = answer(his, 2, &hello).unwrap();
    let verified = initiator.read_server_hello(&server_hello).unwrap().read_server_finished(&server_finished).unwrap();
    assert_eq!(verified.identity(), Some(attacker_identity().public()));
    assert_ne!(verified.identity(), Some(identity().public()));

    // A client that trusted him all the same would hold another session than the server does.
    let (frame, client) = verified.finish();
    sent.read_client_finished(&frame).unwrap();
    let (_, server) = session("x25519", 3);
    assert_ne!(client.session_id, server.session_id);
    assert_ne!(client.exporter.expose(), server.exporter.expose());
}

#[test]
fn a_man_in_the_middle_of_x25519_cannot_pass_for_the_server_with_its_public_key() {
    let his = Secrets {
        psk: None,
        ephemeral: Some(attacker_ephemeral()),
        identity: Some(attacker_identity().secret().clone()),
    };
    assert_refused!(client_given(KeyMode::X25519, keys(&identity()), his), HandshakeError::BadFinished);
    let his = Secrets { ephemeral: Some(attacker_ephemeral()), ..Secrets::default() };
    assert_refused!(client_given(KeyMode::X25519, keys(&identity()), his), HandshakeError::BadFinished);
}

#[test]
fn a_man_in_the_middle_of_x25519_psk_needs_the_secret_key_whatever_his_identity() {
    let his = |psk| Secrets {
        psk,
        ephemeral: Some(attacker_ephemeral()),
        identity: Some(attacker_identity().secret().clone()),
    };
    for psk in [None, Some(other_secret())] {
        let result = client_given(KeyMode::X25519Psk, keys(&attacker_identity()), his(psk));
        assert_refused!(result, HandshakeError::BadFinished);
    }
}

#[test]
fn another_holder_of_the_secret_key_cannot_pass_for_the_server_in_x25519_psk() {
    let his = Secrets {
        psk: Some(secret()),
        ephemeral: Some(attacker_ephemeral()),
        identity: Some(attacker_identity().secret().clone()),
    };
    assert_refused!(client_given(KeyMode::X25519Psk, keys(&identity()), his), HandshakeError::BadFinished);
}

#[test]
fn whoever_stole_both_long_term_keys_still_lacks_the_ephemeral_ones() {
    // The thief knows what goes into a recorded session but DH(ee): that is its forward secrecy.
    let his = |psk| Secrets { psk, ephemeral: None, identity: Some(identity().secret().clone()) };
    assert_refused!(client_given(KeyMode::X25519, keys(&identity()), his(None)), HandshakeError::BadFinished);
    let stolen = his(Some(secret()));
    assert_refused!(client_given(KeyMode::X25519Psk, keys(&identity()), stolen), HandshakeError::BadFinished);
}

/// A ServerHello frame with these fields besides mode and nonce.
fn server_hello_with(mode: KeyMode, fields: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = b"FERNWIRE\x01".to_vec();
    for (kind, value) in [(1, &[mode as u8][..]), (2, &[9; 32])].iter().chain(fields) {
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&(value.len() as u16).to_be_bytes());
        body.extend_from_slice(value);
    }
    hello::frame(FrameType::ServerHello, &body)
}

#[test]
fn a_server_hello_that_leaves_out_a_key_does_not_do_without_the_agreement() {
    let (share, identity) = ((3, &[7; 32][..]), (5, &[8; 32][..]));
    // A client that let these pass would agree on keys made of public bytes alone, or of the psk alone.
    for (mode, psk) in [(KeyMode::X25519, None), (KeyMode::X25519Psk, Some(secret()))] {
        let given = |fields: &[_]| {
            client_given_frame(
                mode,
                &server_hello_with(mode, fields),
                Secrets { psk: psk.clone(), ..Secrets::default() },
            )
        };
        assert_refused!(given(&[]), HandshakeError::MissingField("key share"));
        assert_refused!(given(&[identity]), HandshakeError::MissingField("key share"));
        assert_refused!(given(&[share]), HandshakeError::MissingField("identity"));
    }
}

#[test]
fn a_server_hello_with_what_its_mode_has_no_use_for_is_refused() {
    let (share, tag, identity) = ((3, &[7; 32][..]), (4, &[6; 8][..]), (5, &[8; 32][..]));
    let given = |mode, fields: &[_]| {
        client_given_frame(
            mode,
            &server_hello_with(mode, fields),
            Secrets { psk: Some(secret()), ..Secrets::default() },
        )
    };
    assert!(given(KeyMode::Psk, &[]).is_ok());
    assert_refused!(given(KeyMode::Psk, &[share]), HandshakeError::NeedlessField("key share"));
    assert_refused!(given(KeyMode::Psk, &[identity]), HandshakeError::NeedlessField("identity"));
    assert_refused!(given(KeyMode::Psk, &[tag]), HandshakeError::NeedlessField("key tag"));
    assert_refused!(given(KeyMode::X25519, &[share, tag, identity]), HandshakeError::NeedlessField("key tag"));
}

#[test]
fn a_man_in_the_middle_of_psk_needs_the_secret_key() {
    for psk in [None, Some(other_secret())] {
        let result = client_given(KeyMode::Psk, None, Secrets { psk, ..Secrets::default() });
        assert_refused!(result, HandshakeError::BadFinished);
    }
}

#[test]
fn a_client_with_another_secret_key_is_refused_at_once() {
    for mode in ["x25519+psk", "psk"] {
        let (_, hello) = Initiator::start(Offer::new(modes(mode), Some(other_secret())).unwrap(), entropy(1));
        assert_refused!(answer(policy(mode), 2, &hello), HandshakeError::UnknownKey);
    }
}

#[test]
fn a_client_with_another_secret_key_is_not_let_in_by_a_mode_without_one() {
    let both = Offer::new(modes("x25519+psk,x25519"), Some(other_secret())).unwrap();
    for allowed in [ALL, "x25519+psk,x25519", "x25519"] {
        let (_, hello) = Initiator::start(both.clone(), entropy(1));
        assert_refused!(answer(policy(allowed), 2, &hello), HandshakeError::UnknownKey);
    }
}

#[test]
fn a_recorded_key_tag_is_not_the_key() {
    for mode in [KeyMode::X25519Psk, KeyMode::Psk] {
        // The nonce and the tag are an honest client's; the rest is the attacker's.
        let share = mode.needs_share().then(|| PublicKey::from(&attacker_ephemeral()).to_bytes());
        let tag = Some(key_tag(&secret(), &[1; 32]));
        let hello = ClientHello { modes: modes(mode.name()), nonce: [1; 32], share, key_tag: tag }.encode();
        let (sent, server_hello, server_finished) = answer(policy(mode.name()), 2, &hello).unwrap();

        let mut transcript = Transcript::new();
        [&hello, &server_hello].into_iter().for_each(|frame| transcript.add(frame));
        let h0 = transcript.hash();
        transcript.add(&server_finished);
        let agreed = |share: [u8; 32]| agree(&attacker_ephemeral(), &share).unwrap();
        let server = ServerHello::decode(&server_hello).unwrap().x25519;
        let his = InputSecrets {
            psk: None,
            ephemeral_ephemeral: server.map(|keys| agreed(keys.share)),
            ephemeral_static: server.map(|keys| agreed(keys.identity)),
        };
        let mac = Prk::extract(mode, &his).client_finished(&h0).mac(&transcript.hash());
        let frame = hello::frame(FrameType::ClientFinished, &mac);
        assert_refused!(sent.read_client_finished(&frame), HandshakeError::BadFinished);
    }
}

/// Every u-coordinate that leads to an all-zero result, in each of its encodings.
fn low_order_points() -> Vec<[u8; 32]> {
    let near_p = |low: u8| {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (low, 0x7f);
        point
    };
    let small = |low: u8| {
        let mut point = [0; 32];
        point[0] = low;
        point
    };
    let order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ]
    .map(|point| hex::decode(point).unwrap().try_into().unwrap());
    let mut points = vec![small(0), small(1), order_8[0], order_8[1], near_p(0xec), near_p(0xed), near_p(0xee)];
    let with_high_bit: Vec<_> = points
        .iter()
        .map(|point| {
            let mut point = *point;
            point[31] |= 0x80;
            point
        })
        .collect();
    points.extend(with_high_bit);
    points
}

#[test]
fn a_low_order_point_is_refused_as_the_clients_share() {
    for point in low_order_points() {
        for mode in ["x25519+psk", "x25519"] {
            let key_tag = (mode != "x25519").then(|| key_tag(&secret(), &[1; 32]));
            let hello = ClientHello { modes: modes(mode), nonce: [1; 32], share: Some(point), key_tag }.encode();
            assert_refused!(answer(policy(mode), 2, &hello), HandshakeError::LowOrderPoint);
        }
    }
}

#[test]
fn a_low_order_point_is_refused_as_the_servers_share_and_as_its_identity() {
    let good = keys(&attacker_identity()).unwrap();
    for point in low_order_points() {
        let as_share = ServerKeys { share: point, ..good };
        let as_identity = ServerKeys { identity: point, ..good };
        for keys in [as_share, as_identity] {
            // What the attacker gains from such a point is knowing the result, all zeros.
            for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
                let result = client_given(mode, Some(keys), Secrets::default());
                assert_refused!(result, HandshakeError::LowOrderPoint);
            }
        }
    }
}

#[test]
fn the_clients_own_share_is_refused_as_the_servers_share_and_as_its_identity() {
    let (_, hello) = start("x25519");
    let reflected = share_of(&hello);
    let good = keys(&identity()).unwrap();
    for keys in [ServerKeys { share: reflected, ..good }, ServerKeys { identity: reflected, ..good }] {
        let result = client_given(KeyMode::X25519, Some(keys), Secrets::default());
        assert_refused!(result, HandshakeError::ReflectedShare);
    }
}

#[test]
fn the_servers_own_keys_are_refused_as_the_clients_share() {
    let (_, honest) = start("x25519");
    let (_, server_hello, _) = answer(policy("x25519"), 2, &honest).unwrap();
    let own = ServerHello::decode(&server_hello).unwrap().x25519.unwrap();
    assert_eq!(own.identity, *identity().public().as_bytes());
    for share in [own.identity, own.share] {
        let hello = ClientHello { modes: modes("x25519"), nonce: [1; 32], share: Some(share), key_tag: None }.encode();
        assert_refused!(answer(policy("x25519"), 2, &hello), HandshakeError::ReflectedShare);
    }
}
