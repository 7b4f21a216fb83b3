//! Messages to bytes and back, with the limits on what is accepted.
//!
//! ```text
//! message = 0 || a JSON object (RFC 8259)        or        1 || u64 id || bulk bytes
//! ```
//! Stricter than JSON: whole numbers only, up to 2^53-1 either way; no key twice in an object; no nesting over 32.
//! Two readers who disagree about a message would otherwise be two readers of different messages (RFC 7493).

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{ClientMessage, ErrorCode, MAX_DEPTH, MAX_INTEGER, RequestError, ServerMessage};

const JSON: u8 = 0;
const BULK: u8 = 1;

/// The services of this version, for telling an unknown one from a malformed request.
const SERVICES: [&str; 5] = ["query", "account", "chat", "log", "submit"];

/// A decoded message.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a, M> {
    /// A JSON message.
    Message(M),
    /// Bytes for the stream with this id.
    Bulk {
        /// The request's id.
        id: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// Why a message was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nobody can tell what it belongs to: the session ends.
    #[error("{0}")]
    Message(String),
    /// It belongs to this request, which fails; the session goes on.
    #[error("request {id}: {error}")]
    Request {
        /// The request's id.
        id: u64,
        /// What the client is told.
        error: RequestError,
    },
}

/// The bytes of a JSON message.
pub fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    let mut bytes = vec![JSON];
    // Our message types have text keys and no failing serializers, and a Vec takes every write.
    serde_json::to_writer(&mut bytes, message).unwrap_or_else(|_| unreachable!("messages always encode"));
    bytes
}

/// The bytes of a bulk message.
pub fn encode_bulk(id: u64, bytes: &[u8]) -> Vec<u8> {
    [&[BULK], &id.to_be_bytes()[..], bytes].concat()
}

/// Reads what a client sent.
pub fn decode_client(bytes: &[u8]) -> Result<Decoded<'_, ClientMessage>, DecodeError> {
    decode(bytes, |value| {
        let id = value.get("id").and_then(Value::as_u64);
        let is_request = value.get("type").and_then(Value::as_str) == Some("request");
        let service = value.get("service").and_then(Value::as_str).map(str::to_owned);
        typed(value).map_err(|reason| match (id, service) {
            (Some(id), Some(service)) if is_request && !SERVICES.contains(&service.as_str()) => {
                let message = format!("there is no service `{service}` here; there is {}", SERVICES.join(", "));
                DecodeError::Request { id, error: RequestError::new(ErrorCode::UnknownService, message) }
            }
            (Some(id), _) if is_request => {
                DecodeError::Request { id, error: RequestError::new(ErrorCode::BadRequest, reason) }
            }
            _ => DecodeError::Message(reason),
        })
    })
}

/// Reads what a server sent.
pub fn decode_server(bytes: &[u8]) -> Result<Decoded<'_, ServerMessage>, DecodeError> {
    decode(bytes, |value| typed(value).map_err(DecodeError::Message))
}

fn decode<M>(
    bytes: &[u8],
    interpret: impl FnOnce(Value) -> Result<M, DecodeError>,
) -> Result<Decoded<'_, M>, DecodeError> {
    let malformed = |what: &str| Err(DecodeError::Message(what.to_owned()));
    match bytes.split_first() {
        Some((&JSON, json)) => {
            let value = strict_json(json).map_err(|error| DecodeError::Message(error.to_string()))?;
            if value.is_object() { interpret(value).map(Decoded::Message) } else { malformed("not a JSON object") }
        }
        Some((&BULK, rest)) => match rest.split_first_chunk() {
            Some((id, bytes)) => Ok(Decoded::Bulk { id: u64::from_be_bytes(*id), bytes }),
            None => malformed("a bulk message without its id"),
        },
        Some((kind, _)) => Err(DecodeError::Message(format!("unknown kind of message {kind}"))),
        None => malformed("an empty message"),
    }
}

