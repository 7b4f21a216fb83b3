//! A server that is connected to again, and again as the same account, without asking anybody.

use fernwire::client::account::Welcome;
use fernwire::client::connector::{Connector, NotConnected};
use fernwire::client::{Client, Options};
use fernwire::protocol::account::Ticket;
use fernwire::transport::endpoint::Endpoint;

use crate::connect::Server;

/// What is needed once the first session has been made.
pub(crate) struct Again {
    endpoint: Endpoint,
    options: Options,
    /// What the last login gave.
    ticket: Option<Ticket>,
}

impl Again {
    pub(crate) fn new(server: &Server, welcome: Option<Welcome>) -> Self {
        let ticket = welcome.map(|welcome| welcome.ticket);
        Self { endpoint: server.endpoint().clone(), options: server.options().clone(), ticket }
    }
}

impl Connector for Again {
    async fn connect(&mut self) -> Result<Client, NotConnected> {
        let client = Client::connect(&self.endpoint, &self.options).await?;
        if let Some(ticket) = &self.ticket {
            self.ticket = Some(client.resume(ticket).await?.ticket);
        }
        Ok(client)
    }
}
