//! Events as JSON objects, with the field names of the protocol.

use fernwire::client::chat::{Event, Hit, Member, Room};
use fernwire::model::name::Target;
use fernwire::protocol::chat::Entry;
use jiff::Timestamp;
use serde_json::{Value, json};

/// An event; what is an answer to a command has a function of its own.
pub(super) fn event(event: &Event) -> Value {
    match event {
        Event::Online { name, endpoint, mode, proof } => json!({
            "event": "online", "name": name, "server": endpoint.to_string(), "mode": mode.name(),
            "proof": proof.to_string(),
        }),
        Event::Down { reason, retry_in } => json!({
            "event": "down", "reason": reason, "retry_in_ms": retry_in.as_millis() as u64,
        }),
        Event::Conversation(conversation) => json!({
            "event": "conversation", "with": conversation.with, "topic": conversation.topic,
            "operator": conversation.operator, "last": conversation.last, "read": conversation.read,
            "unread": conversation.unread(),
        }),
        Event::NotJoined { room, why } => json!({
            "event": "not_joined", "room": room, "code": why.code, "message": why.message,
        }),
        Event::Entry { with, entry, mine } => {
            let mut object = said("entry", with, entry);
            object["mine"] = json!(mine);
            object
        }
        Event::Ready => json!({ "event": "ready" }),
        Event::Presence { room, joined, left, more, present } => json!({
            "event": "presence", "room": room, "joined": joined, "left": left, "more": more, "present": present,
        }),
        Event::Topic { room, topic, by } => json!({ "event": "topic", "room": room, "topic": topic, "by": by }),
        Event::Left { room } => json!({ "event": "left", "room": room }),
        Event::Moderated { room, name, measure, until, by, reason } => json!({
            "event": "moderated", "room": room, "name": name, "measure": measure, "until": until.map(time), "by": by,
            "reason": reason,
        }),
        Event::Notice { text, to_you } => json!({ "event": "notice", "text": text, "to_you": to_you }),
        Event::Sent { post_id, with, seq, time: at } => json!({
            "event": "sent", "post_id": post_id, "with": with, "seq": seq, "time": time(*at),
        }),
        Event::Delayed { post_id, why, pause } => json!({
            "event": "delayed", "post_id": post_id, "code": why.code, "message": why.message,
            "retry_in_ms": pause.as_millis() as u64,
        }),
        Event::Failed { post_id, with, why } => json!({
            "event": "failed", "post_id": post_id, "with": with, "code": why.code, "message": why.message,
        }),
        Event::Ended(Ok(())) => json!({ "event": "ended" }),
        Event::Ended(Err(error)) => json!({ "event": "ended", "error": error.to_string() }),
    }
}

/// Something that was said at some other time.
pub(crate) fn history(with: &Target, entry: &Entry) -> Value {
    said("history", with, entry)
}

pub(super) fn hit(hit: &Hit) -> Value {
    let mut object = said("hit", &hit.with, &hit.entry);
    object["cursor"] = json!(hit.cursor);
    object
}

pub(super) fn member(room: &Target, member: &Member) -> Value {
    json!({
        "event": "member", "room": room, "name": member.name, "operator": member.operator, "present": member.present,
    })
}

pub(super) fn room(room: &Room) -> Value {
    json!({ "event": "room", "name": room.name, "topic": room.topic, "members": room.members })
}

pub(super) fn topic(room: &Target, topic: &str) -> Value {
    json!({ "event": "topic", "room": room, "topic": topic, "by": null })
}

fn said(event: &str, with: &Target, entry: &Entry) -> Value {
    json!({
        "event": event, "with": with, "seq": entry.seq, "time": time(entry.time), "from": entry.from,
        "style": entry.style, "text": entry.text, "post_id": entry.post_id,
    })
}

/// RFC 3339 in UTC, with milliseconds; null for a time that no calendar has.
pub(crate) fn time(millis: i64) -> Value {
    Timestamp::from_millisecond(millis).map_or(Value::Null, |time| json!(format!("{time:.3}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_with_milliseconds() {
        assert_eq!(time(1_700_049_600_007), json!("2023-11-15T12:00:00.007Z"));
        assert_eq!(time(0), json!("1970-01-01T00:00:00.000Z"));
        assert_eq!(time(i64::MAX), Value::Null);
    }
}
