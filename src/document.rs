//! What people submit: JSON, Python's pickle and XML, read as data and never run.
//!
//! ```text
//! json      {"key": "value"}
//! binary    what Python's pickle.dumps({"key": "value"}) returns, at any protocol
//! xml       <data><key>value</key></data>, as Python's xml.etree.ElementTree writes it
//! ```
//! All three become a [`Value`] within the same limits, so that nothing behind this module has to know the format.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub mod error;
mod json;
mod pickle;
pub mod value;
mod xml;

use error::{DocumentError, ParseFormatError, Reason, excerpt};
use value::Value;

/// The most bytes of a document.
pub const MAX_DOCUMENT: usize = 256 * 1024;
/// How many lists and dictionaries may lie inside one another, the outermost included.
pub const MAX_NESTING: usize = 32;
/// The most values of a document: each list, dictionary, text, number and so on is one, each time that it occurs.
pub const MAX_VALUES: usize = 10_000;
/// The most bytes in the texts, keys and numbers of a document, each time that they occur.
pub const MAX_TEXT: usize = 4 * MAX_DOCUMENT;
/// The most digits of a whole number; a few more and it would not fit a double, which many readers of JSON make of it.
pub const MAX_DIGITS: usize = 300;

/// The byte order mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// Python's pickle, protocols 0 to 5.
    Binary,
    /// XML 1.0.
    Xml,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Binary, Self::Xml];

    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
            Self::Xml => "xml",
        }
    }

    /// The format that the beginning tells.
    fn of(bytes: &[u8]) -> Result<Self, DocumentError> {
        // 0x80 is PROTO. Without it, in protocols 0 and 1, a dictionary begins with MARK or EMPTY_DICT.
        if matches!(bytes.first(), Some(0x80 | b'(' | b'}')) {
            return Ok(Self::Binary);
        }
        let text = without_mark(bytes).trim_ascii_start();
        match text.first() {
            Some(b'{') => Ok(Self::Json),
            Some(b'<') => Ok(Self::Xml),
            Some(_) => Err(DocumentError::Unrecognized(excerpt(&String::from_utf8_lossy(&text[..text.len().min(12)])))),
            None => Err(DocumentError::Empty),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(ParseFormatError)
    }
}

/// Reads a document; without a format, its beginning tells which it is.
///
/// What comes back is always a [`Value::Map`] within the limits of this module. Work and memory are bounded by the size
/// of the document, whatever is in it.
pub fn decode(bytes: &[u8], format: Option<Format>) -> Result<(Format, Value), DocumentError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(DocumentError::TooLarge(bytes.len()));
    }
    let format = format.map_or_else(|| Format::of(bytes), Ok)?;
    let decoded = match format {
        Format::Json => json::decode(bytes),
        Format::Binary => pickle::decode(bytes),
        Format::Xml => xml::decode(bytes),
    };
    let value = decoded.map_err(|(reason, at)| DocumentError::Refused { format, at, reason })?;
    Ok((format, value))
}

/// Writes what a client submits for these pairs.
pub fn encode(format: Format, pairs: &[(String, String)]) -> Result<Vec<u8>, DocumentError> {
    let unwritable = |reason| DocumentError::Unwritable { format, reason };
    // The dictionary itself is a value too.
    if pairs.len() >= MAX_VALUES {
        return Err(unwritable(Reason::TooManyValues));
    }
    let mut keys = HashSet::new();
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !keys.insert(key)) {
        return Err(unwritable(Reason::KeyTwice(excerpt(key))));
    }
    let bytes = match format {
        Format::Json => json::encode(pairs),
        Format::Binary => pickle::encode(pairs),
        Format::Xml => xml::encode(pairs).map_err(unwritable)?,
    };
    if bytes.len() > MAX_DOCUMENT {
        return Err(DocumentError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

/// Why a document is refused, and at which byte if that helps.
type Refusal = (Reason, Option<usize>);

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}
