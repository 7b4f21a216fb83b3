//! Handshake frames and the two hellos: their bytes, and what makes them malformed.
//!
//! ```text
//! frame = u8 type || u16 length || body (at most 4,096 bytes)
//! hello = "FERNWIRE" || u8 version (1) || fields in strictly ascending type, each u16 type || u16 length || value
//! ```
//! Unknown fields are hashed with the rest and ignored, so that later versions can add theirs.

use super::error::{Alert, HandshakeError};
use super::key_schedule::KEY_TAG_LEN;
use super::mode::{KeyMode, KeyModes};

/// The most bytes that a handshake frame's body may have.
pub const MAX_BODY: usize = 4096;
/// Type and length.
pub(super) const FRAME_HEADER: usize = 3;

const MAGIC: &[u8; 8] = b"FERNWIRE";
const VERSION: u8 = 1;

/// The types of frames before authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FrameType {
    ClientHello = 1,
    ServerHello = 2,
    ServerFinished = 3,
    ClientFinished = 4,
    Alert = 5,
}

/// The types of a hello's fields.
mod field {
    pub(super) const MODES: u16 = 1;
    pub(super) const NONCE: u16 = 2;
    pub(super) const SHARE: u16 = 3;
    pub(super) const KEY_TAG: u16 = 4;
    pub(super) const IDENTITY: u16 = 5;
}

/// A whole frame around a body of at most [`MAX_BODY`] bytes.
pub(super) fn frame(kind: FrameType, body: &[u8]) -> Vec<u8> {
    debug_assert!(body.len() <= MAX_BODY);
    let mut frame = vec![kind as u8];
    frame.extend_from_slice(&(body.len() as u16).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The length of the body that follows this header, checked before anything is allocated for it.
pub(super) fn body_length(header: [u8; FRAME_HEADER], due: FrameType) -> Result<usize, HandshakeError> {
    let [kind, length @ ..] = header;
    if kind != due as u8 && kind != FrameType::Alert as u8 {
        return Err(foreign_protocol(header).unwrap_or(HandshakeError::UnexpectedFrame(kind)));
    }
    let length = usize::from(u16::from_be_bytes(length));
    if length > MAX_BODY { Err(HandshakeError::FrameTooLong(length)) } else { Ok(length) }
}

/// The body of a whole frame of the type that is due; an alert is the peer's last word.
pub(super) fn body(frame: &[u8], due: FrameType) -> Result<&[u8], HandshakeError> {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER>().ok_or(HandshakeError::CutField)?;
    if body_length(*header, due)? != body.len() {
        return Err(HandshakeError::CutField);
    }
    if header[0] == FrameType::Alert as u8 {
        let &[code] = body else { return Err(HandshakeError::BadField("alert")) };
        return Err(Alert::from_code(code).map_or(HandshakeError::UnknownAlert(code), HandshakeError::Alert));
    }
    Ok(body)
}

/// Recognises what people connect by mistake, so that the message can say it.
fn foreign_protocol(start: [u8; FRAME_HEADER]) -> Option<HandshakeError> {
    let name = match &start {
        b"GET" | b"POS" | b"PUT" | b"HEA" | b"OPT" | b"CON" | b"DEL" | b"PRI" | b"HTT" => "HTTP",
        b"SSH" => "SSH",
        b"gAA" => "bare Fernet tokens",
        [0x16 | 0x15, 3, _] => "TLS",
        _ => return None,
    };
    Some(HandshakeError::ForeignProtocol(name))
}

/// What the client says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) modes: KeyModes,
    pub(super) nonce: [u8; 32],
    pub(super) share: Option<[u8; 32]>,
    pub(super) key_tag: Option<[u8; KEY_TAG_LEN]>,
}

impl ClientHello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let modes: Vec<u8> = self.modes.iter().map(|mode| mode as u8).collect();
        let mut hello = Writer::new();
        hello.field(field::MODES, &modes);
        hello.field(field::NONCE, &self.nonce);
        self.share.iter().for_each(|share| hello.field(field::SHARE, share));
        self.key_tag.iter().for_each(|tag| hello.field(field::KEY_TAG, tag));
        frame(FrameType::ClientHello, &hello.0)
    }

    pub(super) fn decode(frame: &[u8]) -> Result<Self, HandshakeError> {
        let fields = Fields::parse(body(frame, FrameType::ClientHello)?)?;
        let codes = fields.find(field::MODES).ok_or(HandshakeError::MissingField("key modes"))?;
        if codes.is_empty() || (1..codes.len()).any(|i| codes[..i].contains(&codes[i])) {
            return Err(HandshakeError::BadField("list of key modes"));
        }
        let known: Vec<KeyMode> = codes.iter().copied().filter_map(KeyMode::from_code).collect();
        // A mode of a later version may need what none of ours does.
        let all_known = known.len() == codes.len();
        let modes: KeyModes = known.into_iter().collect();
        let share = fields.array(field::SHARE, "key share")?;
        let key_tag = fields.array(field::KEY_TAG, "key tag")?;
        require(share.is_some(), modes.need_share(), all_known, "key share")?;
        require(key_tag.is_some(), modes.need_secret(), all_known, "key tag")?;
        let nonce = fields.array(field::NONCE, "nonce")?.ok_or(HandshakeError::MissingField("nonce"))?;
        if fields.find(field::IDENTITY).is_some() {
            return Err(HandshakeError::NeedlessField("identity"));
        }
        Ok(Self { modes, nonce, share, key_tag })
    }
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) mode: KeyMode,
    pub(super) nonce: [u8; 32],
    /// Share and identity, in the X25519 modes.
    pub(super) x25519: Option<ServerKeys>,
}

