//! JSON (RFC 8259), with every number exactly as it was written.
//!
//! serde_json decides what JSON is. It would round what does not fit 64 bits, so the numbers themselves are taken from the
//! text: the nth that it reports is the nth that is written outside of strings.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{Reason, excerpt};
use super::value::{Integer, Value, object_of};
use super::{MAX_NESTING, MAX_VALUES, Refusal, without_mark};

/// What Python writes for floats that JSON does not have.
const NOT_FINITE: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The object with these pairs.
pub(super) fn encode(pairs: &[(String, String)]) -> Vec<u8> {
    object_of(pairs).into_bytes()
}

/// Reads an object.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    let json = without_mark(bytes);
    let before = bytes.len() - json.len();
    let text = str::from_utf8(json)
        .map_err(|error| (Reason::malformed("the document is not UTF-8"), Some(before + error.valid_up_to())))?;
    let mut reader = Reader { numbers: Numbers { text, at: 0 }, values: 0, refusal: None };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { reader: &mut reader, level: 0 };
    let read = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match read {
        Ok(value @ Value::Map(_)) => Ok(value),
        Ok(other) => Err((Reason::NotADictionary(kind(&other)), Some(before))),
        Err(error) => {
            let at = offset(json, &error);
            let reason = reader.refusal.unwrap_or_else(|| reason(&json[at.min(json.len())..], &error));
            Err((reason, Some(before + at)))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        _ => "a list",
    }
}

/// The byte that serde_json names by line and column.
fn offset(json: &[u8], error: &serde_json::Error) -> usize {
    let lines = json.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let at = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
    // It stops behind the sign of -Infinity.
    if at > 0 && json[..at.min(json.len())].ends_with(b"-") { at - 1 } else { at }
}

/// What serde_json has against the text that goes on like this.
fn reason(rest: &[u8], error: &serde_json::Error) -> Reason {
    if NOT_FINITE.iter().any(|word| rest.starts_with(word)) {
        return Reason::NotFinite;
    }
    let message = error.to_string();
    Reason::Malformed(excerpt(message.rsplit_once(" at line ").map_or(&message, |(what, _)| what)))
}

/// What is kept while a document is read.
struct Reader<'a> {
    numbers: Numbers<'a>,
    values: usize,
    /// Why we, and not serde_json, stopped.
    refusal: Option<Reason>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(&mut self, reason: Reason) -> E {
        self.refusal = Some(reason);
        E::custom("refused")
    }

    fn number<E: serde::de::Error>(&mut self) -> Result<Value, E> {
        let literal = self.numbers.next().unwrap_or_default();
        let value = if literal.contains(['.', 'e', 'E']) {
            literal.parse().map(Value::Float).map_err(|_| Reason::malformed("not a number"))
        } else {
            Integer::from_decimal(literal).map(Value::Integer)
        };
        value.map_err(|reason| self.refuse(reason))
    }
}

/// The numbers of a JSON text as they are written, in order.
struct Numbers<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Numbers<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let mut in_string = false;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => in_string = !in_string,
                b'\\' if in_string => self.at += 1,
                b'-' | b'0'..=b'9' if !in_string => {
                    let length = bytes[self.at..].iter().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
                    let start = self.at;
                    self.at += length;
                    return self.text.get(start..self.at);
                }
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}

/// Reads one value, with so many levels around it.
struct Seed<'r, 'a> {
    reader: &'r mut Reader<'a>,
    level: usize,
}

impl Seed<'_, '_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<usize, E> {
        if self.level < MAX_NESTING { Ok(self.level + 1) } else { Err(self.reader.refuse(Reason::TooDeep)) }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.reader.values += 1;
        if self.reader.values > MAX_VALUES {
            return Err(self.reader.refuse(Reason::TooManyValues));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Value, E> {
        self.reader.number()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Value, E> {
        self.reader.number()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        self.reader.number()
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Seed { reader: self.reader, level })? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut seen = HashSet::new();
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(self.reader.refuse(Reason::KeyTwice(excerpt(&key))));
            }
            map.push((key, entries.next_value_seed(Seed { reader: self.reader, level })?));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> String {
        decode(json.as_bytes()).unwrap().to_json()
    }

    fn refusal(json: impl AsRef<[u8]>) -> Refusal {
        decode(json.as_ref()).unwrap_err()
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let json = r#"{"-1 2\"3": "4 5", "n": [0, -0, 18446744073709551616, -123456789012345678901234567890, 1.10, 1E2, 0.1]}"#;
        let expected = r#"{"-1 2\"3": "4 5", "n": [0, 0, 18446744073709551616, -123456789012345678901234567890, 1.1, 100.0, 0.1]}"#;
        assert_eq!(read(json), expected);
        let digits = "9".repeat(crate::document::MAX_DIGITS);
        assert_eq!(read(&format!(r#"{{"a": {digits}}}"#)), format!(r#"{{"a": {digits}}}"#));
        assert_eq!(refusal(format!(r#"{{"a": {digits}0}}"#)).0, Reason::TooManyDigits);
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_ends_to_be() {
        let malformed = |what: &str, at| (Reason::malformed(what), Some(at));
        assert_eq!(refusal("{\n\"a\": 1,\n x}"), malformed("key must be a string", 11));
        assert_eq!(refusal("\u{feff}{} x"), malformed("trailing characters", 6));
        assert_eq!(refusal(r#"{"a": 1e400}"#), malformed("number out of range", 10));
        assert_eq!(refusal(r#"{"a": "\ud800"}"#).0, Reason::malformed("unexpected end of hex escape"));
        assert_eq!(refusal(b"{\"a\": \"\xff\"}"), malformed("the document is not UTF-8", 7));
        assert_eq!(refusal(r#"{"a": "#).0, Reason::malformed("EOF while parsing a value"));
    }

    #[test]
    fn what_only_python_takes_for_json_is_refused() {
        for word in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(refusal(format!(r#"{{"a": {word}}}"#)), (Reason::NotFinite, Some(6)), "{word}");
        }
        assert_eq!(refusal(r#"{"a": {"k": 1, "\u006b": 2}}"#).0, Reason::KeyTwice("k".into()));
    }

    #[test]
    fn nesting_and_values_have_limits() {
        let nested = |lists| format!(r#"{{"a": {}{}}}"#, "[".repeat(lists), "]".repeat(lists));
        assert!(decode(nested(MAX_NESTING - 1).as_bytes()).is_ok());
        assert_eq!(refusal(nested(MAX_NESTING)).0, Reason::TooDeep);
        assert_eq!(refusal(nested(100_000)).0, Reason::TooDeep);
        let wide = |values| format!(r#"{{"a": [{}]}}"#, vec!["0"; values].join(","));
        assert!(decode(wide(MAX_VALUES - 2).as_bytes()).is_ok());
        assert_eq!(refusal(wide(MAX_VALUES - 1)).0, Reason::TooManyValues);
    }
}
