//! The way in: connects, asks whether the server is the right one, and makes the session somebody's.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use anyhow::anyhow;
use fernwire::channel::{CloseReason, DRAIN_TIMEOUT};
use fernwire::client::account::{LoginError, Welcome};
use fernwire::client::reconnect::{Backoff, Pauses};
use fernwire::client::trust::TrustError;
use fernwire::client::{CallError, Client, ConnectError};
use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;
use tokio::time::{Instant, timeout};

mod person;

use super::form::account::facts::Facts;
use super::form::account::{AccountForm, Entry};
use super::form::calling::Calling;
use super::form::panel::Drawn;
use super::form::question::Question;
use super::stage::Stage;
use super::stage::input::Inputs;
use super::stage::signals::Signals;
use super::theme::Theme;
use crate::account::{Account, explained};
use crate::connect::Server;
use person::{Person, Turn};

/// A person who came in.
pub(super) struct Entered {
    pub(super) client: Client,
    pub(super) welcome: Welcome,
    /// When something was typed last that the form had no use for: what follows without a pause is not for the chat,
    /// since it may be the rest of a password.
    pub(super) typed_ahead: Option<Instant>,
}

/// Lets a person in: none if he left.
pub(super) async fn enter(
    stage: &mut Stage,
    inputs: &mut Inputs,
    signals: &mut Signals,
    server: &Server,
    account: Account,
    theme: &Theme,
) -> anyhow::Result<Option<Entered>> {
    let person = Person { stage, inputs, signals, theme, drawn: Drawn::default(), typed_ahead: None, typed: None };
    let mut door = Door { person, server, confirmed: None, client: None, was_connected: false };
    let entered = door.open(&account).await;
    match (entered, door.client.take()) {
        (Ok(welcome), client) => {
            let typed_ahead = door.person.typed_ahead;
            Ok(client.map(|client| Entered { client, welcome, typed_ahead }))
        }
        (Err(parting), client) => {
            if let Some(client) = client {
                // The server should know that it was not cut off; whether it hears it changes nothing here.
                let _ = timeout(DRAIN_TIMEOUT, client.close()).await;
            }
            match parting {
                Parting::Left => Ok(None),
                Parting::Failed(error) => Err(error),
            }
        }
    }
}

/// Why nobody comes in.
enum Parting {
    /// The person left, or the terminal is gone.
    Left,
    /// Nothing that the person can do here helps.
    Failed(anyhow::Error),
}

impl From<io::Error> for Parting {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<anyhow::Error> for Parting {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

struct Door<'a> {
    person: Person<'a>,
    server: &'a Server,
    /// The identity that the person has confirmed.
    confirmed: Option<PublicIdentity>,
    /// The session, as long as it is known to be good.
    client: Option<Client>,
    /// There was a session before.
    was_connected: bool,
}

impl Door<'_> {
    async fn open(&mut self, account: &Account) -> Result<Welcome, Parting> {
        let facts = self.connect().await?;
        match (account.name(), account.password()) {
            (Some(name), Some(password)) => {
                let entry = Entry { is_new: account.is_new(), name: name.clone(), password: password.clone() };
                let mut form = Calling::entering(self.server.endpoint(), entry.is_new);
                match self.person.attend(&mut form, ask(self.client.as_ref(), &entry)).await? {
                    Turn::Done(result) => result.map_err(|error| anyhow!(explained(&error)).into()),
                    Turn::Decided(_) => Err(Parting::Left),
                }
            }
            (name, password) => {
                let mut form = AccountForm::new(facts, name, password, account.is_new());
                self.fill_in(&mut form).await
            }
        }
    }