/// The server's two public keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerKeys {
    pub(super) share: [u8; 32],
    pub(super) identity: [u8; 32],
}

impl ServerHello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut hello = Writer::new();
        hello.field(field::MODES, &[self.mode as u8]);
        hello.field(field::NONCE, &self.nonce);
        if let Some(keys) = &self.x25519 {
            hello.field(field::SHARE, &keys.share);
            hello.field(field::IDENTITY, &keys.identity);
        }
        frame(FrameType::ServerHello, &hello.0)
    }

    pub(super) fn decode(frame: &[u8]) -> Result<Self, HandshakeError> {
        let fields = Fields::parse(body(frame, FrameType::ServerHello)?)?;
        let [code] = fields.array(field::MODES, "key mode")?.ok_or(HandshakeError::MissingField("key mode"))?;
        let mode = KeyMode::from_code(code).ok_or(HandshakeError::BadField("key mode"))?;
        let nonce = fields.array(field::NONCE, "nonce")?.ok_or(HandshakeError::MissingField("nonce"))?;
        let share = fields.array(field::SHARE, "key share")?;
        let identity = fields.array(field::IDENTITY, "identity")?;
        require(share.is_some(), mode.needs_share(), true, "key share")?;
        require(identity.is_some(), mode.needs_share(), true, "identity")?;
        if fields.find(field::KEY_TAG).is_some() {
            return Err(HandshakeError::NeedlessField("key tag"));
        }
        let x25519 = share.zip(identity).map(|(share, identity)| ServerKeys { share, identity });
        Ok(Self { mode, nonce, x25519 })
    }
}

fn require(there: bool, needed: bool, refuse_needless: bool, name: &'static str) -> Result<(), HandshakeError> {
    match (there, needed) {
        (false, true) => Err(HandshakeError::MissingField(name)),
        (true, false) if refuse_needless => Err(HandshakeError::NeedlessField(name)),
        _ => Ok(()),
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        let mut hello = MAGIC.to_vec();
        hello.push(VERSION);
        Self(hello)
    }

    fn field(&mut self, kind: u16, value: &[u8]) {
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.0.extend_from_slice(value);
    }
}