fn typed<M: DeserializeOwned>(value: Value) -> Result<M, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn strict_json(json: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Strict { depth: MAX_DEPTH }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Builds a value, refusing what two readers could understand differently.
#[derive(Clone, Copy)]
struct Strict {
    /// How many levels may still open.
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with whole numbers up to 2^53-1")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value <= MAX_INTEGER { Ok(value.into()) } else { Err(E::custom("a number above 2^53-1")) }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() <= MAX_INTEGER { Ok(value.into()) } else { Err(E::custom("a number below -(2^53-1)")) }
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a number that is not a whole number up to 2^53-1"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} twice in one object")));
            }
            let value = entries.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::{QueryReply, QueryRequest};
    use super::super::{Reply, Request};
    use super::*;
    use proptest::prelude::*;

    fn client(json: &str) -> Result<ClientMessage, DecodeError> {
        let bytes = [&[JSON], json.as_bytes()].concat();
        decode_client(&bytes).map(|decoded| match decoded {
            Decoded::Message(message) => message,
            Decoded::Bulk { .. } => unreachable!(),
        })
    }

    fn refusal(json: &str) -> String {
        client(json).unwrap_err().to_string()
    }

    #[test]
    fn messages_look_as_the_specification_says() {
        let request =
            ClientMessage::Request { id: 7, request: Request::Query(QueryRequest { query: "SetA-Two".into() }) };
        let json = r#"{"type":"request","id":7,"service":"query","body":{"query":"SetA-Two"}}"#;
        assert_eq!(&encode(&request)[1..], json.as_bytes());
        assert_eq!(client(json), Ok(request));
        let reply = Reply::Query(QueryReply::Timestamp { time: "21-11-2026 08:00:01".into() });
        let json =
            r#"{"type":"reply","id":7,"service":"query","body":{"kind":"timestamp","time":"21-11-2026 08:00:01"}}"#;
        assert_eq!(&encode(&ServerMessage::Reply { id: 7, reply })[1..], json.as_bytes());
        let empty = ServerMessage::Reply { id: 7, reply: Reply::Query(QueryReply::Empty) };
        assert_eq!(&encode(&empty)[1..], br#"{"type":"reply","id":7,"service":"query","body":{"kind":"empty"}}"#);
        let error = RequestError::new(ErrorCode::TooManyRequests, "x");
        let json = r#"{"type":"error","id":7,"code":"too_many_requests","message":"x"}"#;
        assert_eq!(&encode(&ServerMessage::Error { id: 7, error })[1..], json.as_bytes());
    }

    #[test]
    fn requests_of_every_service_look_as_the_specification_says() {
        for body in [
            r#"account","body":{"verb":"login","name":"ada","password":"Correct-1"}"#,
            r#"account","body":{"verb":"resume","ticket":"x"}"#,
            r##"chat","body":{"verb":"listen","resume":[{"with":"#lobby","seq":7}]}"##,
            r##"chat","body":{"verb":"post","to":"bob","post_id":"p1","style":"action","text":"waves"}"##,
            r##"chat","body":{"verb":"history","with":"#lobby","before":7,"limit":50}"##,
            r#"chat","body":{"verb":"conversations"}"#,
            r##"chat","body":{"verb":"moderate","room":"#lobby","name":"bob","measure":"ban","seconds":60,"address":false}"##,
            r#"log","body":{"verb":"append","stream":"s","number":1,"texts":["x","y"]}"#,
            r#"log","body":{"verb":"listen"}"#,
            r#"submit","body":{"id":"s1","format":"binary","length":7}"#,
            r#"submit","body":{"id":"s1","length":0}"#,
        ] {
            let json = format!(r#"{{"type":"request","id":7,"service":"{body}}}"#);
            let message = client(&json).unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(String::from_utf8(encode(&message)[1..].to_vec()).unwrap(), json);
        }
        assert!(
            refusal(
                r#"{"type":"request","id":7,"service":"account","body":{"verb":"login","name":"a b","password":""}}"#
            )
            .contains("a name is made of")
        );
        for secret in [r#"login","name":"ada","password":12345678"#, r#"resume","ticket":12345678"#] {
            let said =
                refusal(&format!(r#"{{"type":"request","id":7,"service":"account","body":{{"verb":"{secret}}}}}"#));
            assert!(said.contains("is a text") && !said.contains("12345678"), "{said}");
        }
        let entry = r##"{"type":"reply","id":7,"service":"chat","body":{"kind":"entry","with":"#lobby","seq":1,"time":1763712000000,"from":"ada","style":"text","text":"hi","post_id":"p1"}}"##;
        let Ok(Decoded::Message(message)) = decode_server(&[&[JSON], entry.as_bytes()].concat()) else { panic!() };
        assert_eq!(&encode(&message)[1..], entry.as_bytes());
        let later = r#"{"type":"reply","id":7,"service":"chat","body":{"kind":"fireworks","size":3}}"#;
        let Ok(Decoded::Message(ServerMessage::Reply { reply, .. })) =
            decode_server(&[&[JSON], later.as_bytes()].concat())
        else {
            panic!()
        };
        assert_eq!(reply, Reply::Chat(crate::protocol::chat::ChatReply::Other));
    }

    #[test]
    fn unknown_fields_are_ignored_and_unknown_codes_understood() {
        assert_eq!(client(r#"{"new":[1,{}],"type":"cancel","id":1}"#), Ok(ClientMessage::Cancel { id: 1 }));
        let later = [&[JSON], &br#"{"type":"error","id":1,"code":"moon_phase","message":""}"#[..]].concat();
        let Ok(Decoded::Message(ServerMessage::Error { error, .. })) = decode_server(&later) else { panic!() };
        assert_eq!(error.code, ErrorCode::Other);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert!(refusal(r#"{"type":"cancel","id":1,"id":2}"#).contains("twice"));
        assert!(refusal(r#"{"type":"cancel","id":1,"x":{"a":1,"a":1}}"#).contains("twice"));
        assert!(refusal(r#"{"type":"cancel","id":1.0}"#).contains("not a whole number"));
        assert!(refusal(r#"{"type":"cancel","id":1,"x":NaN}"#).contains("expected"));
        assert!(refusal(r#"{"type":"cancel","id":9007199254740992}"#).contains("above 2^53-1"));
        assert!(refusal(r#"{"type":"cancel","id":1,"x":-9007199254740992}"#).contains("below"));
        assert!(refusal(r#"{"type":"cancel","id":1} {}"#).contains("trailing"));
        assert!(refusal("[1]").contains("not a JSON object"));
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested =
            |levels: usize| format!(r#"{{"type":"cancel","id":1,"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(client(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(refusal(&nested(MAX_DEPTH)).contains("deeper than 32"));
        assert!(refusal(&nested(100_000)).contains("deeper than 32"));
    }

    #[test]
    fn a_bad_request_fails_alone() {
        let code = |json| match client(json) {
            Err(DecodeError::Request { id: 3, error }) => error.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(r#"{"type":"request","id":3,"service":"weather","body":{}}"#), ErrorCode::UnknownService);
        assert_eq!(code(r#"{"type":"request","id":3,"service":"query","body":{}}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"type":"request","id":3}"#), ErrorCode::BadRequest);
        assert!(matches!(client(r#"{"type":"request","id":"3"}"#), Err(DecodeError::Message(_))));
        assert!(matches!(client(r#"{"type":"dance","id":3}"#), Err(DecodeError::Message(_))));
    }

    #[test]
    fn bulk_messages_keep_their_bytes() {
        let bytes = encode_bulk(9, b"\0\xff");
        assert_eq!(decode_client(&bytes), Ok(Decoded::Bulk { id: 9, bytes: b"\0\xff" }));
        assert!(decode_client(&bytes[..8]).is_err());
        assert!(decode_client(&[]).is_err());
        assert!(decode_client(&[2]).is_err());
    }

    fn any_client_message() -> impl Strategy<Value = ClientMessage> {
        let id = 0..=MAX_INTEGER;
        prop_oneof![
            (id.clone(), any::<String>())
                .prop_map(|(id, query)| ClientMessage::Request { id, request: Request::Query(QueryRequest { query }) }),
            id.clone().prop_map(|id| ClientMessage::Cancel { id }),
            (id.clone(), id).prop_map(|(id, bytes)| ClientMessage::Credit { id, bytes }),
        ]
    }

    fn any_server_message() -> impl Strategy<Value = ServerMessage> {
        let id = 0..=MAX_INTEGER;
        prop_oneof![
            (id.clone(), any::<String>()).prop_map(|(id, time)| ServerMessage::Reply {
                id,
                reply: Reply::Query(QueryReply::Timestamp { time })
            }),
            id.clone().prop_map(|id| ServerMessage::Reply { id, reply: Reply::Query(QueryReply::Empty) }),
            id.clone().prop_map(|id| ServerMessage::End { id }),
            id.clone().prop_map(|id| ServerMessage::Cancelled { id }),
            (id, any::<String>()).prop_map(|(id, message)| ServerMessage::Error {
                id,
                error: RequestError::new(ErrorCode::ShuttingDown, message)
            }),
        ]
    }

    proptest! {
        #[test]
        fn client_messages_survive_the_wire(message in any_client_message()) {
            let bytes = encode(&message);
            prop_assert_eq!(decode_client(&bytes), Ok(Decoded::Message(message)));
        }

        #[test]
        fn server_messages_survive_the_wire(message in any_server_message()) {
            let bytes = encode(&message);
            prop_assert_eq!(decode_server(&bytes), Ok(Decoded::Message(message)));
        }

        #[test]
        fn no_bytes_can_make_decoding_panic(bytes: Vec<u8>, json in r#"[\[\]{}":,0-9a-z.eE+-]{0,60}"#) {
            let _ = decode_client(&bytes);
            let _ = decode_server(&[&[JSON], json.as_bytes()].concat());
        }
    }
}
