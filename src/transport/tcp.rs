//! `tcp://` and `fernet://`: IPv4, IPv6, and names with several addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::task::Poll;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::endpoint::{Address, Endpoint};
use super::{
    BoxFuture, Conn, ConnInfo, DialError, DialOptions, Incoming, ListenError, ListenOptions, Listener, Transport,
};
use crate::model::peer::PeerAddr;

/// How long one address has the field to itself before the next is tried beside it (RFC 8305).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Silence after which the system asks whether the other end of a bare Fernet connection is there, the time until it
/// asks again, and how often it does before the connection is dead.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 4;

/// The transport over TCP.
pub struct Tcp;

impl Transport for Tcp {
    fn listen<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a ListenOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, ListenError>> {
        Box::pin(async move { Ok(Box::new(listen(endpoint).await?) as Box<dyn Listener>) })
    }

    fn dial<'a>(&'a self, endpoint: &'a Endpoint, _: &'a DialOptions) -> BoxFuture<'a, Result<Conn, DialError>> {
        Box::pin(async move {
            let stream = dial(endpoint).await?;
            conn(stream, endpoint).map_err(|source| DialError::from_io(endpoint, source))
        })
    }
}

/// Connects to an endpoint on a network, whatever is spoken there.
pub(super) async fn dial(endpoint: &Endpoint) -> Result<TcpStream, DialError> {
    let (host, port) = host_and_port(endpoint);
    let resolved = lookup_host((host, port)).await;
    let addresses = resolved.map_err(|source| DialError::Resolve { host: host.to_owned(), source })?;
    let failed = |source| DialError::from_io(endpoint, source);
    let stream = connect(addresses.collect()).await.map_err(failed)?;
    // A record is one write; waiting to fill a segment would only delay it.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

pub(super) fn host_and_port(endpoint: &Endpoint) -> (&str, u16) {
    let found = endpoint.address.host_and_port();
    found.unwrap_or_else(|| unreachable!("`for_endpoint` chose this transport by the address"))
}

/// The first address that answers; each next one starts when its predecessor fails or has had its time.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = interleave(addresses).into_iter();
    let mut attempts = JoinSet::new();
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match waiting.next() {
            Some(address) => drop(attempts.spawn(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(last_error),
            None => {}
        }
        let finished = if waiting.len() == 0 {
            attempts.join_next().await
        } else {
            tokio::time::timeout(ATTEMPT_DELAY, attempts.join_next()).await.unwrap_or(None)
        };
        match finished {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => last_error = error,
            Some(Err(_)) | None => {}
        }
    }
}

/// The families in turn, as RFC 8305 orders them, beginning with the resolver's first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return ordered,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
}

fn conn(stream: TcpStream, endpoint: &Endpoint) -> io::Result<Conn> {
    if let Address::Fernet(_) = endpoint.address {
        watch(&stream)?;
    }
    let scheme = endpoint.address.scheme();
    let info = ConnInfo { peer: PeerAddr::Ip(stream.peer_addr()?), scheme, proven_by: None };
    Ok(Conn { io: Box::new(stream), info })
}

/// Has the system ask whether the other end is still there, where nothing above asks: bare Fernet has no pings, and may
/// wait for hours.
fn watch(stream: &TcpStream) -> io::Result<()> {
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, KEEPALIVE_AFTER)?;
    set_tcp_keepintvl(stream, KEEPALIVE_EVERY)?;
    Ok(set_tcp_keepcnt(stream, KEEPALIVE_TRIES)?)
}

/// Listens on every address of the host, all on one port.
pub(super) async fn listen(endpoint: &Endpoint) -> Result<Sockets, ListenError> {
    let failed = |source| ListenError::from_io(endpoint, source);
    let (host, mut port) = host_and_port(endpoint);
    let mut sockets = Vec::new();
    for mut address in lookup_host((host, port)).await.map_err(failed)? {
        address.set_port(port);
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        port = socket.local_addr().map_err(failed)?.port();
        sockets.push(socket);
    }
    if sockets.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(Sockets { sockets, next: 0, local: endpoint.address.moved_to(host.to_owned(), port).into() })
}

/// The endpoint that others can reach, where the listener's is the unspecified address (`0.0.0.0` or `[::]`).
pub fn reachable(endpoint: &Endpoint) -> Endpoint {
    let Some((host, port)) = endpoint.address.host_and_port() else { return endpoint.clone() };
    // Connecting a UDP socket sends nothing; it asks the system which address it would send from. The two are
    // addresses for documentation (RFC 5737, RFC 3849).
    let (any, far) = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => ("0.0.0.0:0", "192.0.2.1:9"),
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => ("[::]:0", "[2001:db8::1]:9"),
        _ => return endpoint.clone(),
    };
    let ours = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(far)?;
        socket.local_addr()
    });
    let loopback = if any.starts_with('[') { "::1" } else { "127.0.0.1" };
    let host = ours.map_or(loopback.to_owned(), |address| address.ip().to_string());
    Endpoint { address: endpoint.address.moved_to(host, port), identity: endpoint.identity }
}

/// The listening sockets of one endpoint.
pub(super) struct Sockets {
    sockets: Vec<TcpListener>,
    /// Where the next look begins, so that no socket starves another.
    next: usize,
    local: Endpoint,
}

impl Sockets {
    /// The next stream. Cancel-safe.
    pub(super) async fn accept_stream(&mut self) -> io::Result<(TcpStream, PeerAddr)> {
        let (stream, address) = std::future::poll_fn(|cx| {
            for turn in 0..self.sockets.len() {
                let index = (self.next + turn) % self.sockets.len();
                if let Poll::Ready(accepted) = self.sockets[index].poll_accept(cx) {
                    self.next = index + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await?;
        Ok((stream, PeerAddr::Ip(address)))
    }
}

impl Listener for Sockets {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        Box::pin(async move {
            let (stream, peer) = self.accept_stream().await?;
            let local = self.local.clone();
            let upgrade = async move {
                stream.set_nodelay(true)?;
                conn(stream, &local)
            };
            Ok(Incoming { peer, upgrade: Box::pin(upgrade) })
        })
    }

    fn local(&self) -> &Endpoint {
        &self.local
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = parse(&["[::1]:1", "[::2]:1", "10.0.0.1:1", "[::3]:1"]);
        assert_eq!(interleave(mixed), parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]));
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_living_one() {
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = {
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            socket.local_addr().unwrap()
        };
        assert!(connect(vec![dead, living.local_addr().unwrap()]).await.is_ok());
        assert_eq!(connect(vec![dead]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_name_listens_on_all_its_addresses() {
        let endpoint: Endpoint = "tcp://localhost:0".parse().unwrap();
        let mut listener = Tcp.listen(&endpoint, &ListenOptions::default()).await.unwrap();
        let local = listener.local().clone();
        let accepting = tokio::spawn(async move {
            let mut io = (listener.accept().await.unwrap().upgrade).await.unwrap().io;
            io.write_all(b"hi").await.unwrap();
        });
        let mut conn = Tcp.dial(&local, &DialOptions::default()).await.unwrap();
        let mut greeting = [0; 2];
        conn.io.read_exact(&mut greeting).await.unwrap();
        accepting.await.unwrap();
    }
}
