//! Negotiation: what a server allows and a client offers, and the mode or the alert that comes of it.

use serde::Serialize;

use super::super::handshake::{Initiator, Offer, Responder, ServerFlightSent};
use super::super::hello::{FrameType, ServerHello, frame};
use super::super::mode::{KeyMode, KeyModes};
use super::super::transcript::Transcript;
use super::parties::{Field, Held, Inputs, alert, client_share, clients_prk, encoded, hello, policy, tag, word};
use super::{CLIENT_NONCE, client_entropy, hold_to_file, server_entropy};

/// A Finished frame: header and HMAC.
const FINISHED_FRAME: usize = 3 + 32;

#[test]
fn negotiation_agrees_with_its_vectors() {
    let mut handshakes = Vec::new();
    for allowed in every_set() {
        for offered in every_set() {
            handshakes.push(negotiate(Client::offering(offered), Server::allowing(allowed)));
        }
    }
    handshakes.extend(other_keys());
    handshakes.extend(of_later_versions());
    hold_to_file("negotiation", &File { inputs: Inputs::known(), handshakes });
}

#[derive(Serialize)]
struct File {
    inputs: Inputs,
    handshakes: Vec<Negotiation>,
}

#[derive(Serialize)]
struct Negotiation {
    client: Client,
    server: Server,
    client_hello: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<Chosen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
}

#[derive(Serialize)]
struct Chosen {
    mode: &'static str,
    server_hello: String,
    server_finished: String,
    client_finished: String,
    session_id: String,
}

/// What the client says; a share and a key tag go with the modes that need them, or because it says so.
#[derive(Serialize, Clone)]
struct Client {
    offered_codes: Vec<u8>,
    share: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<Held>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_fields: Vec<Unknown>,
}

#[derive(Serialize, Clone)]
struct Server {
    allowed_modes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<Held>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_fields: Vec<Unknown>,
}

#[derive(Serialize, Clone)]
struct Unknown {
    r#type: u16,
    value: String,
}

