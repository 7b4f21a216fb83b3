//! Where one Fernet token ends and the next begins, in a stream that has neither frames nor delimiters.
//!
//! The length of a token follows from how many blocks it has, and which of the possible lengths it is shows its HMAC.
//! Neither the padding, which some leave out, nor the time at which bytes arrive says anything.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::super::token::{BLOCK, FernetKey, HEADER, InvalidToken, TAG, VERSION, token_len};

/// The longest token in characters, without padding.
const MAX_CHARACTERS: usize = 65_536;

/// The types of a channel's first frames, which are their first bytes: ClientHello, and what may answer it.
const CLIENT_HELLO: u8 = 1;
const ALERT: u8 = 5;

/// Why a stream is not one of tokens of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A character that no token has. In decimal, since the log takes reasons for one that differ in digits alone.
    #[error("the byte {0} is not of a Fernet token; the other side speaks something else, or is damaged")]
    Foreign(u8),
    /// What a channel begins with.
    #[error("the other side speaks Fernwire and not bare Fernet; its address begins with tcp:// or tls://")]
    Channel,
    /// What is padded there is no token of this key.
    #[error("a token ends that is not of this key; the other side holds another key")]
    OtherKey,
    /// It is base64url of something else.
    #[error("what came is base64 and not a Fernet token; the other side speaks something else")]
    Version,
    /// No beginning of what came is a token.
    #[error(
        "no token of this key within {MAX_CHARACTERS} characters; the other side holds another key, or sends too much at once"
    )]
    TooLong,
    /// The key's holder has made a token that Fernet does not allow.
    #[error("a token of this key has wrong padding inside")]
    Padding,
}

impl From<InvalidToken> for SplitError {
    fn from(_: InvalidToken) -> Self {
        Self::Padding
    }
}

/// Takes characters, gives plaintexts. Work grows with the number of characters alone, however they arrive.
pub struct Splitter {
    key: FernetKey,
    /// What is decoded of the token that is coming.
    token: Vec<u8>,
    /// How many characters of it have come.
    characters: usize,
    /// The last characters that do not make a byte yet, and how many bits they are.
    bits: u32,
    bit_count: u32,
    /// How many blocks it has, if it is not shorter than what has come.
    blocks: usize,
    /// Over what a token of fewer blocks would have signed.
    signed: Hmac<Sha256>,
    covered: usize,
    /// How many `=` may still follow the last token.
    owed: usize,
}

impl Splitter {
    /// For tokens of this key.
    pub fn new(key: FernetKey) -> Self {
        let signed = key.signing();
        let token = Vec::new();
        Self { key, token, characters: 0, bits: 0, bit_count: 0, blocks: 1, signed, covered: 0, owed: 0 }
    }

    /// The key.
    pub(super) fn key(&self) -> &FernetKey {
        &self.key
    }

