//! What the screen wants done, and what comes of it: all that it knows of the world.

use fernwire::client::chat::{AskError, Hit, Member, Moderation, Page, PostError, Room};
use fernwire::model::name::{RoomName, Target};
use fernwire::protocol::chat::{Conversation, Entry, Style};

/// Something that the screen itself cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Answered at once, by [`Answer::Posted`].
    Post {
        number: u32,
        to: Target,
        style: Style,
        text: String,
    },
    Join(RoomName),
    Leave(RoomName),
    Load {
        with: Target,
        page: Page,
        limit: u32,
    },
    Search {
        words: String,
        before: Option<u64>,
    },
    Names(RoomName),
    Rooms,
    Topic {
        room: RoomName,
        topic: String,
    },
    Moderate(Moderation),
    /// Not answered, as all that follow.
    Read(Target, u64),
    /// Connect now, and not when the pause is over.
    TryNow,
    Bell,
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    Suspend,
    /// Leave when everything is settled.
    Quit,
    /// Leave at once.
    QuitNow,
}

/// What came of a wish.
#[derive(Debug)]
pub(super) enum Answer {
    Posted {
        number: u32,
        to: Target,
        result: Result<String, PostError>,
    },
    Joined {
        room: RoomName,
        result: Result<Conversation, AskError>,
    },
    Left {
        room: RoomName,
        result: Result<(), AskError>,
    },
    Loaded {
        with: Target,
        page: Page,
        result: Result<Vec<Entry>, AskError>,
    },
    Hits {
        words: String,
        before: Option<u64>,
        result: Result<Vec<Hit>, AskError>,
    },
    Names {
        room: RoomName,
        result: Result<Vec<Member>, AskError>,
    },
    Rooms(Result<Vec<Room>, AskError>),
    /// A change of the room, which its events tell of.
    Done(Result<(), AskError>),
}
