//! Data submission: a document is read as data, kept, and shown or written to a file for people and their tools.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::access::Access;
use super::caller::Caller;
use super::journal::{Journal, Rows};
use super::log::{failed, is_id};
use super::shown::{Screen, Shown};
use super::{ReplySink, Upload, now, unavailable};
use crate::document::{Format, MAX_DOCUMENT, decode};
use crate::protocol::submit::{MAX_SUBMISSION_ID, SubmitReply, SubmitRequest};
use crate::protocol::{ErrorCode, Reply, RequestError};
use crate::store::{Store, StoreError, Submission, SubmissionRow};

/// The file's name, unless the configuration says otherwise.
pub const DEFAULT_FILE: &str = "submissions.jsonl";

/// How long the bytes of a document may take to come, so that nobody keeps most of one here for ever.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Data submission. Clones are the same one.
#[derive(Clone)]
pub struct Submit(Arc<Shared>);

struct Shared {
    store: Store,
    journal: Option<Journal>,
    screen: Option<Screen>,
    access: Access,
}

impl Submit {
    /// Keeps data in this store; then writes it to the journal, which mirrors [`SubmissionRows`], and shows it, where
    /// there is one.
    pub fn new(store: Store, journal: Option<Journal>, screen: Option<Screen>, access: Access) -> Self {
        Self(Arc::new(Shared { store, journal, screen, access }))
    }

    /// Takes one document.
    pub async fn serve(
        &self,
        caller: &Arc<Caller>,
        request: SubmitRequest,
        upload: Upload,
        replies: ReplySink,
    ) -> Result<(), RequestError> {
        self.0.access.check(caller, "submit")?;
        let SubmitRequest { id, format, length } = request;
        if !is_id(&id, MAX_SUBMISSION_ID) {
            return Err(bad(format!("the id of a submission is 1 to {MAX_SUBMISSION_ID} visible ASCII characters")));
        }
        if length > MAX_DOCUMENT as u64 {
            return Err(bad(format!("a document has at most {MAX_DOCUMENT} bytes, and this one has {length}")));
        }
        let coming = tokio::time::timeout(UPLOAD_TIMEOUT, upload.read()).await;
        let late = |_| bad(format!("the document did not come within {} s; submit it again", UPLOAD_TIMEOUT.as_secs()));
        let bytes = coming.map_err(late)?;
        // Reading a hostile document takes its time, though not much of it.
        let decoding = tokio::task::spawn_blocking(move || decode(&bytes, format));
        let (format, value) = decoding.await.map_err(|_| failed())?.map_err(|error| bad(error.to_string()))?;
        let data = value.to_json();
        // A task of its own: what is kept is also shown, though the session may end meanwhile.
        let row = tokio::spawn(self.clone().keep(caller.clone(), id, format, data)).await.map_err(|_| failed())??;
        replies.send(Reply::Submit(SubmitReply::Stored { row, format })).await;
        Ok(())
    }

    async fn keep(self, caller: Arc<Caller>, id: String, format: Format, data: String) -> Result<u64, RequestError> {
        let address = caller.peer().address.clone();
        let appended = self.0.store.append_submission(Submission {
            id,
            time: now(),
            address: address.to_string(),
            account: caller.identity().map(|identity| identity.name),
            format: format.to_string(),
            data: data.clone(),
        });
        let appended = appended.await.map_err(unavailable)?;
        if let Some(screen) = self.0.screen.as_ref().filter(|_| !appended.repeated) {
            screen.show(Shown::Submitted { session: caller.number(), address, format, data });
        }
        if let Some(journal) = &self.0.journal {
            let written = journal.reach(appended.row).await;
            written.map_err(|behind| RequestError::new(ErrorCode::Unavailable, behind.to_string()))?;
        }
        Ok(appended.row)
    }
}

fn bad(message: String) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, message)
}

/// The lines of the file, an object each: `{"row":1,"time":"...","address":"...","account":null,"format":"json","data":{...}}`.
pub struct SubmissionRows(pub Store);

impl Rows for SubmissionRows {
    const AROUND_NUMBER: [&'static str; 2] = [r#"{"row":"#, ","];

    async fn after(&self, row: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self.0.submissions_after(row, limit).await?;
        Ok(rows.into_iter().map(|found| (found.row, line(&found))).collect())
    }
}

fn line(row: &SubmissionRow) -> String {
    let SubmissionRow { row, submission: Submission { time, address, account, format, data, .. } } = row;
    let time = Timestamp::from_millisecond(*time).unwrap_or_default();
    let [time, address, format] = [json!(format!("{time:.3}")), json!(address), json!(format)];
    let account = json!(account.as_ref().map(|name| name.as_str()));
    // The data stays as it was kept: another reader of JSON could make other numbers of it.
    format!(r#"{{"row":{row},"time":{time},"address":{address},"account":{account},"format":{format},"data":{data}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer::PeerAddr;
    use crate::service::Sessions;
    use crate::service::caller::Peer;

    #[tokio::test(start_paused = true)]
    async fn a_document_that_does_not_come_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _feed) = Store::open(folder.path()).unwrap();
        let submit = Submit::new(store, None, None, Access::Everybody);
        let sessions = Sessions::default();
        let guest = sessions.enter(Peer { address: PeerAddr::Memory, is_near: false, holds: None });
        let (upload, chunks) = Upload::new(10);
        chunks.send(b"{\"a\": 1".to_vec()).unwrap();
        let request = SubmitRequest { id: "x".into(), format: None, length: 10 };
        let serving = submit.serve(&guest, request, upload, ReplySink::new().0);
        let error = tokio::time::timeout(2 * UPLOAD_TIMEOUT, serving).await.unwrap().unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.message.contains("did not come"), "{error}");
    }
}
