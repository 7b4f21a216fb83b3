//! Records: numbered, typed, sealed messages of one direction. No I/O, no clock, no randomness of its own.
//!
//! ```text
//! frame     = u32 length || token            plaintext = u8 type || u64 sequence || payload (at most 65,527 bytes)
//! ```
//! The high bit of a data record's type says that more of the message follows. The receiver takes exactly the next
//! sequence number and advances only on success; any failure ends the session.

use super::key_schedule::TrafficSecret;
use super::token::{FernetKey, InvalidToken, MIN_TOKEN, token_len};

/// The most payload bytes that one record carries.
pub const MAX_PAYLOAD: usize = 65_527;
/// The longest token of a record in bytes.
pub const MAX_TOKEN: usize = token_len(HEADER + MAX_PAYLOAD);
/// The most records under one key, the rekey record included.
pub const MAX_RECORDS_PER_KEY: u64 = 1 << 20;
/// The most token bytes under one key.
pub const MAX_BYTES_PER_KEY: u64 = 1 << 30;
/// The most bytes of a close record's text.
pub const MAX_CLOSE_TEXT: usize = 1024;

/// The length prefix of a frame.
pub(super) const LENGTH: usize = 4;
/// Type and sequence.
const HEADER: usize = 1 + 8;
const MORE: u8 = 0x80;

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// A message, or a piece of one.
    Data = 1,
    /// The last record of this direction.
    Close = 2,
    /// The last record under this key.
    Rekey = 3,
    /// Asks for a sign of life.
    Ping = 4,
    /// Answers a ping.
    Pong = 5,
}

impl RecordType {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Data, Self::Close, Self::Rekey, Self::Ping, Self::Pong].into_iter().find(|t| *t as u8 == code)
    }
}

/// An opened record.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is for.
    pub kind: RecordType,
    /// Whether more of its message follows.
    pub more: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The length prefix is impossible.
    #[error("the peer announced a record of {0} bytes, which no record has")]
    BadLength(u32),
    /// The token does not verify.
    #[error("a record is not authentic; somebody may be tampering with the connection")]
    NotAuthentic,
    /// A record is missing, doubled or out of place.
    #[error("record {got} came where {expected} was due; somebody may be tampering with the connection")]
    WrongSequence {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// The type is unknown, or the payload does not fit it.
    #[error("the peer sent a malformed record of type {0}")]
    Malformed(u8),
    /// The peer did not rekey in time.
    #[error("the peer used one key for too long")]
    KeyWorn,
    /// A close record came between the pieces of a message.
    #[error("the peer said goodbye in the middle of a message")]
    CutMessage,
    /// A record came after close.
    #[error("the peer sent a record after its goodbye")]
    AfterClose,
}

impl From<InvalidToken> for RecordError {
    fn from(_: InvalidToken) -> Self {
        Self::NotAuthentic
    }
}

/// The time and the randomness that one record is sealed with.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Seconds since 1970; written into the token and ignored by the peer.
    pub time: u64,
    /// Unpredictable, and used once.
    pub iv: [u8; 16],
}

/// How much has gone through one key.
#[derive(Debug, Default, Clone, Copy)]
struct Wear {
    records: u64,
    bytes: u64,
}

impl Wear {
    fn add(&mut self, token: usize) {
        self.records += 1;
        self.bytes += token as u64;
    }
}

/// One direction's key with its place in the stream.
struct Direction {
    secret: TrafficSecret,
    key: FernetKey,
    sequence: u64,
    wear: Wear,
}

impl Direction {
    fn new(secret: TrafficSecret) -> Self {
        Self { key: secret.record_key(), secret, sequence: 0, wear: Wear::default() }
    }

    /// The sequence goes on; the old secret is wiped as it is replaced.
    fn next_key(&mut self) {
        self.secret = self.secret.next();
        self.key = self.secret.record_key();
        self.wear = Wear::default();
    }
}

/// Seals the records of one direction.
pub struct Sealer(Direction);

impl Sealer {
    pub(super) fn new(secret: TrafficSecret) -> Self {
        Self(Direction::new(secret))
    }

