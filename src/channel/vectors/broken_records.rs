//! Records that end the session, and why: cut, changed, replayed, turned round, out of place, and forged by a holder of
//! the key.

use super::super::mode::KeyMode;
use super::super::record::RecordType::{Close, Data, Ping, Pong, Rekey};
use super::super::record::{LENGTH, MAX_CLOSE_TEXT, MAX_PAYLOAD, MAX_TOKEN, RecordType};
use super::super::stream::{MAX_MESSAGE, MAX_UNPROVEN_MESSAGE};
use super::super::token::MIN_TOKEN;
use super::edit::Edit;
use super::hold_to_file;
use super::line::Line;
use super::stream::{File, SealedBy, Side, Stream, counted};

#[test]
fn broken_records_are_refused_for_the_reasons_of_their_vectors() {
    let mut streams = Vec::new();
    streams.extend(lengths());
    streams.extend(changed_on_the_way());
    streams.extend(under_another_key());
    streams.extend(forged_blocks());
    streams.extend(out_of_sequence());
    streams.extend(malformed());
    streams.extend(after_the_goodbye());
    streams.extend(cut_messages());
    streams.extend(too_long());
    hold_to_file("broken-records", &File::of(streams));
}

fn from_client() -> Line {
    Line::new(KeyMode::Psk, Side::Client)
}

fn from_server() -> Line {
    Line::new(KeyMode::X25519Psk, Side::Server)
}

/// Length prefixes that no record has; nothing behind them is waited for.
fn lengths() -> Vec<Stream> {
    let (least, most) = (MIN_TOKEN as u32, MAX_TOKEN as u32);
    let impossible = [0, 1, least - 16, least - 1, least + 1, least + 15, most + 1, most + 16, 1 << 24, u32::MAX];
    let announced = |length: u32| {
        let line = from_client().data("fine").data("announced as another length");
        let prefix = move |frame: &[u8]| vec![Edit::replace(frame, 0, LENGTH, &length.to_be_bytes())];
        line.change(prefix).refused("bad_length")
    };
    impossible.into_iter().map(announced).collect()
}

fn changed_on_the_way() -> Vec<Stream> {
    let mut streams = Vec::new();
    // Of 32 bytes of plaintext: version, time, IV, two blocks, HMAC.
    for (at, mask) in
        [(4, 0x01), (4, 0x80), (12, 0x01), (13, 0x80), (28, 0x01), (29, 0x01), (60, 0x10), (61, 0x80), (92, 1)]
    {
        let flip = move |frame: &[u8]| vec![Edit::flip(frame, at, mask)];
        streams.push(from_client().data("pay 100 to bob").change(flip).refused("not_authentic"));
        streams.push(from_server().data("first").data("pay 100 to bob").change(flip).refused("not_authentic"));
    }
    // A length that a record may have, and this one has not.
    let shortened = |frame: &[u8]| vec![Edit::replace(frame, 0, LENGTH, &(MIN_TOKEN as u32).to_be_bytes())];
    streams.push(from_client().data("pay 100 to bob").change(shortened).refused("not_authentic"));
    let without_hmac = |frame: &[u8]| vec![Edit::replace(frame, frame.len() - 32, 32, &[0; 32])];
    streams.push(from_client().data("pay 100 to bob").change(without_hmac).refused("not_authentic"));
    streams
}

fn under_another_key() -> Vec<Stream> {
    let mut streams = Vec::new();
    for side in Side::BOTH {
        let line = || Line::new(KeyMode::Psk, side);
        let by = |direction, generation| Some(SealedBy { direction, generation });
        // Sent back to where it came from.
        streams.push(line().forge(by(side.other(), 0), Data, 0, b"echo").refused("not_authentic"));
        streams.push(line().data("one").forge(by(side.other(), 0), Ping, 1, b"").refused("not_authentic"));
        // The old key after a rekey; the next one without, or two at once; and the other direction's own next.
        let rekeyed = || line().data("one").say(Rekey, false, b"");
        streams.push(rekeyed().forge(by(side, 0), Data, 2, b"old").refused("not_authentic"));
        streams.push(rekeyed().forge(by(side, 2), Data, 2, b"too new").refused("not_authentic"));
        streams.push(rekeyed().forge(by(side.other(), 1), Data, 2, b"theirs").refused("not_authentic"));
        streams.push(line().data("one").forge(by(side, 1), Data, 1, b"new").refused("not_authentic"));
        // As if a rekey had been swallowed on the way.
        streams.push(line().forge(by(side, 1), Data, 1, b"after a rekey").refused("not_authentic"));
    }
    streams
}

