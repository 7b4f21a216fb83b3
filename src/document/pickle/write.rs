//! A dictionary of texts as a pickle of protocol 4, the latest that every Python since 3.4 reads.

use super::opcode::{BINUNICODE, EMPTY_DICT, FRAME, MARK, PROTO, SETITEMS, SHORT_BINUNICODE, STOP};

const PROTOCOL: u8 = 4;

/// The pickle of these pairs.
pub(in crate::document) fn encode(pairs: &[(String, String)]) -> Vec<u8> {
    let mut body = vec![EMPTY_DICT, MARK];
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        match u8::try_from(text.len()) {
            Ok(length) => body.extend([SHORT_BINUNICODE, length]),
            Err(_) => {
                body.push(BINUNICODE);
                // What does not fit in here is far beyond the limit, where nobody reads it any more.
                body.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        body.extend(text.as_bytes());
    }
    body.extend([SETITEMS, STOP]);
    let length = (body.len() as u64).to_le_bytes();
    [&[PROTO, PROTOCOL, FRAME], &length[..], &body].concat()
}
