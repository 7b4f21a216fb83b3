//! Somebody on the wire between a client and a server, who sees where TLS records begin and does with them as told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fernwire::transport::endpoint::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A TLS record: its type, version and length (RFC 8446, section 5.1), then its content.
pub(crate) const HEADER: usize = 5;
/// The length of an encrypted record with an alert in it, such as close_notify: the alert, its type, and the tag.
pub(crate) const ALERT: usize = HEADER + 2 + 1 + 16;

/// Who has sent a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// Instead of it, both sides see the end of the stream.
    Cut,
    /// Half of it comes through, then the end of the stream.
    CutInside,
    /// Instead of it, both sides see a reset.
    Reset,
}

/// Relays the connections to this endpoint from another; `decide` sees each record and may change it.
pub(crate) async fn before(
    endpoint: &Endpoint,
    decide: impl FnMut(From, &mut Vec<u8>) -> Fate + Send + 'static,
) -> Endpoint {
    let (host, port) = endpoint.address.host_and_port().unwrap();
    let target: SocketAddr = format!("{host}:{port}").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relayed = format!("tls://{}", listener.local_addr().unwrap()).parse().unwrap();
    let decide = Arc::new(Mutex::new(decide));
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(relay(near, TcpStream::connect(target).await.unwrap(), decide.clone()));
        }
    });
    relayed
}

async fn relay(near: TcpStream, far: TcpStream, decide: Arc<Mutex<impl FnMut(From, &mut Vec<u8>) -> Fate>>) {
    let ((near_read, mut near_write), (far_read, mut far_write)) = (near.into_split(), far.into_split());
    let fate = tokio::select! {
        fate = copy(near_read, &mut far_write, |record| decide.lock().unwrap()(From::Client, record)) => fate,
        fate = copy(far_read, &mut near_write, |record| decide.lock().unwrap()(From::Server, record)) => fate,
    };
    for stream in [near_write, far_write] {
        if fate == Fate::Reset {
            stream.as_ref().set_zero_linger().unwrap();
        }
    }
}

/// Copies records until one must not pass, or the stream ends.
async fn copy(mut from: OwnedReadHalf, to: &mut OwnedWriteHalf, mut decide: impl FnMut(&mut Vec<u8>) -> Fate) -> Fate {
    while let Some(mut record) = read_record(&mut from).await {
        let fate = decide(&mut record);
        let passes = match fate {
            Fate::Pass => record.len(),
            Fate::CutInside => record.len() / 2,
            Fate::Cut | Fate::Reset => 0,
        };
        if to.write_all(&record[..passes]).await.is_err() || fate != Fate::Pass {
            return fate;
        }
    }
    Fate::Cut
}

/// The next TLS record with its header, if there is one.
pub(crate) async fn read_record(from: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut record = vec![0; HEADER];
    from.read_exact(&mut record).await.ok()?;
    record.resize(HEADER + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
    from.read_exact(&mut record[HEADER..]).await.ok()?;
    Some(record)
}