    /// Whether a token has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        self.characters > 0
    }

    /// Takes a character; the result is the plaintext of the token that it completes. After an error the stream is of no
    /// use any more.
    pub fn take(&mut self, character: u8) -> Result<Option<Vec<u8>>, SplitError> {
        if !self.is_inside() && self.is_between_tokens(character) {
            return Ok(None);
        }
        let sextet = sextet(character).ok_or_else(|| self.why_not(character))?;
        self.bits = self.bits << 6 | u32::from(sextet);
        self.bit_count += 6;
        self.characters += 1;
        if self.bit_count >= 8 {
            self.bit_count -= 8;
            self.token.push((self.bits >> self.bit_count) as u8);
            self.bits &= (1 << self.bit_count) - 1;
        }
        match self.token.first() {
            // No number of blocks would make it a token.
            Some(&version) if version != VERSION => Err(SplitError::Version),
            _ if self.characters == characters(self.blocks) => self.judge(),
            _ => Ok(None),
        }
    }

    fn why_not(&self, character: u8) -> SplitError {
        // Of ours, it would have been complete before its padding.
        let may_be_whole = character == b'=' && self.characters >= characters(1);
        match character {
            _ if may_be_whole => SplitError::OtherKey,
            CLIENT_HELLO..=ALERT if !self.is_inside() => SplitError::Channel,
            character => SplitError::Foreign(character),
        }
    }

    fn is_between_tokens(&mut self, character: u8) -> bool {
        match character {
            b'=' if self.owed > 0 => {
                self.owed -= 1;
                true
            }
            character => matches!(character, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c),
        }
    }

    /// Whether what has come is a whole token. If not, it may be one with a block more.
    fn judge(&mut self) -> Result<Option<Vec<u8>>, SplitError> {
        let (signed, tag) = self.token.split_at(self.token.len() - TAG);
        self.signed.update(&signed[self.covered..]);
        self.covered = signed.len();
        if self.bits == 0 && self.signed.clone().verify_slice(tag).is_ok() {
            let text = self.key.open(&mut self.token)?.to_vec();
            let owed = (3 - self.token.len() % 3) % 3;
            self.begin_anew(owed);
            return Ok(Some(text));
        }
        self.blocks += 1;
        if characters(self.blocks) > MAX_CHARACTERS { Err(SplitError::TooLong) } else { Ok(None) }
    }

    fn begin_anew(&mut self, owed: usize) {
        self.token.clear();
        (self.characters, self.bits, self.bit_count, self.blocks, self.owed) = (0, 0, 0, 1, owed);
        (self.signed, self.covered) = (self.key.signing(), 0);
    }
}

/// The characters of a token with so many blocks, without padding.
fn characters(blocks: usize) -> usize {
    (4 * (HEADER + BLOCK * blocks + TAG)).div_ceil(3)
}

/// The most bytes whose token is not longer than this many characters, padding included; none if no token is that short.
pub fn longest_text(max_characters: usize) -> Option<usize> {
    let blocks = (max_characters / 4 * 3).checked_sub(HEADER + TAG)? / BLOCK;
    (BLOCK * blocks).checked_sub(1)
}

/// The characters of the token that seals so many bytes, padding included.
pub fn token_characters(text: usize) -> usize {
    token_len(text).div_ceil(3) * 4
}