    /// Appends one framed record to `out` and takes the next sequence number. Never fails, so that it is whole or not
    /// at all; `payload` must not exceed [`MAX_PAYLOAD`].
    pub fn seal(&mut self, kind: RecordType, more: bool, payload: &[u8], stamp: Stamp, out: &mut Vec<u8>) {
        debug_assert!(payload.len() <= MAX_PAYLOAD);
        let token = token_len(HEADER + payload.len());
        out.extend_from_slice(&(token as u32).to_be_bytes());
        let type_byte = kind as u8 | if more { MORE } else { 0 };
        let parts: [&[u8]; 3] = [&[type_byte], &self.0.sequence.to_be_bytes(), payload];
        self.0.key.seal(stamp.time, stamp.iv, &parts, out);
        self.0.sequence += 1;
        self.0.wear.add(token);
        if kind == RecordType::Rekey {
            self.0.next_key();
        }
    }

    /// Whether the key must be changed before another record of any length, within the given limits.
    pub fn is_worn(&self, max_records: u64, max_bytes: u64) -> bool {
        // Room for one more record and for the rekey itself.
        let (records, bytes) = (self.0.wear.records + 2, self.0.wear.bytes + 2 * MAX_TOKEN as u64);
        // A fresh key serves at least one record, whatever the limits.
        self.0.wear.records > 0 && (records > max_records || bytes > max_bytes)
    }
}

/// Opens the records of one direction.
pub struct Opener {
    direction: Direction,
    closed: bool,
}

impl Opener {
    pub(super) fn new(secret: TrafficSecret) -> Self {
        Self { direction: Direction::new(secret), closed: false }
    }

    /// The length of the token that follows this prefix, checked before anything is allocated for it.
    pub fn token_length(prefix: [u8; LENGTH]) -> Result<usize, RecordError> {
        let length = u32::from_be_bytes(prefix);
        let fits = (MIN_TOKEN..=MAX_TOKEN).contains(&(length as usize));
        if fits && (length as usize - MIN_TOKEN).is_multiple_of(16) {
            Ok(length as usize)
        } else {
            Err(RecordError::BadLength(length))
        }
    }

