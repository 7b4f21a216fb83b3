//! A real server that can be stopped and started again where it was, and people who talk on it.

use std::time::Duration;

use fernwire::channel::Settings;
use fernwire::channel::handshake::Policy;
use fernwire::channel::mode::KeyMode;
use fernwire::client::Options;
use fernwire::client::chat::{Chat, ChatOptions, Event, Events, Login};
use fernwire::client::reconnect::Pauses;
use fernwire::config::{Kex, Limits};
use fernwire::keys::IdentityKey;
use fernwire::model::name::{LOBBY, Target};
use fernwire::model::password::Password;
use fernwire::protocol::chat::Style;
use fernwire::server::Server;
use fernwire::service::Services;
use fernwire::service::accounts::Accounts;
use fernwire::store::Store;
use fernwire::transport::endpoint::Endpoint;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::common::{DEADLINE, fresh_endpoint, listen};

/// The cost of password hashes here, where nobody tries to break them.
const CHEAP: u32 = 4;

/// Somebody's password, whoever it is.
const PASSWORD: &str = "Correct-1-horse";

/// A folder with a server's state, and the server while it runs.
pub(crate) struct Place {
    folder: TempDir,
    endpoint: Endpoint,
    identity: IdentityKey,
    running: Option<(Store, oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Place {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = fresh_endpoint("memory", &folder);
        let mut place = Self { folder, endpoint, identity: IdentityKey::generate().unwrap(), running: None };
        place.start().await;
        place
    }

    pub(crate) async fn start(&mut self) {
        let listener = listen(&self.endpoint, &self.folder).await;
        let policy = Policy::new([KeyMode::X25519].into_iter().collect(), Some(self.identity.clone()), None).unwrap();
        let (store, feed) = Store::open(self.folder.path()).unwrap();
        let services = Services {
            accounts: Some(Accounts::new(store.clone(), CHEAP)),
            chat: Some(fernwire::service::chat::Chat::new(store.clone(), feed)),
            ..Services::default()
        };
        let server = Server::new(policy, services, Limits::default(), Settings::default());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(vec![listener.into()], async { drop(stopped.await) }));
        self.running = Some((store, stop, running));
    }

    /// Stops the server in order, and everything of it.
    pub(crate) async fn stop(&mut self) {
        let (store, stop, running) = self.running.take().unwrap();
        stop.send(()).unwrap();
        timeout(DEADLINE, running).await.unwrap().unwrap();
        timeout(DEADLINE, store.close()).await.unwrap();
    }

    pub(crate) fn store(&self) -> &Store {
        &self.running.as_ref().unwrap().0
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Somebody new, in the lobby.
    pub(crate) async fn signup(&self, name: &str) -> Person {
        let login = Login::Signup { name: name.parse().unwrap(), password: Password::new(PASSWORD) };
        Person::enter(self.options(login)).await
    }

    /// Somebody who was there before.
    pub(crate) async fn login(&self, name: &str) -> Person {
        let login = Login::Password { name: name.parse().unwrap(), password: Password::new(PASSWORD) };
        Person::enter(self.options(login)).await
    }

    pub(crate) fn options(&self, login: Login) -> ChatOptions {
        self.options_at(&self.endpoint, login)
    }

    /// The same over a relay.
    pub(crate) fn options_at(&self, endpoint: &Endpoint, login: Login) -> ChatOptions {
        ChatOptions {
            endpoint: endpoint.with_identity(self.identity.public()),
            client: Options { kex: Kex::Modes([KeyMode::X25519].into_iter().collect()), ..Options::default() },
            login,
            rooms: vec![LOBBY.parse().unwrap()],
            pauses: quick(),
            patient: false,
        }
    }

    pub(crate) fn new_account(name: &str) -> Login {
        Login::Signup { name: name.parse().unwrap(), password: Password::new(PASSWORD) }
    }
}

/// Pauses that do not make tests wait.
pub(crate) fn quick() -> Pauses {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(20));
    Pauses { first, longest, ..Pauses::default() }
}

/// Somebody who talks, and what they see.
pub(crate) struct Person {
    pub(crate) chat: Chat,
    events: Events,
    /// What was said, as `with seq from: text`, in the order in which it came.
    pub(crate) screen: Vec<String>,
    /// What became of posts: their ids.
    pub(crate) sent: Vec<String>,
}

impl Person {
    pub(crate) async fn enter(options: ChatOptions) -> Self {
        let mut person = Self::begin(options);
        person.until(|event| matches!(event, Event::Ready)).await;
        person
    }

    pub(crate) fn begin(options: ChatOptions) -> Self {
        let (chat, events) = Chat::start(options).unwrap();
        Self { chat, events, screen: Vec::new(), sent: Vec::new() }
    }

    pub(crate) async fn next(&mut self) -> Event {
        self.next_within(DEADLINE).await
    }

    /// The next event, for which a paused clock may have to go far.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Event {
        let event = timeout(time, self.events.next()).await.expect("an event is overdue").expect("it has ended");
        match &event {
            Event::Entry { with, entry, .. } => {
                self.screen.push(format!("{with} {} {}: {}", entry.seq, entry.from, entry.text));
            }
            Event::Sent { post_id, .. } => {
                assert!(!self.sent.contains(post_id), "{post_id} is sent twice");
                self.sent.push(post_id.clone());
            }
            _ => {}
        }
        event
    }

    /// Waits for an event of this kind.
    pub(crate) async fn until(&mut self, enough: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().await;
            if enough(&event) {
                return event;
            }
            assert!(!matches!(event, Event::Ended(_)), "{event:?}");
        }
    }

    /// Waits until so much was said.
    pub(crate) async fn sees(&mut self, entries: usize) {
        while self.screen.len() < entries {
            let event = self.next().await;
            assert!(!matches!(event, Event::Ended(_) | Event::Failed { .. }), "{event:?}");
        }
    }

    pub(crate) async fn says(&self, to: &str, text: &str) -> String {
        let to: Target = to.parse().unwrap();
        self.chat.post(&to, Style::Text, text).await.unwrap()
    }

    /// Leaves in order; everything that was posted is settled.
    pub(crate) async fn leaves(mut self) -> Self {
        self.chat.quit();
        let ended = loop {
            if let Event::Ended(result) = self.next().await {
                break result;
            }
        };
        ended.unwrap_or_else(|error| panic!("{error}"));
        self
    }
}
