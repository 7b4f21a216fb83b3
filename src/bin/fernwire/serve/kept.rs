//! The services that keep what clients send, with their files.

use std::path::Path;

use fernwire::config::server::ServerConfig;
use fernwire::service::journal::{Journal, JournalError, Place};
use fernwire::service::log::{Log, LogRows};
use fernwire::service::shown::Screen;
use fernwire::service::submit::{SubmissionRows, Submit};
use fernwire::store::Store;

/// The message log and data submission, as far as they are offered.
pub(crate) async fn services(
    config: &ServerConfig,
    data: &Path,
    store: &Store,
    screen: &Screen,
) -> Result<(Option<Log>, Option<Submit>), JournalError> {
    let log = match &config.log_service {
        Some(log) => {
            let journal = Journal::open(below(data, &log.file), LogRows(store.clone())).await?;
            Some(Log::new(store.clone(), journal, screen.clone(), log.access))
        }
        None => None,
    };
    let submit = match &config.submit {
        Some(submit) => {
            let journal = match &submit.file {
                Some(file) => Some(Journal::open(below(data, file), SubmissionRows(store.clone())).await?),
                None => None,
            };
            let screen = submit.print.then(|| screen.clone());
            Some(Submit::new(store.clone(), journal, screen, submit.access))
        }
        None => None,
    };
    Ok((log, submit))
}

/// The place, which is in the data directory if it is relative.
fn below(data: &Path, place: &Place) -> Place {
    Place { path: data.join(&place.path), ..place.clone() }
}
