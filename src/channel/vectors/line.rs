//! One direction of a session as it is being written down: records of the real sealer where they are right, made by
//! hand where they are not, and read by a real channel in the end.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::super::error::ChannelError;
use super::super::key_schedule::TrafficSecret;
use super::super::mode::KeyMode;
use super::super::record::{LENGTH, RecordError, RecordType, Sealer, Stamp};
use super::super::stream::{Channel, Settings};
use super::edit::{Edit, edited};
use super::stream::{Goodbye, Key, MAX_SHOWN, Payload, SealedBy, Sent, Side, Stream};
use super::{Run, type_name};

/// More than any stream has to say, so that writing never waits.
const ROOMY: usize = 4 << 20;

pub(super) fn first_secret(mode: KeyMode, side: Side) -> TrafficSecret {
    let run = Run::usual(mode);
    match side {
        Side::Client => run.prk.client_to_server(&run.h1),
        Side::Server => run.prk.server_to_client(&run.h1),
    }
}

fn secret(mode: KeyMode, by: SealedBy) -> TrafficSecret {
    (0..by.generation).fold(first_secret(mode, by.direction), |secret, _| secret.next())
}

/// One direction of a new session, as it is being written down.
pub(super) struct Line {
    mode: KeyMode,
    side: Side,
    run: Run,
    sent: Vec<Sent>,
    frames: Vec<Vec<u8>>,
    sequence: u64,
    generation: usize,
    in_message: usize,
}

impl Line {
    pub(super) fn new(mode: KeyMode, side: Side) -> Self {
        let run = Run::usual(mode);
        Self { mode, side, run, sent: Vec::new(), frames: Vec::new(), sequence: 0, generation: 0, in_message: 0 }
    }

    fn stamp(&self) -> Stamp {
        let number = self.sent.len() as u8;
        Stamp { time: 1_700_000_000 + u64::from(number), iv: [0x30 + number; 16] }
    }

    fn sealer(&mut self) -> &mut Sealer {
        match self.side {
            Side::Client => &mut self.run.client.sealer,
            Side::Server => &mut self.run.server.sealer,
        }
    }

    /// A record as it ought to be.
    pub(super) fn say(mut self, kind: RecordType, more: bool, payload: &[u8]) -> Self {
        let (stamp, mut frame) = (self.stamp(), Vec::new());
        self.sealer().seal(kind, more, payload, stamp, &mut frame);
        let by = SealedBy { direction: self.side, generation: self.generation };
        let mut sent = described(kind, more, self.sequence, payload, self.in_message, stamp);
        // What the sealer makes and what is written down must be the same.
        assert_eq!(frame, by_hand(self.mode, by, kind, more, self.sequence, payload, stamp));
        self.sequence += 1;
        self.generation += usize::from(kind == RecordType::Rekey);
        if kind == RecordType::Data {
            self.in_message = if more { self.in_message + payload.len() } else { 0 };
        }
        show(&mut sent, &frame);
        self.push(sent, frame)
    }

    pub(super) fn data(self, text: &str) -> Self {
        self.say(RecordType::Data, false, text.as_bytes())
    }

    pub(super) fn close(self) -> Self {
        self.say(RecordType::Close, false, &[0])
    }

    /// A record by one who has the key, and whose number is whatever he likes.
    pub(super) fn forge(self, by: Option<SealedBy>, kind: RecordType, sequence: u64, payload: &[u8]) -> Self {
        let stamp = self.stamp();
        let due = SealedBy { direction: self.side, generation: self.generation };
        let frame = by_hand(self.mode, by.unwrap_or(due), kind, false, sequence, payload, stamp);
        let mut sent = Sent { sealed_by: by, ..described(kind, false, sequence, payload, 0, stamp) };
        show(&mut sent, &frame);
        self.push(sent, frame)
    }

    /// A token under the right key whose plaintext and padding are no record's.
    pub(super) fn forge_blocks(self, version: u8, padded: &[u8]) -> Self {
        let stamp = self.stamp();
        let key = secret(self.mode, SealedBy { direction: self.side, generation: self.generation }).record_key_bytes();
        let frame = seal_blocks(&key, version, padded, stamp);
        let mut sent = Sent {
            version: Some(version),
            padded: Some(hex::encode(padded)),
            time: stamp.time,
            iv: hex::encode(stamp.iv),
            ..Sent::default()
        };
        show(&mut sent, &frame);
        self.push(sent, frame)
    }

    /// The last record once more.
    pub(super) fn again(self) -> Self {
        let (sent, frame) = (self.sent.last().unwrap().clone(), self.frames.last().unwrap().clone());
        self.push(sent, frame)
    }

    /// Changes the last record on its way.
    pub(super) fn change(mut self, edits: impl FnOnce(&[u8]) -> Vec<Edit>) -> Self {
        let frame = self.frames.pop().unwrap();
        let sent = self.sent.last_mut().unwrap();
        sent.changes = edits(&frame);
        let frame = edited(&frame, &sent.changes);
        show(sent, &frame);
        self.frames.push(frame);
        self
    }

    fn push(mut self, sent: Sent, frame: Vec<u8>) -> Self {
        self.sent.push(sent);
        self.frames.push(frame);
        self
    }

    /// All is well up to the close.
    pub(super) fn accepted(self, messages: &[&[u8]]) -> Stream {
        let (heard, end) = self.replay();
        assert_eq!(heard, messages);
        assert!(end.is_ok(), "{end:?}");
        self.written(heard, None)
    }