    /// Opens one token (without its length prefix) in place.
    pub fn open<'a>(&mut self, token: &'a mut [u8]) -> Result<Record<'a>, RecordError> {
        let length = token.len();
        if self.closed {
            return Err(RecordError::AfterClose);
        }
        let wear = &self.direction.wear;
        if wear.records >= MAX_RECORDS_PER_KEY || wear.bytes + length as u64 > MAX_BYTES_PER_KEY {
            return Err(RecordError::KeyWorn);
        }
        let plaintext = self.direction.key.open(token)?;
        let Some((header, payload)) = plaintext.split_first_chunk::<HEADER>() else {
            return Err(RecordError::Malformed(0));
        };
        let [type_byte, sequence @ ..] = *header;
        let (expected, got) = (self.direction.sequence, u64::from_be_bytes(sequence));
        if got != expected {
            return Err(RecordError::WrongSequence { expected, got });
        }
        let kind = RecordType::from_code(type_byte & !MORE).ok_or(RecordError::Malformed(type_byte))?;
        let more = type_byte & MORE != 0;
        let well_formed = match kind {
            RecordType::Data => !(more && payload.is_empty()),
            RecordType::Close => !more && (1..=1 + MAX_CLOSE_TEXT).contains(&payload.len()),
            RecordType::Rekey | RecordType::Ping | RecordType::Pong => !more && payload.is_empty(),
        };
        if !well_formed {
            return Err(RecordError::Malformed(type_byte));
        }
        self.direction.sequence += 1;
        self.direction.wear.add(length);
        match kind {
            RecordType::Rekey => self.direction.next_key(),
            RecordType::Close => self.closed = true,
            _ => {}
        }
        Ok(Record { kind, more, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    const STAMP: Stamp = Stamp { time: 0, iv: [3; 16] };

    fn pair() -> (Sealer, Opener) {
        let secret = || TrafficSecret(Zeroizing::new([9; 32]));
        (Sealer::new(secret()), Opener::new(secret()))
    }

    fn open_frame<'a>(opener: &mut Opener, frame: &'a mut [u8]) -> Result<Record<'a>, RecordError> {
        let (prefix, token) = frame.split_first_chunk_mut::<LENGTH>().unwrap();
        assert_eq!(Opener::token_length(*prefix), Ok(token.len()));
        opener.open(token)
    }

    proptest! {
        #[test]
        fn records_arrive_as_they_were_sent(
            records in prop::collection::vec((prop::bool::ANY, prop::collection::vec(any::<u8>(), 1..200)), 1..20)
        ) {
            let (mut sealer, mut opener) = pair();
            for (more, payload) in records {
                let mut frame = Vec::new();
                sealer.seal(RecordType::Data, more, &payload, STAMP, &mut frame);
                let record = open_frame(&mut opener, &mut frame);
                prop_assert_eq!(record, Ok(Record { kind: RecordType::Data, more, payload: &payload }));
            }
        }

        #[test]
        fn no_length_prefix_is_trusted(prefix: [u8; 4]) {
            if let Ok(length) = Opener::token_length(prefix) {
                prop_assert!((MIN_TOKEN..=MAX_TOKEN).contains(&length));
            }
        }

        #[test]
        fn no_bytes_can_make_opening_panic(mut bytes: Vec<u8>) {
            prop_assert_eq!(pair().1.open(&mut bytes), Err(RecordError::NotAuthentic));
        }

        #[test]
        fn authentic_nonsense_is_refused(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let (sealer, mut opener) = pair();
            let mut token = Vec::new();
            sealer.0.key.seal(0, [0; 16], &[&text], &mut token);
            let valid = text.len() >= HEADER && text[1..HEADER] == [0; 8]
                && match text[0] {
                    1 => true,
                    0x81 => text.len() > HEADER,
                    2 => text.len() > HEADER,
                    3..=5 => text.len() == HEADER,
                    _ => false,
                };
            prop_assert_eq!(opener.open(&mut token).is_ok(), valid);
        }
    }

    #[test]
    fn a_full_record_fits_the_limit() {
        let (mut sealer, mut opener) = pair();
        let mut frame = Vec::new();
        sealer.seal(RecordType::Data, false, &vec![7; MAX_PAYLOAD], STAMP, &mut frame);
        assert_eq!(frame.len(), LENGTH + MAX_TOKEN);
        assert_eq!(open_frame(&mut opener, &mut frame).unwrap().payload.len(), MAX_PAYLOAD);
    }

    #[test]
    fn a_rekey_changes_the_key_and_not_the_sequence() {
        let (mut sealer, mut opener) = pair();
        for kind in [RecordType::Ping, RecordType::Rekey, RecordType::Pong] {
            let mut frame = Vec::new();
            sealer.seal(kind, false, &[], STAMP, &mut frame);
            assert_eq!(open_frame(&mut opener, &mut frame).unwrap().kind, kind);
        }
        assert_eq!(opener.direction.sequence, 3);
        assert_eq!(opener.direction.wear.records, 1);
        assert_ne!(*opener.direction.secret.0, [9; 32]);
    }

    #[test]
    fn a_failure_does_not_advance_the_receiver() {
        let (mut sealer, mut opener) = pair();
        let mut frame = Vec::new();
        sealer.seal(RecordType::Data, false, b"x", STAMP, &mut frame);
        let mut forged = frame.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open_frame(&mut opener, &mut forged), Err(RecordError::NotAuthentic));
        assert_eq!(open_frame(&mut opener, &mut frame).unwrap().payload, b"x");
    }

    #[test]
    fn the_receiver_refuses_a_worn_key() {
        let (mut sealer, mut opener) = pair();
        let mut frame = Vec::new();
        sealer.seal(RecordType::Ping, false, &[], STAMP, &mut frame);
        opener.direction.wear.records = MAX_RECORDS_PER_KEY;
        assert_eq!(open_frame(&mut opener, &mut frame.clone()), Err(RecordError::KeyWorn));
        opener.direction.wear = Wear { records: 0, bytes: MAX_BYTES_PER_KEY };
        assert_eq!(open_frame(&mut opener, &mut frame), Err(RecordError::KeyWorn));
    }

    #[test]
    fn a_sender_sees_wear_coming() {
        let (mut sealer, _) = pair();
        assert!(!sealer.is_worn(1, 1));
        sealer.0.wear = Wear { records: MAX_RECORDS_PER_KEY - 2, bytes: 0 };
        assert!(!sealer.is_worn(MAX_RECORDS_PER_KEY, MAX_BYTES_PER_KEY));
        sealer.0.wear.records += 1;
        assert!(sealer.is_worn(MAX_RECORDS_PER_KEY, MAX_BYTES_PER_KEY));
        sealer.0.wear = Wear { records: 1, bytes: MAX_BYTES_PER_KEY - 2 * MAX_TOKEN as u64 + 1 };
        assert!(sealer.is_worn(MAX_RECORDS_PER_KEY, MAX_BYTES_PER_KEY));
    }
}