    /// Connects, however often it must be tried, to a server that may be told a password.
    async fn connect(&mut self) -> Result<Facts, Parting> {
        let endpoint = self.server.endpoint();
        let mut form = Calling::new(endpoint);
        if self.was_connected {
            form.fails("the connection was lost".to_owned());
        }
        let mut backoff = Backoff::new(Pauses::default());
        loop {
            form.tries();
            let Turn::Done(dialled) = self.person.attend(&mut form, dial(self.server, self.confirmed)).await? else {
                continue;
            };
            match dialled {
                Ok(client) => {
                    let facts = Facts::of(&client, endpoint, self.confirmed.is_some());
                    let may_have_secrets = client.may_have_secrets();
                    (self.client, self.was_connected) = (Some(client), true);
                    may_have_secrets.map_err(anyhow::Error::from)?;
                    return Ok(facts);
                }
                Err(ConnectError::Trust(TrustError::Unknown { endpoint, identity })) => {
                    self.confirm(endpoint, identity).await?;
                }
                Err(error) => {
                    form.fails(error.to_string());
                    // Either way it is tried again: at the end of the pause, or when the person says so.
                    if error.may_pass() {
                        self.person.count_down(&mut form, backoff.lost(), Calling::waits).await?;
                    } else {
                        self.person.attend(&mut form, pending::<Infallible>()).await?;
                    }
                }
            }
        }
    }

    /// Asks whether the server is the right one.
    async fn confirm(&mut self, endpoint: Endpoint, identity: PublicIdentity) -> Result<(), Parting> {
        let mut form = Question::new(endpoint, identity);
        match self.person.attend(&mut form, pending::<Infallible>()).await? {
            Turn::Decided(answer) => answer.map_err(anyhow::Error::from)?,
            Turn::Done(never) => match never {},
        }
        self.confirmed = Some(identity);
        Ok(())
    }

    /// Shows the form for an account until the server has taken what is in it.
    async fn fill_in(&mut self, form: &mut AccountForm) -> Result<Welcome, Parting> {
        let mut wait = Duration::ZERO;
        loop {
            let entry = match self.person.count_down(form, wait, AccountForm::waits).await? {
                Turn::Decided(entry) => entry,
                Turn::Done(()) => match self.person.attend(form, pending::<Infallible>()).await? {
                    Turn::Decided(entry) => entry,
                    Turn::Done(never) => match never {},
                },
            };
            wait = match self.submit(form, &entry).await? {
                Ok(welcome) => return Ok(welcome),
                Err(error) => form.is_refused(&error),
            };
        }
    }

    /// Asks the server; once again over another connection if the first was lost, and nothing can have come of it.
    async fn submit(&mut self, form: &mut AccountForm, entry: &Entry) -> Result<Result<Welcome, LoginError>, Parting> {
        let mut tries = 0;
        loop {
            let is_good = self.client.as_ref().is_some_and(|client| !client.is_closed());
            if !is_good {
                let facts = self.connect().await?;
                form.meets(facts);
            }
            tries += 1;
            form.asks(entry.is_new, !is_good);
            let Turn::Done(result) = self.person.attend(form, ask(self.client.as_ref(), entry)).await? else {
                continue;
            };
            match result {
                Err(LoginError::Call(error)) if !matches!(error, CallError::Request(_)) => {
                    self.client = None;
                    if tries > 1 || entry.is_new || !may_pass(&error) {
                        return Ok(Err(error.into()));
                    }
                }
                Err(error @ LoginError::Unproven(_)) => return Err(anyhow::Error::from(error).into()),
                result => return Ok(result),
            }
        }
    }
}

/// Whether another session may not end as this one did.
fn may_pass(error: &CallError) -> bool {
    !matches!(error, CallError::Closed(close) if matches!(close.reason, CloseReason::Removed | CloseReason::ProtocolError))
}

async fn dial(server: &Server, confirmed: Option<PublicIdentity>) -> Result<Client, ConnectError> {
    match confirmed {
        Some(identity) => server.dial_trusted(identity).await,
        None => server.dial().await,
    }
}

async fn ask(client: Option<&Client>, entry: &Entry) -> Result<Welcome, LoginError> {
    let client = client.ok_or(CallError::Cancelled)?;
    if entry.is_new {
        client.signup(&entry.name, &entry.password).await
    } else {
        client.login(&entry.name, &entry.password).await
    }
}