    /// The reader ends the session for this reason.
    pub(super) fn refused(self, reason: &'static str) -> Stream {
        let (heard, end) = self.replay();
        let error = end.unwrap_err();
        assert_eq!(word(&error), reason, "{error}");
        self.written(heard, Some(reason))
    }

    pub(super) fn with_keys(self, messages: &[&[u8]]) -> Stream {
        let key = |generation| {
            let secret = secret(self.mode, SealedBy { direction: self.side, generation });
            Key { secret: hex::encode(*secret.0), record_key: hex::encode(*secret.record_key_bytes()) }
        };
        let keys = (0..=self.generation).map(key).collect();
        Stream { keys, ..self.accepted(messages) }
    }

    fn written(self, heard: Vec<Vec<u8>>, refused: Option<&'static str>) -> Stream {
        let goodbye = || {
            let Payload::Shown(payload) = self.sent.last()?.payload.as_ref()? else { return None };
            let payload = hex::decode(payload).unwrap();
            Some(Goodbye { reason: payload[0], text: String::from_utf8(payload[1..].to_vec()).ok() })
        };
        Stream {
            mode: self.mode.name(),
            direction: self.side,
            keys: Vec::new(),
            messages: heard.iter().map(|message| Payload::of(message, 0)).collect(),
            close: if refused.is_none() { goodbye() } else { None },
            refused,
            records: self.sent,
        }
    }

    /// What a real channel at the other end hands up, and how it ends.
    fn replay(&self) -> (Vec<Vec<u8>>, Result<(), ChannelError>) {
        let Run { client, server, .. } = Run::usual(self.mode);
        let reader = if self.side == Side::Client { server } else { client };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(ROOMY);
            far.write_all(&self.frames.concat()).await.unwrap();
            far.shutdown().await.unwrap();
            let mut channel = Channel::new(near, reader, Vec::new(), Settings::default());
            let mut heard = Vec::new();
            let end = loop {
                match channel.recv().await {
                    Ok(Some(message)) => heard.push(message.to_vec()),
                    Ok(None) => break self.was_the_goodbye(&channel.peer_close().unwrap().text),
                    Err(error) => break Err(error),
                }
            };
            (heard, end)
        })
    }

    fn was_the_goodbye(&self, heard: &str) -> Result<(), ChannelError> {
        let Some(Payload::Shown(payload)) = &self.sent.last().unwrap().payload else { panic!("close is never long") };
        assert_eq!(heard, String::from_utf8_lossy(&hex::decode(payload).unwrap()[1..]));
        Ok(())
    }
}

fn described(kind: RecordType, more: bool, sequence: u64, payload: &[u8], from: usize, stamp: Stamp) -> Sent {
    Sent {
        r#type: Some(type_name(kind)),
        more: Some(more),
        sequence: Some(sequence),
        payload: Some(Payload::of(payload, from)),
        time: stamp.time,
        iv: hex::encode(stamp.iv),
        ..Sent::default()
    }
}

fn show(sent: &mut Sent, frame: &[u8]) {
    let short = frame.len() <= 2 * MAX_SHOWN;
    sent.frame = short.then(|| hex::encode(frame));
    sent.frame_sha256 = (!short).then(|| hex::encode(Sha256::digest(frame)));
}

fn by_hand(
    mode: KeyMode,
    by: SealedBy,
    kind: RecordType,
    more: bool,
    sequence: u64,
    payload: &[u8],
    stamp: Stamp,
) -> Vec<u8> {
    let type_byte = kind as u8 | if more { 0x80 } else { 0 };
    let mut token = Vec::new();
    let parts: [&[u8]; 3] = [&[type_byte], &sequence.to_be_bytes(), payload];
    secret(mode, by).record_key().seal(stamp.time, stamp.iv, &parts, &mut token);
    framed(&token)
}

/// A framed token that only a holder of the record key can make, with any version and any plaintext blocks.
fn seal_blocks(key: &[u8; 32], version: u8, blocks: &[u8], stamp: Stamp) -> Vec<u8> {
    let mut token = vec![version];
    token.extend_from_slice(&stamp.time.to_be_bytes());
    token.extend_from_slice(&stamp.iv);
    let encryptor = cbc::Encryptor::<aes::Aes128>::new_from_slices(&key[16..], &stamp.iv).unwrap();
    let mut ciphertext = blocks.to_vec();
    token.extend_from_slice(encryptor.encrypt_padded::<NoPadding>(&mut ciphertext, blocks.len()).unwrap());
    let tag = Hmac::<Sha256>::new_from_slice(&key[..16]).unwrap().chain_update(&token).finalize().into_bytes();
    token.extend_from_slice(&tag);
    framed(&token)
}

fn framed(token: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(LENGTH + token.len());
    frame.extend_from_slice(&(token.len() as u32).to_be_bytes());
    frame.extend_from_slice(token);
    frame
}

/// The word for an error in docs/protocol.md.
fn word(error: &ChannelError) -> &'static str {
    match error {
        ChannelError::Record(RecordError::BadLength(_)) => "bad_length",
        ChannelError::Record(RecordError::NotAuthentic) => "not_authentic",
        ChannelError::Record(RecordError::WrongSequence { .. }) => "wrong_sequence",
        ChannelError::Record(RecordError::Malformed(_)) => "malformed_record",
        ChannelError::Record(RecordError::CutMessage) => "cut_message",
        ChannelError::Record(RecordError::AfterClose) => "after_close",
        ChannelError::MessageTooLong { .. } => "message_too_long",
        ChannelError::Truncated => "truncated",
        other => panic!("no vector leads to this: {other}"),
    }
}
