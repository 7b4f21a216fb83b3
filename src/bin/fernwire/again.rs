//! A server that is connected to again, and again as the same account, without asking anybody.

use std::path::PathBuf;

use fernwire::client::account::{LoginError, Welcome};
use fernwire::client::connector::{Connector, NotConnected};
use fernwire::client::{Client, Options};
use fernwire::model::name::UserName;
use fernwire::protocol::ErrorCode;
use fernwire::protocol::account::Ticket;
use fernwire::transport::endpoint::Endpoint;

use crate::account::given_password;
use crate::cli::AccountArgs;
use crate::connect::Server;

/// What is needed once the first session has been made.
pub(crate) struct Again {
    endpoint: Endpoint,
    options: Options,
    /// What the last login gave.
    ticket: Option<Ticket>,
    /// Where the password is read again, if it was not typed: a session may outlive its ticket.
    password_file: Option<PathBuf>,
    name: Option<UserName>,
}

impl Again {
    pub(crate) fn new(server: &Server, welcome: Option<Welcome>, args: &AccountArgs) -> Self {
        let (endpoint, options) = (server.endpoint().clone(), server.options().clone());
        let (name, ticket) = welcome.map(|Welcome { name, ticket, .. }| (name, ticket)).unzip();
        Self { endpoint, options, ticket, password_file: args.password_file.clone(), name }
    }

    async fn enter(&self, client: &Client, ticket: &Ticket) -> Result<Welcome, LoginError> {
        match client.resume(ticket).await {
            Err(error) if error.is(ErrorCode::BadCredentials) => {
                match (&self.name, given_password(self.password_file.as_deref())) {
                    (Some(name), Ok(Some(password))) => client.login(name, &password).await,
                    _ => Err(error),
                }
            }
            result => result,
        }
    }
}

impl Connector for Again {
    async fn connect(&mut self) -> Result<Client, NotConnected> {
        let client = Client::connect(&self.endpoint, &self.options).await?;
        if let Some(ticket) = &self.ticket {
            self.ticket = Some(self.enter(&client, ticket).await?.ticket);
        }
        Ok(client)
    }
}
