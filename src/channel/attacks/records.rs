//! Attacks on records: replayed, turned round, dropped, doubled, reordered, cut, forged.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::super::key_schedule::TrafficSecret;
use super::super::record::{LENGTH, MAX_CLOSE_TEXT, MAX_TOKEN, Opener, RecordError, RecordType, Sealer, Stamp};
use super::super::token::MIN_TOKEN;
use super::{STAMP, open, seal, session};

const SECRET: [u8; 32] = [0x7c; 32];

/// The two ends of one direction.
fn direction() -> (Sealer, Opener) {
    let secret = || TrafficSecret(Zeroizing::new(SECRET));
    (Sealer::new(secret()), Opener::new(secret()))
}

fn message(sealer: &mut Sealer, text: &str) -> Vec<u8> {
    seal(sealer, RecordType::Data, false, text.as_bytes())
}

fn data(text: &str) -> Result<(RecordType, Vec<u8>), RecordError> {
    Ok((RecordType::Data, text.as_bytes().to_vec()))
}

#[test]
fn a_record_of_another_session_is_not_authentic() {
    for mode in ["x25519+psk", "x25519", "psk"] {
        let (mut client, mut server) = session(mode, 1);
        let (_, mut later) = session(mode, 3);
        let recorded = message(&mut client.sealer, "pay");
        assert_eq!(open(&mut later.opener, &recorded), Err(RecordError::NotAuthentic));
        assert_eq!(open(&mut server.opener, &recorded), data("pay"));
    }
}

#[test]
fn a_record_sent_back_to_its_sender_is_not_authentic() {
    let (mut client, mut server) = session("psk", 1);
    let from_client = message(&mut client.sealer, "yes");
    let from_server = message(&mut server.sealer, "no");
    assert_eq!(open(&mut client.opener, &from_client), Err(RecordError::NotAuthentic));
    assert_eq!(open(&mut server.opener, &from_server), Err(RecordError::NotAuthentic));
    assert_eq!(open(&mut client.opener, &from_server), data("no"));
}

#[test]
fn a_dropped_record_is_missed() {
    let (mut sealer, mut opener) = direction();
    let _dropped = message(&mut sealer, "one");
    let next = message(&mut sealer, "two");
    assert_eq!(open(&mut opener, &next), Err(RecordError::WrongSequence { expected: 0, got: 1 }));
}

#[test]
fn a_doubled_record_is_taken_once() {
    let (mut sealer, mut opener) = direction();
    let doubled = message(&mut sealer, "one");
    assert_eq!(open(&mut opener, &doubled), data("one"));
    assert_eq!(open(&mut opener, &doubled), Err(RecordError::WrongSequence { expected: 1, got: 0 }));
}

#[test]
fn reordered_records_are_refused_until_their_turn() {
    let (mut sealer, mut opener) = direction();
    let (one, two) = (message(&mut sealer, "one"), message(&mut sealer, "two"));
    assert_eq!(open(&mut opener, &two), Err(RecordError::WrongSequence { expected: 0, got: 1 }));
    assert_eq!(open(&mut opener, &one), data("one"));
    assert_eq!(open(&mut opener, &two), data("two"));
}

#[test]
fn a_record_from_before_a_rekey_is_not_authentic_after_it() {
    let (mut sealer, mut opener) = direction();
    let old = message(&mut sealer, "one");
    let rekey = seal(&mut sealer, RecordType::Rekey, false, &[]);
    open(&mut opener, &old).unwrap();
    open(&mut opener, &rekey).unwrap();
    assert_eq!(open(&mut opener, &old), Err(RecordError::NotAuthentic));
    assert_eq!(open(&mut opener, &message(&mut sealer, "two")), data("two"));
}

#[test]
fn a_swallowed_rekey_leaves_the_receiver_without_the_key() {
    let (mut sealer, mut opener) = direction();
    let _swallowed = seal(&mut sealer, RecordType::Rekey, false, &[]);
    assert_eq!(open(&mut opener, &message(&mut sealer, "one")), Err(RecordError::NotAuthentic));
}

#[test]
fn a_cut_record_has_a_bad_length_or_is_not_authentic() {
    let (mut sealer, mut opener) = direction();
    let whole = seal(&mut sealer, RecordType::Data, false, &[7; 64]);
    let token = &whole[LENGTH..];
    for length in 0..token.len() {
        let announced = Opener::token_length((length as u32).to_be_bytes());
        let is_possible = length >= MIN_TOKEN && (length - MIN_TOKEN).is_multiple_of(16);
        assert_eq!(announced, if is_possible { Ok(length) } else { Err(RecordError::BadLength(length as u32)) });
        assert_eq!(opener.open(&mut token[..length].to_vec()), Err(RecordError::NotAuthentic));
    }
    assert!(open(&mut opener, &whole).is_ok());
}

#[test]
fn impossible_lengths_are_refused() {
    let below = MIN_TOKEN as u32 - 1;
    let above = MAX_TOKEN as u32 + 1;
    let not_whole_blocks = (1..16).map(|odd| MIN_TOKEN as u32 + odd);
    for length in [0, 1, below, above, MAX_TOKEN as u32 + 16, u32::MAX].into_iter().chain(not_whole_blocks) {
        assert_eq!(Opener::token_length(length.to_be_bytes()), Err(RecordError::BadLength(length)));
    }
    for length in [MIN_TOKEN, MIN_TOKEN + 16, MAX_TOKEN] {
        assert_eq!(Opener::token_length((length as u32).to_be_bytes()), Ok(length));
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_noticed() {
    let (mut sealer, mut opener) = direction();
    let frame = message(&mut sealer, "attack at dawn");
    for bit in LENGTH * 8..frame.len() * 8 {
        let mut forged = frame.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&mut opener, &forged), Err(RecordError::NotAuthentic), "bit {bit}");
    }
    assert_eq!(open(&mut opener, &frame), data("attack at dawn"));
}

