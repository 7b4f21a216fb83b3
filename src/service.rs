//! The services: typed requests in, typed replies out. They see no transport, no key mode, no ids and no JSON.

use tokio::sync::mpsc;

use crate::protocol::{Reply, Request, RequestError};

pub mod query;

/// Every service of a server.
pub struct Services {
    /// Looks up a table and streams timestamps.
    pub query: query::Query,
}

impl Services {
    /// Answers a request into the sink. Dropping the future cancels the request.
    pub async fn answer(&self, request: Request, replies: ReplySink) -> Result<(), RequestError> {
        match request {
            Request::Query(request) => self.query.answer(request, replies).await,
        }
        Ok(())
    }
}

/// Where a service puts its replies. The next is taken when the last is on its way, so a slow reader slows only its
/// own service down.
pub struct ReplySink(mpsc::Sender<Reply>);

impl ReplySink {
    /// A sink, and where its replies come out.
    pub fn new() -> (Self, mpsc::Receiver<Reply>) {
        let (sender, replies) = mpsc::channel(1);
        (Self(sender), replies)
    }

    /// Waits until the reply is taken. Whether anybody still reads is told by the cancellation, not here.
    pub async fn send(&self, reply: Reply) {
        let _ = self.0.send(reply).await;
    }
}
