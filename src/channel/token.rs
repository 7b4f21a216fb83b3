//! Fernet tokens in binary form, sealed and opened in place.
//!
//! ```text
//! token = 0x80 || u64 time || IV (16) || AES-128-CBC(plaintext, PKCS #7) || HMAC-SHA256(all before it)
//! ```
//! Follows the Fernet specification, without its base64. The token's time is written and never read: records carry a
//! sequence number, and a time to live is no protection against replay.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The first byte of every token.
pub(super) const VERSION: u8 = 0x80;
/// Version, time and IV.
pub(super) const HEADER: usize = 1 + 8 + 16;
pub(super) const BLOCK: usize = 16;
pub(super) const TAG: usize = 32;

/// The shortest token: one block of padding.
pub const MIN_TOKEN: usize = HEADER + BLOCK + TAG;

/// The length of the token that seals a plaintext of `plaintext` bytes.
pub const fn token_len(plaintext: usize) -> usize {
    HEADER + (plaintext / BLOCK + 1) * BLOCK + TAG
}

/// A Fernet key: the first 16 bytes authenticate, the last 16 encrypt. Ready for use and wiped on drop.
pub struct FernetKey {
    signing: Hmac<Sha256>,
    encryption: Aes128,
}

/// The token was not made with this key, or was changed on the way. Which of the two stays untold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not authentic")]
pub struct InvalidToken;

impl FernetKey {
    /// The key with these bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        let [signing, encryption] = [&key[..16], &key[16..]];
        Self {
            signing: Hmac::new_from_slice(signing).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")),
            encryption: Aes128::new_from_slice(encryption).unwrap_or_else(|_| unreachable!("half of 32 is 16")),
        }
    }

    /// What signs a token, with nothing in it yet.
    pub(super) fn signing(&self) -> Hmac<Sha256> {
        self.signing.clone()
    }

    /// Appends the token of the concatenated `parts` to `out`.
    ///
    /// `time` is in seconds since 1970; `iv` must be unpredictable and used once.
    pub fn seal(&self, time: u64, iv: [u8; 16], parts: &[&[u8]], out: &mut Vec<u8>) {
        let start = out.len();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        out.reserve(token_len(length));
        out.push(VERSION);
        out.extend_from_slice(&time.to_be_bytes());
        out.extend_from_slice(&iv);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.resize(start + token_len(length) - TAG, 0);
        cbc::Encryptor::inner_iv_init(self.encryption.clone(), &iv.into())
            .encrypt_padded::<Pkcs7>(&mut out[start + HEADER..], length)
            .unwrap_or_else(|_| unreachable!("the buffer has room for the padding"));
        let tag = self.signing.clone().chain_update(&out[start..]).finalize().into_bytes();
        out.extend_from_slice(&tag);
    }

    /// Verifies the token, then decrypts it in place and gives its plaintext.
    pub fn open<'a>(&self, token: &'a mut [u8]) -> Result<&'a mut [u8], InvalidToken> {
        if token.len() < MIN_TOKEN || token[0] != VERSION {
            return Err(InvalidToken);
        }
        let (signed, tag) = token.split_at_mut(token.len() - TAG);
        // `verify_slice` compares in constant time.
        self.signing.clone().chain_update(&signed).verify_slice(tag).map_err(|_| InvalidToken)?;
        let (header, ciphertext) = signed.split_at_mut(HEADER);
        let iv: [u8; 16] = header[HEADER - 16..].try_into().map_err(|_| InvalidToken)?;
        let length = cbc::Decryptor::inner_iv_init(self.encryption.clone(), &iv.into())
            .decrypt_padded::<Pkcs7>(ciphertext)
            .map_err(|_| InvalidToken)?
            .len();
        Ok(&mut ciphertext[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            key: [u8; 32], iv: [u8; 16], time: u64, text: Vec<u8>, flip in 0usize..10_000
        ) {
            let key = FernetKey::new(&key);
            let mut token = Vec::new();
            key.seal(time, iv, &[&text], &mut token);
            prop_assert_eq!(token.len(), token_len(text.len()));
            let mut forged = token.clone();
            let bit = flip % (token.len() * 8);
            forged[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&mut forged), Err(InvalidToken));
            prop_assert_eq!(key.open(&mut token).unwrap(), &text[..]);
        }

        #[test]
        fn no_bytes_can_make_opening_panic(key: [u8; 32], mut bytes: Vec<u8>) {
            prop_assert_eq!(FernetKey::new(&key).open(&mut bytes), Err(InvalidToken));
        }
    }
}