fn unknown(fields: &[(u16, &[u8])]) -> Vec<Unknown> {
    fields.iter().map(|(kind, value)| Unknown { r#type: *kind, value: hex::encode(value) }).collect()
}

fn known(unknown: &[Unknown]) -> impl Iterator<Item = Field> {
    unknown.iter().map(|field| (field.r#type, hex::decode(&field.value).unwrap()))
}

impl Client {
    fn offering(modes: KeyModes) -> Self {
        Self {
            offered_codes: modes.iter().map(|mode| mode as u8).collect(),
            share: modes.need_share(),
            secret_key: modes.need_secret().then_some(Held::Psk),
            unknown_fields: Vec::new(),
        }
    }

    fn with_other_key(modes: &str) -> Self {
        Self { secret_key: Some(Held::OtherPsk), ..Self::offering(modes.parse().unwrap()) }
    }

    /// Codes in any order and of any version, with a share and perhaps a key tag.
    fn of_codes(codes: &[u8], share: bool, secret_key: Option<Held>) -> Self {
        Self { offered_codes: codes.to_vec(), share, secret_key, unknown_fields: Vec::new() }
    }

    fn hello(&self) -> Vec<u8> {
        let mut fields = vec![(1, self.offered_codes.clone()), (2, CLIENT_NONCE.to_vec())];
        fields.extend(self.share.then(|| (3, client_share().to_vec())));
        fields.extend(self.secret_key.map(|held| (4, tag(held).to_vec())));
        fields.extend(known(&self.unknown_fields));
        hello(FrameType::ClientHello, fields)
    }

    /// The same client as the real state machine, if that says the same.
    fn initiator(&self) -> Option<Initiator> {
        let codes = &self.offered_codes;
        let modes: KeyModes = KeyMode::ALL.into_iter().filter(|mode| codes.contains(&(*mode as u8))).collect();
        let offer = Offer::new(modes, self.secret_key.map(Held::key)).ok()?;
        let (initiator, frame) = Initiator::start(offer, client_entropy());
        (frame == self.hello()).then_some(initiator)
    }
}

impl Server {
    fn allowing(modes: KeyModes) -> Self {
        Self {
            allowed_modes: modes.iter().map(KeyMode::name).collect(),
            secret_key: modes.need_secret().then_some(Held::Psk),
            unknown_fields: Vec::new(),
        }
    }

    fn with_key(modes: &str) -> Self {
        Self { secret_key: Some(Held::Psk), ..Self::allowing(modes.parse().unwrap()) }
    }

    fn responder(&self) -> Responder {
        let modes = self.allowed_modes.join(",").parse().unwrap();
        Responder::new(policy(modes, self.secret_key).unwrap(), server_entropy())
    }
}

fn every_set() -> impl Iterator<Item = KeyModes> {
    (1..8)
        .map(|set| KeyMode::ALL.into_iter().enumerate().filter(|(i, _)| set & (1 << i) != 0).map(|(_, m)| m).collect())
}

/// A key of the client's that the server does not hold counts whatever the mode; a server without any does not look.
fn other_keys() -> Vec<Negotiation> {
    let both = || Client::with_other_key("x25519+psk,x25519");
    let modes = |text: &str| text.parse().unwrap();
    let mut tables: Vec<_> = ["x25519+psk", "x25519", "x25519+psk,x25519,psk"]
        .into_iter()
        .map(|allowed| negotiate(both(), Server::with_key(allowed)))
        .collect();
    tables.push(negotiate(both(), Server::allowing(modes("x25519"))));
    tables.push(negotiate(Client::with_other_key("psk"), Server::allowing(modes("psk"))));
    tables.push(negotiate(Client::with_other_key("x25519+psk"), Server::allowing(modes("x25519+psk,psk"))));
    // The key that it holds, though no mode that it allows has a use for it.
    tables.push(negotiate(Client::offering(modes("x25519+psk,x25519")), Server::with_key("x25519")));
    tables
}

/// Codes and fields that this version does not know, and codes in another order than that of preference.
fn of_later_versions() -> Vec<Negotiation> {
    let all = || Server::with_key("x25519+psk,x25519,psk");
    let only = |text: &str| Server::allowing(text.parse().unwrap());
    let psk = Some(Held::Psk);
    let mut tables = vec![
        negotiate(Client::of_codes(&[3, 2, 1], true, psk), all()),
        negotiate(Client::of_codes(&[3, 2], true, psk), all()),
        negotiate(Client::of_codes(&[99, 3, 255, 2, 0], true, psk), only("psk")),
        // What a known mode has no use for may be for the unknown one.
        negotiate(Client::of_codes(&[2, 99], true, psk), only("x25519")),
        negotiate(Client::of_codes(&[4, 3], true, psk), only("psk")),
        negotiate(Client::of_codes(&[99], true, psk), all()),
        negotiate(Client::of_codes(&[4], false, None), all()),
    ];
    let later: [(u16, &[u8]); 4] = [(0, b"first"), (6, b""), (700, &[0xa5; 48]), (0xffff, b"last")];
    for mode in KeyMode::ALL {
        let modes = [mode].into_iter().collect();
        let client = |fields: &[_]| Client { unknown_fields: unknown(fields), ..Client::offering(modes) };
        let server = |fields: &[_]| Server { unknown_fields: unknown(fields), ..Server::allowing(modes) };
        tables.push(negotiate(client(&later), server(&[])));
        tables.push(negotiate(client(&[]), server(&later)));
        tables.push(negotiate(client(&later[2..3]), server(&later[1..2])));
    }
    tables
}

fn negotiate(client: Client, server: Server) -> Negotiation {
    let hello = client.hello();
    let client_hello = hex::encode(&hello);
    match server.responder().read_client_hello(&hello) {
        Ok((sent, flight)) => {
            let chosen = Some(finish(&client, &server, sent, flight));
            Negotiation { client, server, client_hello, chosen, refused: None, alert: None }
        }
        Err(error) => {
            let (refused, alert) = (Some(word(&error)), alert(&error));
            Negotiation { client, server, client_hello, chosen: None, refused, alert }
        }
    }
}

/// The rest of the handshake: by hand, by the real server, and by the real client where it says the same.
fn finish(client: &Client, server: &Server, sent: ServerFlightSent, mut server_hello: Vec<u8>) -> Chosen {
    let mut server_finished = server_hello.split_off(server_hello.len() - FINISHED_FRAME);
    let mode = ServerHello::decode(&server_hello).unwrap().mode;
    let prk = clients_prk(mode, client.secret_key, &server_hello);
    let is_as_sent = server.unknown_fields.is_empty();
    if !is_as_sent {
        server_hello = with_fields(&server_hello, &server.unknown_fields);
    }

    let mut transcript = Transcript::new();
    transcript.add(&client.hello());
    transcript.add(&server_hello);
    let h0 = transcript.hash();
    let due = frame(FrameType::ServerFinished, &prk.server_finished(&h0).mac(&h0));
    if is_as_sent {
        assert_eq!(server_finished, due);
    }
    server_finished = due;
    transcript.add(&server_finished);
    let h1 = transcript.hash();
    let client_finished = frame(FrameType::ClientFinished, &prk.client_finished(&h0).mac(&h1));

    if is_as_sent {
        let established = sent.read_client_finished(&client_finished).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(established.session_id, *h1.as_bytes());
    }
    if let Some(initiator) = client.initiator() {
        let verified =
            initiator.read_server_hello(&server_hello).unwrap().read_server_finished(&server_finished).unwrap();
        assert_eq!(verified.mode(), mode);
        let (frame, established) = verified.finish();
        assert_eq!((frame, established.session_id), (client_finished.clone(), *h1.as_bytes()));
    }
    Chosen {
        mode: mode.name(),
        server_hello: hex::encode(server_hello),
        server_finished: hex::encode(server_finished),
        client_finished: hex::encode(client_finished),
        session_id: hex::encode(h1.as_bytes()),
    }
}

/// The hello with more fields: those below its own before them, the others behind.
fn with_fields(server_hello: &[u8], fields: &[Unknown]) -> Vec<u8> {
    let (before, behind): (Vec<Field>, Vec<Field>) = known(fields).partition(|(kind, _)| *kind == 0);
    let parts = [
        before.iter().flat_map(encoded).collect(),
        server_hello[12..].to_vec(),
        behind.iter().flat_map(encoded).collect(),
    ];
    frame(FrameType::ServerHello, &[server_hello[3..12].to_vec(), parts.concat()].concat())
}