/// A hello's fields in the order in which they stand.
struct Fields<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Fields<'a> {
    fn parse(hello: &'a [u8]) -> Result<Self, HandshakeError> {
        let rest = hello.strip_prefix(MAGIC).ok_or(HandshakeError::BadMagic)?;
        let (&version, mut rest) = rest.split_first().ok_or(HandshakeError::CutField)?;
        if version != VERSION {
            return Err(HandshakeError::Version(version));
        }
        let mut fields: Vec<(u16, &[u8])> = Vec::new();
        while !rest.is_empty() {
            let (kind, after) = split_u16(rest)?;
            let (length, after) = split_u16(after)?;
            let (value, after) = after.split_at_checked(usize::from(length)).ok_or(HandshakeError::CutField)?;
            match fields.last() {
                Some((last, _)) if *last == kind => return Err(HandshakeError::DuplicateField(kind)),
                Some((last, _)) if *last > kind => return Err(HandshakeError::FieldOrder(kind)),
                _ => fields.push((kind, value)),
            }
            rest = after;
        }
        Ok(Self(fields))
    }

    fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value)
    }

    fn array<const N: usize>(&self, kind: u16, name: &'static str) -> Result<Option<[u8; N]>, HandshakeError> {
        let value = self.find(kind).map(|value| value.try_into().map_err(|_| HandshakeError::BadField(name)));
        value.transpose()
    }
}

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), HandshakeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(HandshakeError::CutField)?;
    Ok((u16::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_client_hello() -> impl Strategy<Value = ClientHello> {
        (1usize..8, any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 8]>()).prop_map(|(set, nonce, share, tag)| {
            let chosen = KeyMode::ALL.into_iter().enumerate().filter(|(i, _)| set & (1 << i) != 0);
            let modes: KeyModes = chosen.map(|(_, mode)| mode).collect();
            ClientHello {
                nonce,
                share: modes.need_share().then_some(share),
                key_tag: modes.need_secret().then_some(tag),
                modes,
            }
        })
    }

    proptest! {
        #[test]
        fn client_hellos_survive_the_wire(hello in any_client_hello()) {
            prop_assert_eq!(ClientHello::decode(&hello.encode()).unwrap(), hello);
        }

        #[test]
        fn server_hellos_survive_the_wire(mode in 0usize..3, nonce: [u8; 32], share: [u8; 32], identity: [u8; 32]) {
            let mode = KeyMode::ALL[mode];
            let x25519 = mode.needs_share().then_some(ServerKeys { share, identity });
            let hello = ServerHello { mode, nonce, x25519 };
            prop_assert_eq!(ServerHello::decode(&hello.encode()).unwrap(), hello);
        }

        #[test]
        fn no_bytes_can_make_decoding_panic(mut body in prop::collection::vec(any::<u8>(), 0..300), whole: bool) {
            if whole {
                body.splice(0..0, [MAGIC.as_slice(), &[VERSION]].concat());
            }
            let _ = ClientHello::decode(&frame(FrameType::ClientHello, &body));
            let _ = ServerHello::decode(&frame(FrameType::ServerHello, &body));
            let _ = ClientHello::decode(&body);
        }
    }

    /// A ClientHello frame with these fields.
    fn hello(fields: &[(u16, &[u8])]) -> Result<ClientHello, HandshakeError> {
        let mut writer = Writer::new();
        fields.iter().for_each(|(kind, value)| writer.field(*kind, value));
        ClientHello::decode(&frame(FrameType::ClientHello, &writer.0))
    }

    #[test]
    fn each_malformation_has_its_own_error() {
        use HandshakeError::*;
        let modes = (field::MODES, &[KeyMode::X25519 as u8][..]);
        let nonce = (field::NONCE, &[0; 32][..]);
        let share = (field::SHARE, &[0; 32][..]);
        let tag = (field::KEY_TAG, &[0; 8][..]);
        let later = (700, &[0; 1184][..]);
        assert!(hello(&[modes, nonce, share, later]).is_ok());
        assert!(matches!(hello(&[modes, nonce, nonce]), Err(DuplicateField(2))));
        assert!(matches!(hello(&[nonce, modes]), Err(FieldOrder(1))));
        assert!(matches!(hello(&[modes, later, later]), Err(DuplicateField(700))));
        assert!(matches!(hello(&[(1, &[]), nonce]), Err(BadField("list of key modes"))));
        assert!(matches!(hello(&[(1, &[2, 2]), nonce, share]), Err(BadField("list of key modes"))));
        assert!(matches!(hello(&[nonce]), Err(MissingField("key modes"))));
        assert!(matches!(hello(&[modes, share]), Err(MissingField("nonce"))));
        assert!(matches!(hello(&[modes, nonce]), Err(MissingField("key share"))));
        assert!(matches!(hello(&[modes, nonce, share, tag]), Err(NeedlessField("key tag"))));
        assert!(matches!(hello(&[modes, nonce, share, (5, &[0; 32])]), Err(NeedlessField("identity"))));
        assert!(matches!(hello(&[modes, nonce, (3, &[0; 31])]), Err(BadField("key share"))));
        // A mode of a later version brings what ours have no use for.
        assert!(hello(&[(1, &[2, 99]), nonce, share, tag]).is_ok());
    }

    #[test]
    fn magic_version_and_lengths_are_checked() {
        let good = ClientHello {
            modes: [KeyMode::Psk].into_iter().collect(),
            nonce: [1; 32],
            share: None,
            key_tag: Some([2; 8]),
        }
        .encode();
        let mut changed = good.clone();
        changed[3] = b'f';
        assert!(matches!(ClientHello::decode(&changed), Err(HandshakeError::BadMagic)));
        let mut changed = good.clone();
        changed[11] = 2;
        assert!(matches!(ClientHello::decode(&changed), Err(HandshakeError::Version(2))));
        assert!(matches!(ClientHello::decode(&good[..good.len() - 1]), Err(HandshakeError::CutField)));
        let trailing = frame(FrameType::ClientHello, &[&good[3..], &[0]].concat());
        assert!(matches!(ClientHello::decode(&trailing), Err(HandshakeError::CutField)));
    }

    #[test]
    fn foreign_protocols_are_named() {
        let name = |start: &[u8; 3]| body_length(*start, FrameType::ClientHello).unwrap_err().to_string();
        assert_eq!(name(b"GET"), "the peer speaks HTTP, not Fernwire; check the port");
        assert_eq!(name(&[0x16, 3, 1]), "the peer speaks TLS, not Fernwire; check the port");
        assert_eq!(name(b"xyz"), "the peer sent a frame of type 120 that was not due");
        assert!(matches!(body_length([1, 0x10, 1], FrameType::ClientHello), Err(HandshakeError::FrameTooLong(4097))));
    }
}
