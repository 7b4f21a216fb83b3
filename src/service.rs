//! The services: typed requests in, typed replies out. They see no transport, no key mode, no ids and no JSON.

use tokio::sync::mpsc;

use crate::protocol::{ErrorCode, Reply, Request, RequestError};

pub mod query;

/// The services that a server offers.
#[derive(Default)]
pub struct Services {
    /// Looks up a table and streams timestamps.
    pub query: Option<query::Query>,
}

impl Services {
    /// Answers a request into the sink. Dropping the future cancels the request.
    pub async fn answer(&self, request: Request, replies: ReplySink) -> Result<(), RequestError> {
        match request {
            Request::Query(request) => offered(&self.query, "query")?.answer(request, replies).await,
            Request::Account(_) => offered::<()>(&None, "account").map(|_| ())?,
            Request::Chat(_) => offered::<()>(&None, "chat").map(|_| ())?,
            Request::Log(_) => offered::<()>(&None, "log").map(|_| ())?,
        }
        Ok(())
    }
}

/// The service, if this server offers it.
fn offered<'a, S>(service: &'a Option<S>, name: &str) -> Result<&'a S, RequestError> {
    service.as_ref().ok_or_else(|| {
        RequestError::new(ErrorCode::UnknownService, format!("the service `{name}` is not offered here"))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::query::QueryRequest;

    #[tokio::test]
    async fn a_service_that_is_not_offered_is_unknown_here() {
        let (sink, mut replies) = ReplySink::new();
        let request = Request::Query(QueryRequest { query: "SetA-One".into() });
        let error = Services::default().answer(request, sink).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownService);
        assert_eq!(error.message, "the service `query` is not offered here");
        assert_eq!(replies.recv().await, None);
    }
}
