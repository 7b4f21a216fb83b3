//! What our client offers in its first message, and what the two sides agree on (RFC 8446, sections 4.1 and 4.2).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fernwire::channel::mode::KeyMode;
use fernwire::transport;
use fernwire::transport::endpoint::Endpoint;
use tokio::net::TcpListener;

use crate::common::{Bed, count, dial_options};
use crate::relay::{self, Fate, From, HEADER, read_record};

const SUPPORTED_GROUPS: u16 = 0x0a;
const ALPN: u16 = 0x10;
const SESSION_TICKET: u16 = 0x23;
const PRE_SHARED_KEY: u16 = 0x29;
const EARLY_DATA: u16 = 0x2a;
const SUPPORTED_VERSIONS: u16 = 0x2b;
const KEY_SHARE: u16 = 0x33;

const X25519MLKEM768: u16 = 0x11ec;
const TLS13: u16 = 0x0304;

/// The first record that our client sends to a server at this host, with its header.
pub(crate) async fn client_hello(host: &str, fragment: &str) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint: Endpoint = format!("tls://{host}:{port}{fragment}").parse().unwrap();
    let options = dial_options();
    let dialling = transport::dial(&endpoint, &options);
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_record(&mut stream).await.unwrap()
    };
    let (_, hello) = tokio::join!(dialling, hello);
    hello
}

/// Reads a message of fixed fields and vectors whose lengths precede them.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn vector8(&mut self) -> Self {
        let length = self.u8();
        Self(self.take(length.into()))
    }

    fn vector16(&mut self) -> Self {
        let length = self.u16();
        Self(self.take(length.into()))
    }

    fn all_u16(mut self) -> Vec<u16> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.u16());
        }
        all
    }

    fn extensions(mut self) -> BTreeMap<u16, &'a [u8]> {
        let mut all = BTreeMap::new();
        while !self.0.is_empty() {
            let kind = self.u16();
            all.insert(kind, self.vector16().0);
        }
        all
    }
}

/// The extensions of a ClientHello or ServerHello in its record.
fn extensions(record: &[u8]) -> BTreeMap<u16, &[u8]> {
    let mut hello = Reader(&record[HEADER..]);
    let is_client = match hello.u8() {
        1 => true,
        2 => false,
        other => panic!("handshake message {other}"),
    };
    // Length, legacy version and random.
    hello.take(3 + 2 + 32);
    hello.vector8();
    if is_client {
        hello.vector16();
        hello.vector8();
    } else {
        hello.take(2 + 1);
    }
    hello.vector16().extensions()
}

/// The groups of the key shares, in their order.
fn shared_groups(extension: &[u8]) -> Vec<u16> {
    let mut shares = Reader(extension).vector16();
    let mut groups = Vec::new();
    while !shares.0.is_empty() {
        groups.push(shares.u16());
        shares.vector16();
    }
    groups
}

#[tokio::test]
async fn a_client_offers_the_hybrid_first_and_tls_13_alone() {
    let pin = format!("#fwk1_{}", "A".repeat(43));
    for (host, fragment) in [("127.0.0.1", ""), ("127.0.0.1", &*pin), ("localhost", "")] {
        let hello = client_hello(host, fragment).await;
        let extensions = extensions(&hello);
        assert_eq!(Reader(extensions[&SUPPORTED_VERSIONS]).vector8().all_u16(), [TLS13]);
        assert_eq!(Reader(extensions[&SUPPORTED_GROUPS]).vector16().all_u16()[0], X25519MLKEM768);
        assert_eq!(shared_groups(extensions[&KEY_SHARE])[0], X25519MLKEM768);
        assert_eq!(Reader(extensions[&ALPN]).vector16().vector8().0, b"fernwire/1");
        // Nothing of an earlier session, and nothing said before the server is known.
        for absent in [SESSION_TICKET, PRE_SHARED_KEY, EARLY_DATA] {
            assert!(!extensions.contains_key(&absent), "{absent:#x}");
        }
    }
}

#[tokio::test]
async fn a_session_of_ours_is_made_with_the_hybrid() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let server_hello: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let seen = server_hello.clone();
    let relayed = relay::before(&bed.endpoint, move |from, record| {
        if from == From::Server {
            seen.lock().unwrap().get_or_insert(record.clone());
        }
        Fate::Pass
    })
    .await;
    let client = bed.client_at(&relayed).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    bed.stop().await;
    let record = server_hello.lock().unwrap().take().unwrap();
    let extensions = extensions(&record);
    assert_eq!(Reader(extensions[&SUPPORTED_VERSIONS]).u16(), TLS13);
    assert_eq!(Reader(extensions[&KEY_SHARE]).u16(), X25519MLKEM768);
}