/// A version or padding that only a holder of the key can get wrong, and a plaintext without room for its header.
fn forged_blocks() -> Vec<Stream> {
    // Type data, sequence 0, the letter x, six bytes of padding.
    let good = [1, 0, 0, 0, 0, 0, 0, 0, 0, b'x', 6, 6, 6, 6, 6, 6];
    let with = |places: &[(usize, u8)]| {
        let mut blocks = good;
        places.iter().for_each(|(at, byte)| blocks[*at] = *byte);
        blocks
    };
    let mut streams = Vec::new();
    for version in [0x00, 0x7f, 0x81] {
        streams.push(from_client().forge_blocks(version, &good).refused("not_authentic"));
    }
    // None, more than a block, and bytes that do not all say how many they are.
    for places in [&[(15, 0)][..], &[(15, 17)], &[(15, 5)], &[(15, 7)], &[(10, 5)], &[(12, 0)], &[(15, 255)]] {
        streams.push(from_client().forge_blocks(0x80, &with(places)).refused("not_authentic"));
    }
    streams.push(from_client().forge_blocks(0x80, &[16; 16]).refused("malformed_record"));
    let mut eight = [8; 16];
    eight[..8].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    streams.push(from_client().forge_blocks(0x80, &eight).refused("malformed_record"));
    for type_byte in [0x00, 0x06, 0x7f, 0x80, 0x86, 0xff] {
        streams.push(from_client().forge_blocks(0x80, &with(&[(0, type_byte)])).refused("malformed_record"));
    }
    // More of a close, a rekey, a ping and a pong.
    for type_byte in [0x82, 0x83, 0x84, 0x85] {
        streams.push(from_client().forge_blocks(0x80, &with(&[(0, type_byte)])).refused("malformed_record"));
    }
    streams
}

fn out_of_sequence() -> Vec<Stream> {
    let mut streams = Vec::new();
    for line in [from_client, from_server] {
        let refused = |line: Line| line.refused("wrong_sequence");
        // Repeated, skipped from the start and later, one that went before, the last there is, and the other byte order.
        streams.push(refused(line().data("pay").again()));
        streams.push(refused(line().forge(None, Data, 1, b"the second")));
        streams.push(refused(line().data("one").forge(None, Data, 2, b"the third")));
        streams.push(refused(line().data("one").data("two").forge(None, Data, 0, b"one")));
        streams.push(refused(line().forge(None, Ping, u64::MAX, b"")));
        streams.push(refused(line().data("one").forge(None, Data, 1 << 56, b"two")));
        // A rekey begins no new count, and is no exception to it.
        streams.push(refused(line().data("one").say(Rekey, false, b"").forge(None, Data, 0, b"under the next key")));
        streams.push(refused(line().data("one").forge(None, Rekey, 0, b"")));
        streams.push(refused(line().data("one").forge(None, Close, 0, &[0])));
    }
    streams
}

/// Payloads that do not fit their type.
fn malformed() -> Vec<Stream> {
    let long = [b'x'; 1 + MAX_CLOSE_TEXT + 1];
    let cases: [(RecordType, bool, &[u8]); 6] = [
        (Data, true, b""),
        (Close, false, b""),
        (Close, false, &long),
        (Rekey, false, b"x"),
        (Ping, false, b"are you there?"),
        (Pong, false, b"x"),
    ];
    let both = [from_client, from_server];
    let streams = both.into_iter().flat_map(|line| {
        cases.map(|(kind, more, payload)| line().data("one").say(kind, more, payload).refused("malformed_record"))
    });
    streams.collect()
}

fn after_the_goodbye() -> Vec<Stream> {
    let late: [(RecordType, &[u8]); 5] =
        [(Data, b"one more thing"), (Close, &[0]), (Rekey, b""), (Ping, b""), (Pong, b"")];
    let both = [from_client, from_server];
    let streams = both.into_iter().flat_map(|line| {
        late.map(|(kind, payload)| line().data("one").close().say(kind, false, payload).refused("after_close"))
    });
    streams.collect()
}

/// Streams and goodbyes that end before their time.
fn cut_messages() -> Vec<Stream> {
    let mut streams = Vec::new();
    for line in [from_client, from_server] {
        streams.push(line().say(Data, true, b"transfer 100").close().refused("cut_message"));
        streams.push(line().say(Data, true, b"transfer 100").say(Ping, false, b"").close().refused("cut_message"));
        streams.push(line().say(Data, true, b"transfer 100").refused("truncated"));
        streams.push(line().data("no goodbye").refused("truncated"));
        // Within the length, behind it, and before the last byte.
        for kept in [1, 3, 4, 76] {
            let cut = move |frame: &[u8]| vec![Edit::replace(frame, kept, frame.len() - kept, b"")];
            streams.push(line().data("one").say(Close, false, &[0]).change(cut).refused("truncated"));
        }
    }
    streams
}

fn too_long() -> Vec<Stream> {
    let refused = |mode, side, lengths: &[usize]| {
        let mut from = 0;
        let pieces = lengths.iter().map(|length| {
            from += length;
            counted(from - length, *length)
        });
        // That more follows does not matter any more.
        let line = pieces.fold(Line::new(mode, side), |line, piece| line.say(Data, true, &piece));
        line.refused("message_too_long")
    };
    let full = MAX_MESSAGE / MAX_PAYLOAD;
    let mut all = vec![MAX_PAYLOAD; full];
    all.push(MAX_MESSAGE - full * MAX_PAYLOAD + 1);
    let mut streams = Vec::from(Side::BOTH.map(|side| refused(KeyMode::Psk, side, &all)));
    streams.push(refused(KeyMode::X25519, Side::Server, &all));
    // Of a client that has proven nothing.
    streams.push(refused(KeyMode::X25519, Side::Client, &[MAX_UNPROVEN_MESSAGE + 1]));
    streams.push(refused(KeyMode::X25519, Side::Client, &[MAX_UNPROVEN_MESSAGE, 1]));
    streams
}
