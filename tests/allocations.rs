//! Sealing and opening a record allocates nothing.
#![allow(clippy::unwrap_used)]

use fernwire::channel::handshake::{Entropy, Initiator, Offer, Policy, Responder};
use fernwire::channel::record::{RecordType, Stamp};
use fernwire::keys::SecretKey;

#[test]
fn a_record_allocates_nothing() {
    let modes = "psk".parse().unwrap();
    let key = SecretKey::generate();
    let policy = Policy::new(modes, None, Some(key.clone())).unwrap();
    let entropy = || Entropy::from_system().unwrap();
    let (initiator, hello) = Initiator::start(Offer::new(modes, Some(key)).unwrap(), entropy());
    let (responder, flight) = Responder::new(policy, entropy()).read_client_hello(&hello).unwrap();
    // ServerFinished is a frame of 35 bytes.
    let (hello, finished) = flight.split_at(flight.len() - 35);
    let verified = initiator.read_server_hello(hello).unwrap().read_server_finished(finished).unwrap();
    let (finished, mut client) = verified.finish();
    let mut server = responder.read_client_finished(&finished).unwrap();

    let mut frame = Vec::with_capacity(70_000);
    let measured = allocation_counter::measure(|| {
        for length in [0, 1, 64, 1000, 65_527] {
            for _ in 0..100 {
                frame.clear();
                let payload = &[7; 65_527][..length];
                client.sealer.seal(RecordType::Data, false, payload, Stamp { time: 0, iv: [1; 16] }, &mut frame);
                let record = server.opener.open(&mut frame[4..]).unwrap();
                assert_eq!(record.payload.len(), length);
            }
        }
    });
    assert_eq!(measured.count_total, 0);
}