#[test]
fn a_forged_time_is_not_authentic_and_an_authentic_one_is_ignored() {
    let (mut sealer, mut opener) = direction();
    let mut forged = message(&mut sealer, "now");
    forged[LENGTH + 1..LENGTH + 9].copy_from_slice(&(STAMP.time + 1).to_be_bytes());
    assert_eq!(open(&mut opener, &forged), Err(RecordError::NotAuthentic));

    let (mut sealer, mut opener) = direction();
    for time in [0, u64::MAX] {
        let mut frame = Vec::new();
        sealer.seal(RecordType::Data, false, b"then", Stamp { time, ..STAMP }, &mut frame);
        assert_eq!(open(&mut opener, &frame), data("then"));
    }
}

/// A framed token that only a holder of the record key can make, with any version and any plaintext blocks.
fn authentic_frame(version: u8, blocks: &[u8]) -> Vec<u8> {
    let key = TrafficSecret(Zeroizing::new(SECRET)).record_key_bytes();
    let mut token = vec![version];
    token.extend_from_slice(&STAMP.time.to_be_bytes());
    token.extend_from_slice(&STAMP.iv);
    let encryptor = cbc::Encryptor::<aes::Aes128>::new_from_slices(&key[16..], &STAMP.iv).unwrap();
    let mut ciphertext = blocks.to_vec();
    token.extend_from_slice(encryptor.encrypt_padded::<NoPadding>(&mut ciphertext, blocks.len()).unwrap());
    let tag = Hmac::<Sha256>::new_from_slice(&key[..16]).unwrap().chain_update(&token).finalize().into_bytes();
    token.extend_from_slice(&tag);
    [&(token.len() as u32).to_be_bytes()[..], &token].concat()
}

#[test]
fn another_version_and_broken_padding_are_not_authentic_even_from_a_holder_of_the_key() {
    // Type data, sequence 0, the letter x, six bytes of padding.
    let mut blocks = [1, 0, 0, 0, 0, 0, 0, 0, 0, b'x', 6, 6, 6, 6, 6, 6];
    assert_eq!(open(&mut direction().1, &authentic_frame(0x80, &blocks)), data("x"));
    for version in [0, 0x7f, 0x81] {
        assert_eq!(open(&mut direction().1, &authentic_frame(version, &blocks)), Err(RecordError::NotAuthentic));
    }
    for padding in [0, 5, 17] {
        blocks[15] = padding;
        assert_eq!(open(&mut direction().1, &authentic_frame(0x80, &blocks)), Err(RecordError::NotAuthentic));
    }
}

#[test]
fn a_plaintext_without_room_for_its_header_is_malformed() {
    let mut blocks = [8; 16];
    blocks[..8].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(open(&mut direction().1, &authentic_frame(0x80, &blocks)), Err(RecordError::Malformed(0)));
}

#[test]
fn an_authentic_record_with_another_number_is_refused() {
    for sequence in [1, u64::MAX] {
        let mut blocks = [6; 16];
        blocks[0] = RecordType::Data as u8;
        blocks[1..9].copy_from_slice(&sequence.to_be_bytes());
        let refused = Err(RecordError::WrongSequence { expected: 0, got: sequence });
        assert_eq!(open(&mut direction().1, &authentic_frame(0x80, &blocks)), refused);
    }
}

#[test]
fn nothing_comes_after_a_close() {
    let (mut sealer, mut opener) = direction();
    let close = seal(&mut sealer, RecordType::Close, false, &[0]);
    open(&mut opener, &close).unwrap();
    for kind in [RecordType::Data, RecordType::Ping, RecordType::Rekey] {
        let late = seal(&mut sealer, kind, false, &[]);
        assert_eq!(open(&mut opener, &late), Err(RecordError::AfterClose));
    }
}

#[test]
fn what_does_not_fit_its_type_is_malformed() {
    let long = [b'x'; 1 + MAX_CLOSE_TEXT + 1];
    let cases: [(RecordType, bool, &[u8], u8); 10] = [
        (RecordType::Data, true, b"", 0x81),
        (RecordType::Close, false, b"", 2),
        (RecordType::Close, false, &long, 2),
        (RecordType::Close, true, &[0], 0x82),
        (RecordType::Rekey, false, b"x", 3),
        (RecordType::Rekey, true, b"", 0x83),
        (RecordType::Ping, false, b"x", 4),
        (RecordType::Ping, true, b"", 0x84),
        (RecordType::Pong, false, b"x", 5),
        (RecordType::Pong, true, b"", 0x85),
    ];
    for (kind, more, payload, type_byte) in cases {
        let (mut sealer, mut opener) = direction();
        let frame = seal(&mut sealer, kind, more, payload);
        assert_eq!(open(&mut opener, &frame), Err(RecordError::Malformed(type_byte)));
    }
    let (mut sealer, mut opener) = direction();
    let longest = seal(&mut sealer, RecordType::Close, false, &long[1..]);
    assert!(open(&mut opener, &longest).is_ok());
}

#[test]
fn a_type_that_nobody_knows_is_malformed() {
    for type_byte in [0, 6, 0x7f, 0x80, 0x86] {
        let blocks = [type_byte, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7];
        let refused = Err(RecordError::Malformed(type_byte));
        assert_eq!(open(&mut direction().1, &authentic_frame(0x80, &blocks)), refused);
    }
}
