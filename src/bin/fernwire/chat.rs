//! `fernwire chat`: a full screen on a terminal, and lines everywhere else.

use std::process::ExitCode;

use anyhow::bail;
use fernwire::client::Client;
use fernwire::client::account::Welcome;
use fernwire::client::chat::{ChatOptions, Login};
use fernwire::client::reconnect::Pauses;
use fernwire::config::secrecy::shown;
use fernwire::model::name::RoomName;

mod command;
pub(crate) mod lines;
mod screen;
mod wording;

use crate::account::Account;
use crate::cli::ChatArgs;
use crate::connect::{Server, find_server};

pub(crate) fn run(args: ChatArgs) -> anyhow::Result<ExitCode> {
    let mut words = args.url.iter().cloned().collect();
    let endpoint = find_server(&args.client, &mut words)?;
    if let Some(word) = words.first() {
        bail!("`{}` is not an address, such as tcp://host:port; a room is named with --room", shown(word));
    }
    if endpoint.is_fernet() {
        bail!(
            "bare Fernet has no chat; `fernwire log 'fernet://HOST:PORT?key=FILE'` leaves messages where there is a log"
        );
    }
    let server = Server::new(&args.client, endpoint)?;
    let account = Account::needed(&args.account)?;
    // The session has a thread of its own, so that it lives on while a person or stdout keeps us waiting.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let on_full_screen = !args.plain && !args.client.json && screen::is_possible();
    let result = runtime.block_on(async {
        if on_full_screen { screen::run(server, account, args).await } else { lines::run(server, account, args).await }
    });
    // Whatever still hangs on a dead connection is not waited for.
    runtime.shutdown_background();
    result
}

/// A session that has logged in, as a chat that goes on over lost connections.
fn options(server: &Server, client: Client, welcome: Welcome, rooms: Vec<RoomName>) -> ChatOptions {
    ChatOptions {
        endpoint: server.endpoint().clone(),
        client: server.options().clone(),
        login: Login::Session { client, welcome },
        rooms,
        pauses: Pauses::default(),
        patient: true,
    }
}
