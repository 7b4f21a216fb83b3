//! What a chat client learns, and why its session is over.

use std::time::Duration;

use crate::channel::Close;
use crate::channel::mode::KeyMode;
use crate::client::ConnectError;
use crate::client::account::LoginError;
use crate::client::trust::Proof;
use crate::model::Visible;
use crate::model::name::{RoomName, Target, UserName};
use crate::protocol::RequestError;
use crate::protocol::chat::{Conversation, Entry, Measure};
use crate::transport::endpoint::Endpoint;

/// What has happened. All text in it is somebody else's: make control characters visible before showing it.
#[derive(Debug)]
pub enum Event {
    /// There is a session.
    Online {
        /// The account's name.
        name: UserName,
        /// Where.
        endpoint: Endpoint,
        /// In which mode.
        mode: KeyMode,
        /// Why the server is trusted.
        proof: Proof,
    },
    /// There is none, for a while.
    Down {
        /// Why; harmless to show.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A conversation of the account, or something about it is new.
    Conversation(Conversation),
    /// A room was not joined at the start.
    NotJoined {
        /// Which.
        room: RoomName,
        /// Why.
        why: RequestError,
    },
    /// Something was said. Each entry comes once, and in the order of a conversation.
    Entry {
        /// In which conversation.
        with: Target,
        /// What.
        entry: Entry,
        /// Whether it was posted with this handle.
        mine: bool,
    },
    /// Everything that was missed has come. Once in each session.
    Ready,
    /// Who has come and gone.
    Presence {
        /// Where.
        room: RoomName,
        /// Who listens now.
        joined: Vec<UserName>,
        /// Who does not any more.
        left: Vec<UserName>,
        /// How many have changed beyond those.
        more: u64,
        /// How many listen now.
        present: u64,
    },
    /// A room is about something else.
    Topic {
        /// Which.
        room: RoomName,
        /// What it is about.
        topic: String,
        /// Who says so; nobody for the server's operator.
        by: Option<UserName>,
    },
    /// The account is no member of a room any more.
    Left {
        /// Which.
        room: RoomName,
    },
    /// An operator kept order.
    Moderated {
        /// Where.
        room: RoomName,
        /// Whom.
        name: UserName,
        /// What was done.
        measure: Measure,
        /// Until when, in milliseconds since 1970 (UTC).
        until: Option<i64>,
        /// By whom; nobody for the server's operator.
        by: Option<UserName>,
        /// Why.
        reason: String,
    },
    /// The server's operator says something.
    Notice {
        /// What.
        text: String,
        /// Whether it is for this account alone.
        to_you: bool,
    },
    /// A post is durable on the server.
    Sent {
        /// Which.
        post_id: String,
        /// To whom.
        with: Target,
        /// Its number.
        seq: u64,
        /// When, in milliseconds since 1970 (UTC).
        time: i64,
    },
    /// A post has to wait; nothing that was said after it goes out before it.
    Delayed {
        /// Which.
        post_id: String,
        /// Why.
        why: RequestError,
        /// For how long.
        pause: Duration,
    },
    /// A post was not taken, and is not tried again.
    Failed {
        /// Which.
        post_id: String,
        /// To whom.
        with: Target,
        /// Why.
        why: RequestError,
    },
    /// There is no session any more, and none is tried: the last event.
    Ended(Result<(), ChatError>),
}

/// Why there is no session and will be none.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No login.
    #[error("{}", explain(.0))]
    Login(#[from] LoginError),
    /// The connection was lost in the middle of signing up.
    #[error(
        "the connection was lost while the account was made ({0}); whether it was is not known, so try to log in to it \
         before making it again"
    )]
    SignupUnclear(String),
    /// The ticket of the login is none any more.
    #[error(
        "the server does not take the earlier login any more: it has expired, or the password was changed; log in again"
    )]
    LoggedOut,
    /// The server does not let this account listen.
    #[error("the server refused: {}", Visible(&.0.message))]
    Refused(RequestError),
    /// An operator ended the session, or it broke the rules of the protocol.
    #[error("the server ended the session{}{}", if .0.text.is_empty() { "" } else { ": " }, Visible(&.0.text))]
    Removed(Close),
}

/// The error, and what to do about it.
fn explain(error: &LoginError) -> String {
    use crate::protocol::ErrorCode::{BadCredentials, UnknownService};
    if error.is(BadCredentials) {
        format!("{error}; an account that is not there yet has to be made first")
    } else if error.is(UnknownService) {
        format!("{error}; this server keeps no accounts")
    } else {
        error.to_string()
    }
}
