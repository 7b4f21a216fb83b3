//! Whether the configured listeners can be where they are wanted, as far as that can be known without taking a port.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use fernwire::config::problem::Problem;
use fernwire::transport::ListenError;
use fernwire::transport::endpoint::{Address, Endpoint};
use rustix::fs::{Access, access};
use tokio::net::lookup_host;

/// How often two addresses are tried with one port, since somebody else may have the port at one of them.
const TRIES: usize = 3;

/// Fails as listening would if an address is not one of this machine's, two listeners are in each other's way, or the
/// folder of a socket is missing.
pub(crate) async fn check(listeners: &[Endpoint]) -> anyhow::Result<()> {
    let mut taken: Vec<(SocketAddr, &Endpoint)> = Vec::new();
    for endpoint in listeners {
        let cannot = |source| ListenError::Io { endpoint: endpoint.clone(), source };
        if let Address::Unix(path) = &endpoint.address {
            check_socket(path, endpoint)?;
        }
        let Some(place) = endpoint.address.host_and_port() else { continue };
        for address in lookup_host(place).await.map_err(cannot)? {
            let mut at_any_port = address;
            at_any_port.set_port(0);
            TcpListener::bind(at_any_port).map_err(cannot)?;
            if let Some((_, before)) = taken.iter().find(|(other, _)| overlap(*other, address)) {
                let (before, again) = (before.to_string(), endpoint.to_string());
                return Err(Problem::Twice { before, again }.into());
            }
            taken.push((address, endpoint));
        }
    }
    Ok(())
}

fn check_socket(path: &Path, endpoint: &Endpoint) -> Result<(), ListenError> {
    let cannot = |source| ListenError::Io { endpoint: endpoint.clone(), source };
    let folder = path.parent().filter(|folder| folder.is_dir());
    let folder = folder.ok_or_else(|| cannot(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")))?;
    if path.symlink_metadata().is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(ListenError::InTheWay { path: path.into(), what: "it is not a socket" });
    }
    std::os::unix::net::SocketAddr::from_pathname(path).map_err(cannot)?;
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| cannot(error.into()))
}

/// Whether one port cannot be had at both. The system is asked, since it decides whether `[::]` is all of IPv4 too.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    if one.port() != other.port() || one.port() == 0 {
        return false;
    }
    (0..TRIES).all(|_| refuses_both(one, other).unwrap_or(false))
}

fn refuses_both(mut one: SocketAddr, mut other: SocketAddr) -> io::Result<bool> {
    one.set_port(0);
    let first = TcpListener::bind(one)?;
    other.set_port(first.local_addr()?.port());
    Ok(TcpListener::bind(other).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_is_for_one_listener_wherever_it_is_reached() {
        let overlap = |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlap("0.0.0.0:7", "127.0.0.1:7") && overlap("127.0.0.1:7", "0.0.0.0:7"));
        assert!(overlap("127.0.0.1:7", "127.0.0.1:7"));
        assert!(!overlap("127.0.0.1:7", "127.0.0.2:7"));
        assert!(!overlap("0.0.0.0:7", "127.0.0.1:8"));
        assert!(!overlap("0.0.0.0:0", "127.0.0.1:0"));
    }
}