/// The six bits of a character (RFC 4648, section 5).
fn sextet(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(key: &[u8; 32], text: &[u8]) -> Vec<u8> {
        let mut token = Vec::new();
        FernetKey::new(key).seal(0, [9; 16], &[text], &mut token);
        token
    }

    /// The texts, and why it ended if it did.
    fn texts(stream: &[u8]) -> (Vec<Vec<u8>>, Option<SplitError>) {
        let mut splitter = Splitter::new(FernetKey::new(&KEY));
        let mut texts = Vec::new();
        for character in stream {
            match splitter.take(*character) {
                Ok(text) => texts.extend(text),
                Err(error) => return (texts, Some(error)),
            }
        }
        (texts, None)
    }

    fn ends(stream: impl AsRef<[u8]>) -> Option<SplitError> {
        texts(stream.as_ref()).1
    }

    #[test]
    fn lengths_are_those_of_base64() {
        for text in 0..5000 {
            let length = URL_SAFE.encode(vec![0; token_len(text)]).len();
            assert_eq!(token_characters(text), length);
            assert!(longest_text(length).unwrap() >= text);
            assert!(token_characters(longest_text(length).unwrap()) <= length);
        }
        assert_eq!((longest_text(1024), longest_text(4096), longest_text(99)), (Some(703), Some(3007), None));
        assert_eq!(characters(1), URL_SAFE_NO_PAD.encode([0; 73]).len());
    }

    #[test]
    fn nothing_else_than_tokens_is_taken() {
        let token = URL_SAFE.encode(sealed(&KEY, b"text"));
        assert_eq!(ends("GET / HTTP/1.1"), Some(SplitError::Version));
        assert_eq!(ends("gAA AAA"), Some(SplitError::Foreign(b' ')));
        assert_eq!(ends("\u{1}FERNWIRE"), Some(SplitError::Channel));
        assert_eq!(ends("="), Some(SplitError::Foreign(b'=')));
        assert_eq!(ends(format!("{token}===")), Some(SplitError::Foreign(b'=')));
        assert_eq!(ends(token.replace('g', "+")), Some(SplitError::Foreign(b'+')));
        assert_eq!(ends(format!("{}=", &token[..97])), Some(SplitError::Foreign(b'=')));
        assert_eq!(ends(URL_SAFE.encode(sealed(&[8; 32], b"text"))), Some(SplitError::OtherKey));
        assert_eq!(texts(&token.as_bytes()[..token.len() - 3]), (vec![], None));
    }

    #[test]
    fn a_token_of_another_key_is_never_one() {
        let stream = URL_SAFE_NO_PAD.encode(sealed(&[8; 32], &vec![b'x'; 60_000]));
        let mut splitter = Splitter::new(FernetKey::new(&KEY));
        let end = stream.bytes().position(|character| splitter.take(character).is_err()).unwrap();
        assert_eq!(end + 1, (1..).map(characters).take_while(|most| *most <= MAX_CHARACTERS).last().unwrap());
    }

    #[test]
    fn the_longest_token_is_taken() {
        let blocks = (1..).take_while(|blocks| characters(*blocks) <= MAX_CHARACTERS).last().unwrap();
        let text = vec![b'x'; BLOCK * blocks - 1];
        assert_eq!(texts(URL_SAFE_NO_PAD.encode(sealed(&KEY, &text)).as_bytes()), (vec![text.clone()], None));
        let longer = URL_SAFE_NO_PAD.encode(sealed(&KEY, &[&text[..], b"y"].concat()));
        assert_eq!(texts(longer.as_bytes()), (vec![], Some(SplitError::TooLong)));
    }

    #[test]
    fn bits_that_mean_nothing_are_zero() {
        // One byte more than a multiple of three: the last character has four unused bits.
        let mut token = URL_SAFE_NO_PAD.encode(sealed(&KEY, b"text")).into_bytes();
        assert_eq!(token.len() % 4, 2);
        let last = token.pop().unwrap();
        token.push(last + 1);
        assert_eq!(texts(&token), (vec![], None));
    }

    #[test]
    fn a_token_that_fernet_does_not_allow_is_refused() {
        let mut token = sealed(&KEY, b"");
        // The padding is one block of 16; a change in the vector changes it, and the signature is made anew.
        token[HEADER - 1] ^= 0x40;
        let end = token.len() - TAG;
        let tag = FernetKey::new(&KEY).signing().chain_update(&token[..end]).finalize().into_bytes();
        token[end..].copy_from_slice(&tag);
        assert_eq!(ends(URL_SAFE.encode(token)), Some(SplitError::Padding));
    }

    fn form() -> impl Strategy<Value = (bool, String)> {
        (any::<bool>(), "[ \t\r\n\x0b\x0c]{0,4}")
    }

    proptest! {
        #[test]
        fn texts_come_apart_as_they_were_put_together(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), form()), 0..8)
        ) {
            let mut stream = String::new();
            for (text, (padded, space)) in &parts {
                let token = sealed(&KEY, text);
                stream += &if *padded { URL_SAFE.encode(token) } else { URL_SAFE_NO_PAD.encode(token) };
                stream += space;
            }
            let sent: Vec<_> = parts.into_iter().map(|(text, _)| text).collect();
            prop_assert_eq!(texts(stream.as_bytes()), (sent, None));
        }

        #[test]
        fn no_bytes_make_it_panic_or_believe(bytes: Vec<u8>, text in "gA[A-Za-z0-9_=-]{0,400}") {
            prop_assert_eq!(texts(&bytes).0.len(), 0);
            prop_assert_eq!(texts(text.as_bytes()).0.len(), 0);
        }
    }
}
