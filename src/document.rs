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
            // What else is JSON is refused as that, since a document is an object.
            Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9') => Ok(Self::Json),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXAMPLES: [(Format, &[u8]); 3] = [
        (Format::Json, br#" {"first": "Ada", "last": ["Lovelace"]}"#),
        (Format::Binary, b"\x80\x04}(\x8c\x05first\x8c\x03Ada\x8c\x04last]\x8c\x08Lovelaceau."),
        (Format::Xml, b"<data>\n<first>Ada</first><last><n>Lovelace</n></last></data>"),
    ];

    #[test]
    fn a_format_is_told_by_its_name_or_by_the_beginning_of_a_document() {
        for (format, bytes) in EXAMPLES {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
            let (told, value) = decode(bytes, None).unwrap();
            assert_eq!((told, value), decode(bytes, Some(format)).unwrap());
        }
        for beginning in [&b"(dp0\nVa\nNs."[..], b"}q\0X\x01\0\0\0aNs.", b"\x80\x02}."] {
            assert_eq!(decode(beginning, None).unwrap().0, Format::Binary);
        }
        assert_eq!(decode(b"\xef\xbb\xbf {}", None).unwrap().0, Format::Json);
        assert_eq!(decode(b"\xef\xbb\xbf<data/>", None).unwrap().0, Format::Xml);
        assert_eq!("yaml".parse::<Format>().unwrap_err().to_string(), "a format is json, binary or xml");
    }

    #[test]
    fn what_begins_like_no_format_is_told_which_there_are() {
        assert_eq!(decode(b" \n", None), Err(DocumentError::Empty));
        let said = decode(b"a: 1\x1b[2J and what is behind it", None).unwrap_err().to_string();
        let beginning = r"a: 1\u{1b}[2J and";
        let formats = "json, binary (a pickle) and xml";
        assert_eq!(said, format!("the document begins with `{beginning}`, which tells none of the formats {formats}"));
    }

    #[test]
    fn a_document_is_a_dictionary_of_limited_size() {
        for (format, bytes) in [(Format::Json, &b"[1]"[..]), (Format::Binary, b"]."), (Format::Binary, b"N.")] {
            let error = decode(bytes, Some(format)).unwrap_err();
            assert!(error.to_string().contains("only dictionaries are submitted"), "{error}");
        }
        let padded = |length: usize| [b"{}", &vec![b' '; length - 2][..]].concat();
        assert!(decode(&padded(MAX_DOCUMENT), None).is_ok());
        assert_eq!(decode(&padded(MAX_DOCUMENT + 1), None), Err(DocumentError::TooLarge(MAX_DOCUMENT + 1)));
    }

    #[test]
    fn nothing_is_written_that_would_not_be_read() {
        let twice = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        let large = [("a".to_owned(), "x".repeat(MAX_DOCUMENT))];
        let many: Vec<_> = (0..MAX_VALUES).map(|n| (format!("k{n}"), String::new())).collect();
        for format in Format::ALL {
            let said = encode(format, &twice).unwrap_err().to_string();
            assert_eq!(said, format!("cannot be written as {format}: the key `a` twice in one dictionary"));
            assert!(matches!(encode(format, &large), Err(DocumentError::TooLarge(_))));
            let reason = Reason::TooManyValues;
            assert_eq!(encode(format, &many), Err(DocumentError::Unwritable { format, reason }));
            assert!(decode(&encode(format, &many[1..]).unwrap(), None).is_ok());
        }
    }

    #[test]
    fn errors_repeat_little_and_nothing_that_acts() {
        let long = format!("\x1b[31m{}", "é".repeat(1000));
        let shown = excerpt(&long);
        assert_eq!(shown.chars().count(), 60);
        assert!(shown.starts_with(r"\u{1b}[31mé") && shown.ends_with('…'));
        let said = decode(format!("cx{long}\nname\n.").as_bytes(), Some(Format::Binary)).unwrap_err().to_string();
        assert!(said.contains(r"GLOBAL would import x\u{1b}[31mé") && said.chars().count() < 200, "{said}");
    }

    /// The values in this one, and the levels.
    fn size(value: &Value) -> (usize, usize) {
        let parts: Vec<_> = match value {
            Value::List(items) => items.iter().map(size).collect(),
            Value::Map(entries) => entries.iter().map(|(_, value)| size(value)).collect(),
            _ => return (1, 0),
        };
        let values = parts.iter().map(|(values, _)| values).sum::<usize>();
        (values + 1, parts.iter().map(|(_, levels)| levels).max().unwrap_or(&0) + 1)
    }

    fn check_limits(bytes: &[u8]) -> Result<(), TestCaseError> {
        for format in [None, Some(Format::Json), Some(Format::Binary), Some(Format::Xml)] {
            match decode(bytes, format) {
                Ok((_, value)) => {
                    let (values, levels) = size(&value);
                    prop_assert!(values <= MAX_VALUES && levels <= MAX_NESTING);
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&value.to_json()).is_ok());
                }
                Err(error) => {
                    let said = error.to_string();
                    prop_assert!(said.chars().count() < 250 && !said.chars().any(crate::model::is_treacherous));
                }
            }
        }
        Ok(())
    }

    fn texts(pairs: &[(String, String)]) -> Value {
        Value::Map(pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect())
    }

    /// Any text that XML can hold.
    fn xml_text() -> impl Strategy<Value = String> {
        any::<String>()
            .prop_map(|text| text.replace(|c| c < ' ' && c != '\r' || matches!(c, '\u{fffe}'..='\u{ffff}'), "\t"))
    }

    proptest! {
        #[test]
        fn pairs_come_back_as_they_were(
            pairs in prop::collection::btree_map("[A-Za-z_é][-.0-9A-Za-z_é]{0,20}", xml_text(), 0..6)
        ) {
            let pairs: Vec<_> = pairs.into_iter().collect();
            for format in Format::ALL {
                let bytes = encode(format, &pairs).unwrap();
                prop_assert_eq!(decode(&bytes, None), Ok((format, texts(&pairs))));
            }
        }

        #[test]
        fn any_pairs_come_back_or_are_refused(pairs in prop::collection::vec(any::<(String, String)>(), 0..4)) {
            for format in Format::ALL {
                if let Ok(bytes) = encode(format, &pairs) {
                    prop_assert_eq!(decode(&bytes, None), Ok((format, texts(&pairs))));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_within_the_limits_or_refused(bytes: Vec<u8>) {
            check_limits(&bytes)?;
        }

        #[test]
        fn any_text_is_read_within_the_limits_or_refused(text in r#"[<>/!?&;#\[\]{}":,=' \-0-9a-eEN.\\\n]{0,60}"#) {
            check_limits(text.as_bytes())?;
            check_limits(format!("<data>{text}</data>").as_bytes())?;
            check_limits(format!("{{\"a\":{text}}}").as_bytes())?;
        }

        #[test]
        fn any_change_to_a_document_is_read_or_refused(example in 0..EXAMPLES.len(), place: prop::sample::Index, byte: u8) {
            let mut bytes = EXAMPLES[example].1.to_vec();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            check_limits(&bytes)?;
            check_limits(&EXAMPLES[example].1[..place])?;
        }
    }
}
