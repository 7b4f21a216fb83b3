//! People with accounts: they talk, go, and find what they missed, whichever way they come.

use fernwire::channel::mode::KeyMode;
use fernwire::client::account::LoginError;
use fernwire::client::chat::{Chat, ChatOptions, Event, Events, Login, Page};
use fernwire::client::reconnect::Pauses;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::model::password::Password;
use fernwire::protocol::ErrorCode;
use fernwire::protocol::chat::{MAX_TEXT, Style};

use crate::common::{Bed, DEADLINE};

const PASSWORD: &str = "Correct-1-horse";

/// Somebody in the chat.
struct Person {
    chat: Chat,
    events: Events,
}

impl Person {
    async fn comes(bed: &Bed, name: &str, is_new: bool) -> Self {
        let (name, password) = (user(name), Password::new(PASSWORD));
        let login = if is_new { Login::Signup { name, password } } else { Login::Password { name, password } };
        let options = ChatOptions {
            endpoint: bed.pinned(&bed.endpoint),
            client: bed.client_options(),
            login,
            rooms: vec![room()],
            pauses: Pauses::default(),
            patient: false,
        };
        let (chat, events) = Chat::start(options).unwrap();
        Self { chat, events }
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(DEADLINE, self.events.next()).await.unwrap().unwrap()
    }

    /// What somebody else says next.
    async fn hears(&mut self) -> String {
        loop {
            match self.next().await {
                Event::Entry { with, entry, mine: false } => return format!("{with} {}: {}", entry.from, entry.text),
                Event::Ended(result) => panic!("{result:?}"),
                _ => {}
            }
        }
    }

    /// What others have said, up to where everything missed has come.
    async fn missed(&mut self) -> Vec<String> {
        let mut missed = Vec::new();
        loop {
            match self.next().await {
                Event::Entry { with, entry, mine: false } => {
                    missed.push(format!("{with} {}: {}", entry.from, entry.text))
                }
                Event::Ready => return missed,
                Event::Ended(result) => panic!("{result:?}"),
                _ => {}
            }
        }
    }

    /// Says something, and comes back when it is durable.
    async fn says(&mut self, to: &str, text: &str) -> u64 {
        let id = self.chat.post(&target(to), Style::Text, text).await.unwrap();
        loop {
            match self.next().await {
                Event::Sent { post_id, seq, .. } if post_id == id => return seq,
                Event::Failed { why, .. } => panic!("{why}"),
                Event::Ended(result) => panic!("{result:?}"),
                _ => {}
            }
        }
    }

    async fn goes(mut self) {
        self.chat.quit();
        loop {
            if let Event::Ended(result) = self.next().await {
                return result.unwrap();
            }
        }
    }
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

fn room() -> RoomName {
    "#den".parse().unwrap()
}

pub(crate) async fn people_talk_and_find_what_they_missed_after_a_restart(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let mut ada = Person::comes(&bed, "ada", true).await;
    let mut bob = Person::comes(&bed, "bob", true).await;
    assert!(ada.missed().await.is_empty() && bob.missed().await.is_empty());
    ada.says("#den", "hello").await;
    assert_eq!(bob.hears().await, "#den ada: hello");
    bob.says("#den", "good morning").await;
    assert_eq!(ada.hears().await, "#den bob: good morning");
    ada.says("bob", "between us").await;
    assert_eq!(bob.hears().await, "ada ada: between us");
    for (person, with) in [(&bob, "#den"), (&bob, "ada")] {
        person.chat.mark_read(&target(with), 100);
    }
    bob.goes().await;
    ada.says("#den", "while you were away").await;
    ada.says("BOB", "and this").await;
    ada.goes().await;

    let bed = bed.restart().await;
    let mut bob = Person::comes(&bed, "bob", false).await;
    let mut missed = bob.missed().await;
    missed.sort();
    assert_eq!(missed, ["#den ada: while you were away", "ada ada: and this"]);
    let hits = bob.chat.search("away whi", None, None, 10).await.unwrap();
    assert_eq!(hits.iter().map(|hit| hit.entry.text.as_str()).collect::<Vec<_>>(), ["while you were away"]);
    let history = bob.chat.history(&target("#den"), Page::Last, 10).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
    bob.goes().await;
    bed.stop().await;
}

pub(crate) async fn a_long_text_goes_both_ways_after_a_login(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let mut ada = Person::comes(&bed, "ada", true).await;
    let mut bob = Person::comes(&bed, "bob", true).await;
    assert!(ada.missed().await.is_empty() && bob.missed().await.is_empty());
    // Far beyond what a session may say that has proven nothing, and six times as long in JSON.
    let text = "\u{1}".repeat(MAX_TEXT);
    ada.says("#den", &text).await;
    assert_eq!(bob.hears().await, format!("#den ada: {text}"));
    ada.goes().await;
    bob.goes().await;
    bed.stop().await;
}

pub(crate) async fn an_account_is_its_owners(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    let refused = |error: LoginError, code| assert!(error.is(code), "{error}");
    let (good, weak) = (Password::new(PASSWORD), Password::new("weak"));
    refused(client.login(&user("ada"), &good).await.unwrap_err(), ErrorCode::BadCredentials);
    refused(client.signup(&user("ada"), &weak).await.unwrap_err(), ErrorCode::BadRequest);
    let welcome = client.signup(&user("ada"), &good).await.unwrap();
    // A session stays whose it is.
    refused(client.signup(&user("bob"), &good).await.unwrap_err(), ErrorCode::BadRequest);
    client.close().await.unwrap();

    let client = bed.client().await;
    refused(client.signup(&user("ADA"), &good).await.unwrap_err(), ErrorCode::NameTaken);
    refused(
        client.login(&user("ada"), &Password::new("Correct-2-horse")).await.unwrap_err(),
        ErrorCode::BadCredentials,
    );
    assert_eq!(client.login(&user("aDa"), &good).await.unwrap().name.as_str(), "ada");
    client.close().await.unwrap();

    let bed = bed.restart().await;
    let client = bed.client().await;
    assert_eq!(client.resume(&welcome.ticket).await.unwrap().name.as_str(), "ada");
    client.close().await.unwrap();
    bed.stop().await;
}
