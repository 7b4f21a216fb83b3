//! What was submitted, whatever it was written in, and its form as one line of JSON.

use std::fmt::{self, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::MAX_DIGITS;
use super::error::Reason;
use crate::model::is_treacherous;

/// As many digits as are divided off a long number at once.
const GROUP: u64 = 1_000_000_000;

/// What was submitted, as data.
///
/// Tuples and sets of a pickle are lists here, and keys that are no texts have the text that Python's json.dumps gives
/// them. Floats are finite.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// JSON's null, Python's None.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(Integer),
    /// A number in floating point.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes; only pickles have them.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Keys, each once, and their values, in the order in which they came.
    Map(Vec<(String, Value)>),
}

/// A whole number of up to [`MAX_DIGITS`] digits: an optional `-`, then digits that begin with no zero.
///
/// It stays text, since nobody here calculates with it and no type of Rust is long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integer(String);

impl Value {
    /// One line of JSON.
    ///
    /// Non-ASCII text stays as it is; control characters, and those that turn the direction of text, are escaped.
    /// Bytes appear as `{"$base64": "..."}`.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_to(&mut json);
        json
    }

    fn write_to(&self, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => json.push_str(&value.0),
            Self::Float(value) => json.push_str(&float(*value)),
            Self::Text(text) => write_text(json, text),
            Self::Bytes(bytes) => {
                json.push_str(r#"{"$base64": ""#);
                STANDARD.encode_string(bytes, json);
                json.push_str(r#""}"#);
            }
            Self::List(items) => write_between(json, ['[', ']'], items, |json, item| item.write_to(json)),
            Self::Map(entries) => write_between(json, ['{', '}'], entries, |json, (key, value)| {
                write_text(json, key);
                json.push_str(": ");
                value.write_to(json);
            }),
        }
    }
}

fn write_between<T>(json: &mut String, [open, close]: [char; 2], items: &[T], write: impl Fn(&mut String, &T)) {
    json.push(open);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            json.push_str(", ");
        }
        write(json, item);
    }
    json.push(close);
}

/// JSON's form of these pairs, as [`Value::to_json`] writes it.
pub(super) fn object_of(pairs: &[(String, String)]) -> String {
    let mut json = String::new();
    write_between(&mut json, ['{', '}'], pairs, |json, (key, value)| {
        write_text(json, key);
        json.push_str(": ");
        write_text(json, value);
    });
    json
}

fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // None of them lies beyond U+FFFF. Writing to a String cannot fail.
            c if is_treacherous(c) => drop(write!(json, "\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}

/// A finite float as Python's json.dumps writes it: the shortest that is read back as the same.
pub(super) fn float(value: f64) -> String {
    // -1.25e-7 has the sign, the digits 125 and the exponent -7.
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        // Debug writes 1.0 where Display would write 1.
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

impl Integer {
    /// How many bytes its text has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number that this is in decimal: an optional `-`, then digits.
    pub(super) fn from_decimal(text: &str) -> Result<Self, Reason> {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Reason::malformed("not a whole number"));
        }
        match digits.trim_start_matches('0') {
            "" => Ok(Self("0".to_owned())),
            digits if digits.len() > MAX_DIGITS => Err(Reason::TooManyDigits),
            digits => Ok(Self(format!("{sign}{digits}"))),
        }
    }

    /// The number with these bytes, the lowest first, in two's complement; no bytes are zero.
    pub(super) fn from_le_bytes(bytes: &[u8]) -> Result<Self, Reason> {
        // A byte is more than two digits, so that what is far too long is not converted first.
        if bytes.len() > MAX_DIGITS / 2 {
            return Err(Reason::TooManyDigits);
        }
        let negative = bytes.last().is_some_and(|highest| highest & 0x80 != 0);
        let mut magnitude = bytes.to_vec();
        if negative {
            negate(&mut magnitude);
        }
        let decimal = decimal(&magnitude);
        Self::from_decimal(&if negative { format!("-{decimal}") } else { decimal })
    }
}

/// Turns the sign of a number in two's complement, the lowest byte first.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

/// The digits of a number without a sign, the lowest byte first; there may be zeros before them.
fn decimal(bytes: &[u8]) -> String {
    let mut words: Vec<u64> =
        bytes.chunks(4).map(|word| word.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))).collect();
    let mut groups = Vec::new();
    while words.iter().any(|word| *word != 0) {
        let mut remainder = 0;
        for word in words.iter_mut().rev() {
            let here = remainder << 32 | *word;
            (*word, remainder) = (here / GROUP, here % GROUP);
        }
        groups.push(format!("{remainder:09}"));
    }
    groups.reverse();
    format!("0{}", groups.concat())
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(!self.0.starts_with('-'), "", self.0.trim_start_matches('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_one_line_of_json_that_moves_no_cursor() {
        let value = Value::Map(vec![
            ("none".into(), Value::Null),
            ("flags".into(), Value::List(vec![Value::Bool(true), Value::Bool(false)])),
            ("numbers".into(), Value::List(vec![Value::Integer((-7).into()), Value::Float(1.0), Value::Float(-0.0)])),
            ("text".into(), Value::Text("é ☃ \"\\\n\x1b\x7f\u{9b}\u{202e}".into())),
            ("bytes".into(), Value::Bytes(vec![0, 255])),
            ("empty".into(), Value::List(vec![Value::List(vec![]), Value::Map(vec![])])),
        ]);
        let json = concat!(
            r#"{"none": null, "flags": [true, false], "numbers": [-7, 1.0, -0.0], "#,
            r#""text": "é ☃ \"\\\n\u001b\u007f\u009b\u202e", "bytes": {"$base64": "AP8="}, "empty": [[], {}]}"#
        );
        assert_eq!(value.to_json(), json);
    }

    #[test]
    fn floats_look_as_in_python() {
        let known = [(0.0001, "0.0001"), (0.00001, "1e-05"), (1e15, "1000000000000000.0"), (1e16, "1e+16")];
        let extremes =
            [(1.5e300, "1.5e+300"), (5e-324, "5e-324"), (-1.25e-7, "-1.25e-07"), (f64::MAX, "1.7976931348623157e+308")];
        for (value, text) in known.into_iter().chain(extremes) {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn whole_numbers_have_one_form_and_a_limit() {
        for (text, form) in [("-0", "0"), ("007", "7"), ("-007", "-7")] {
            assert_eq!(Integer::from_decimal(text).unwrap().to_string(), form);
        }
        for text in ["", "-", "+1", "1_000", "0x1", "١", " 1"] {
            assert!(matches!(Integer::from_decimal(text), Err(Reason::Malformed(_))), "{text}");
        }
        assert!(Integer::from_decimal(&"9".repeat(MAX_DIGITS)).is_ok());
        assert_eq!(Integer::from_decimal(&"9".repeat(MAX_DIGITS + 1)), Err(Reason::TooManyDigits));
        assert_eq!(Integer::from_le_bytes(&[0x7f; 125]), Err(Reason::TooManyDigits));
        assert_eq!(Integer::from_le_bytes(&[0xff; 1000]), Err(Reason::TooManyDigits));
        assert_eq!(Integer::from_le_bytes(&[]).unwrap().to_string(), "0");
    }

    proptest! {
        #[test]
        fn whole_numbers_in_bytes_are_those_in_digits(value: i128, padding in 0..8usize) {
            let sign = if value < 0 { 0xff } else { 0 };
            let bytes = [&value.to_le_bytes()[..], &vec![sign; padding]].concat();
            prop_assert_eq!(Integer::from_le_bytes(&bytes).unwrap().to_string(), value.to_string());
        }

        #[test]
        fn floats_come_back_as_they_were(value in any::<f64>()) {
            prop_assert_eq!(float(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
