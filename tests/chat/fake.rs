//! A server that does what its script says.

use fernwire::channel::handshake::Policy;
use fernwire::channel::mode::{KeyMode, KeyModes};
use fernwire::channel::{self, Channel, CloseReason, Settings};
use fernwire::client::Options;
use fernwire::config::Kex;
use fernwire::keys::{IdentityKey, SecretKey};
use fernwire::protocol::account::{AccountReply, Ticket};
use fernwire::protocol::chat::{ChatReply, ChatRequest, Conversation, Entry, Style};
use fernwire::protocol::codec::{Decoded, decode_client, encode};
use fernwire::protocol::{ClientMessage, Reply, Request, RequestError, ServerMessage};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::{ByteStream, Listener};
use tokio::time::timeout;

use crate::common::{DEADLINE, fresh_endpoint, listen};

pub(crate) struct Fake {
    listener: Box<dyn Listener>,
    policy: Policy,
    pub(crate) identity: IdentityKey,
    secret_key: SecretKey,
    modes: KeyModes,
}

impl Fake {
    pub(crate) async fn new(mode: KeyMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = listen(&fresh_endpoint("memory", &folder), &folder).await;
        let (identity, secret_key) = (IdentityKey::generate().unwrap(), SecretKey::generate());
        let modes: KeyModes = [mode].into_iter().collect();
        let policy = Policy::new(modes, Some(identity.clone()), Some(secret_key.clone())).unwrap();
        Self { listener, policy, identity, secret_key, modes }
    }

    /// Its address, with nothing that proves it.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.listener.local().clone()
    }

    pub(crate) fn pinned(&self) -> Endpoint {
        self.endpoint().with_identity(self.identity.public())
    }

    /// Options that fit it and trust nothing.
    pub(crate) fn options(&self) -> Options {
        let secret_key = self.modes.need_secret().then(|| self.secret_key.clone());
        Options { kex: Kex::Modes(self.modes), secret_key, ..Options::default() }
    }

    /// The next connection, up to where the client says something.
    pub(crate) async fn accept(&mut self) -> Session {
        let conn = timeout(DEADLINE, self.listener.accept()).await.unwrap().unwrap().upgrade.await.unwrap();
        let channel = channel::accept(conn.io, self.policy.clone(), Settings::default()).await.unwrap();
        Session { channel }
    }
}

pub(crate) struct Session {
    channel: Channel<Box<dyn ByteStream>>,
}

impl Session {
    /// The next request, with its id; `None` if the client says goodbye.
    pub(crate) async fn next(&mut self) -> Option<(u64, Request)> {
        loop {
            let message = timeout(DEADLINE, self.channel.recv()).await.expect("a request is overdue").unwrap()?;
            match decode_client(message).unwrap() {
                Decoded::Message(ClientMessage::Request { id, request }) => return Some((id, request)),
                Decoded::Message(_) => {}
                Decoded::Bulk { .. } => panic!("{message:?}"),
            }
        }
    }

    pub(crate) async fn chat(&mut self) -> (u64, ChatRequest) {
        match self.next().await {
            Some((id, Request::Chat(request))) => (id, request),
            other => panic!("{other:?}"),
        }
    }

    /// Takes a login, whatever it is.
    pub(crate) async fn welcome(&mut self) -> Request {
        let (id, request) = self.next().await.unwrap();
        self.send(ServerMessage::Reply { id, reply: Reply::Account(welcome()) }).await;
        self.end(id).await;
        request
    }

    /// The id of the request to listen, and what it resumes.
    pub(crate) async fn listens(&mut self) -> (u64, Vec<(String, u64)>) {
        match self.chat().await {
            (id, ChatRequest::Listen { resume }) => {
                (id, resume.into_iter().map(|position| (position.with.to_string(), position.seq)).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next request, which must be a post: its id, the post's, and its text.
    pub(crate) async fn post(&mut self) -> (u64, String, String) {
        match self.chat().await {
            (id, ChatRequest::Post { post_id, text, .. }) => (id, post_id, text),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn posted(&mut self, id: u64, seq: u64) {
        self.reply(id, ChatReply::Posted { seq, time: 0 }).await;
        self.end(id).await;
    }

    pub(crate) async fn reply(&mut self, id: u64, reply: ChatReply) {
        self.send(ServerMessage::Reply { id, reply: Reply::Chat(reply) }).await;
    }

    pub(crate) async fn end(&mut self, id: u64) {
        self.send(ServerMessage::End { id }).await;
    }

    pub(crate) async fn fails(&mut self, id: u64, error: RequestError) {
        self.send(ServerMessage::Error { id, error }).await;
    }

    /// Answers what was asked of the chat as another service.
    pub(crate) async fn nonsense(&mut self, id: u64) {
        self.send(ServerMessage::Reply { id, reply: Reply::Account(welcome()) }).await;
        self.end(id).await;
    }

    async fn send(&mut self, message: ServerMessage) {
        self.channel.send(&encode(&message)).await.unwrap();
    }

    /// Answers pings and nothing else, until the client leaves.
    pub(crate) async fn says_nothing(mut self) {
        while matches!(self.channel.recv().await, Ok(Some(_))) {}
    }

    pub(crate) async fn close(self, reason: CloseReason, text: &str) {
        self.channel.close(reason, text).await.unwrap();
    }
}

fn welcome() -> AccountReply {
    AccountReply::Welcome { name: "ada".parse().unwrap(), ticket: Ticket::new("ticket"), seconds: 60 }
}

pub(crate) fn conversation(with: &str, last: u64, read: u64) -> ChatReply {
    let with = with.parse().unwrap();
    ChatReply::Conversation(Conversation { with, topic: String::new(), operator: false, last, read })
}

pub(crate) fn entry(with: &str, seq: u64) -> ChatReply {
    let entry = Entry {
        seq,
        time: 0,
        from: "bob".parse().unwrap(),
        style: Style::Text,
        text: format!("text {seq}"),
        post_id: format!("p{seq}"),
    };
    ChatReply::Entry { with: with.parse().unwrap(), entry }
}
