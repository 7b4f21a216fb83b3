//! `unix://`: a socket file of this machine, for its owner alone.
//!
//! `PATH.lock` is locked (flock) while a server listens at `PATH`, and remembers the device and inode of the socket
//! that it made. A left-over socket is removed only if it is that one and refuses connections; on exit only our own
//! inode is removed. The lock file stays, because removing it would let two servers hold two locks.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::endpoint::{Address, Endpoint};
use super::{
    BoxFuture, Conn, ConnInfo, DialError, DialOptions, Incoming, ListenError, ListenOptions, Listener, ProvenBy,
    Transport,
};
use crate::model::peer::PeerAddr;

/// How many connections may wait to be accepted.
const MAX_BACKLOG: u32 = 1024;

/// The transport over Unix domain sockets.
pub struct Unix;

impl Transport for Unix {
    fn listen<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a ListenOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, ListenError>> {
        Box::pin(async move {
            let path = path(endpoint);
            let failed = |source| ListenError::from_io(endpoint, source);
            if !path.parent().is_some_and(Path::is_dir) {
                return Err(failed(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")));
            }
            // Before there is a lock file, since whoever mistyped a path wants no file beside it.
            if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
                return Err(ListenError::InTheWay { path: path.into(), what: "it is not a socket" });
            }
            let mut lock = lock(path).map_err(failed)?;
            clear_the_way(path, &mut lock).await?;
            let socket = UnixSocket::new_stream().map_err(failed)?;
            socket.bind(path).map_err(failed)?;
            // Nobody can connect before `listen`, so the permissions hold from the first connection on.
            fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
            let inode = Inode::of(path).map_err(failed)?;
            inode.remember(&mut lock).map_err(failed)?;
            let socket = socket.listen(MAX_BACKLOG).map_err(failed)?;
            let local = endpoint.without_identity();
            Ok(Box::new(SocketFile { socket, inode, path: path.into(), local, _lock: lock }) as Box<dyn Listener>)
        })
    }

    fn dial<'a>(&'a self, endpoint: &'a Endpoint, _: &'a DialOptions) -> BoxFuture<'a, Result<Conn, DialError>> {
        Box::pin(async move {
            let stream = UnixStream::connect(path(endpoint)).await;
            stream.and_then(conn).map_err(|source| DialError::from_io(endpoint, source))
        })
    }
}

fn path(endpoint: &Endpoint) -> &Path {
    match &endpoint.address {
        Address::Unix(path) => path,
        _ => unreachable!("`for_endpoint` chose this transport by the address"),
    }
}

fn conn(stream: UnixStream) -> io::Result<Conn> {
    let uid = stream.peer_cred()?.uid();
    let ours = rustix::process::geteuid().as_raw();
    // A server that runs as us or as root could read our memory anyway.
    let proven_by = (uid == ours || uid == 0).then_some(ProvenBy::SocketOwner);
    let info = ConnInfo { peer: PeerAddr::Unix(uid), scheme: "unix", proven_by };
    Ok(Conn { io: Box::new(stream), info })
}

fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(name)?;
    file.try_lock().map_err(|refused| match refused {
        fs::TryLockError::WouldBlock => io::ErrorKind::AddrInUse.into(),
        fs::TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

/// Removes the socket that an earlier server of ours left behind; refuses to touch anything else.
async fn clear_the_way(path: &Path, lock: &mut File) -> Result<(), ListenError> {
    let in_the_way = |what| Err(ListenError::InTheWay { path: path.into(), what });
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    match UnixStream::connect(path).await {
        Ok(_) => return in_the_way("another program listens on it"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        // Such as a full backlog: somebody is there.
        Err(_) => return in_the_way("it cannot be told whether another program listens on it"),
    }
    if Inode::recall(lock).ok() != Inode::of(path).ok() {
        return in_the_way("it is a socket that no Fernwire server left there");
    }
    fs::remove_file(path).or_else(|_| in_the_way("it is a left-over socket that cannot be removed"))
}

/// What tells one file from another at the same path.
#[derive(Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }

    fn remember(&self, lock: &mut File) -> io::Result<()> {
        lock.rewind()?;
        lock.set_len(0)?;
        writeln!(lock, "{} {}", self.device, self.number)?;
        lock.sync_all()
    }

    fn recall(lock: &mut File) -> io::Result<Self> {
        let mut text = String::new();
        lock.rewind()?;
        lock.take(100).read_to_string(&mut text)?;
        let mut numbers = text.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(device)), Some(Ok(number))) => Ok(Self { device, number }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

struct SocketFile {
    socket: UnixListener,
    inode: Inode,
    path: PathBuf,
    local: Endpoint,
    /// Held for as long as we listen.
    _lock: File,
}

impl Listener for SocketFile {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        Box::pin(async {
            loop {
                let (stream, _) = self.socket.accept().await?;
                // A peer that is gone already may have no credentials any more, and is no trouble of the listener's.
                let Ok(credentials) = stream.peer_cred() else { continue };
                let peer = PeerAddr::Unix(credentials.uid());
                return Ok(Incoming { peer, upgrade: Box::pin(async move { conn(stream) }) });
            }
        })
    }

    fn local(&self) -> &Endpoint {
        &self.local
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Inode::of(&self.path).is_ok_and(|found| found == self.inode) {
            // Nothing can be done if it fails, and the next server will clear it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &Path) -> Endpoint {
        Address::Unix(path.into()).into()
    }

    async fn refusal(path: &Path) -> String {
        Unix.listen(&endpoint(path), &ListenOptions::default()).await.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner_and_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = Unix.listen(&endpoint(&path), &ListenOptions::default()).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(refusal(&path).await.contains("in use by another process"));
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_our_crashed_server_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let left = UnixSocket::new_stream().unwrap();
        left.bind(&path).unwrap();
        drop(left);
        assert!(refusal(&path).await.contains("no Fernwire server left there"));
        let mut lock = File::create(folder.path().join("s.lock")).unwrap();
        Inode::of(&path).unwrap().remember(&mut lock).unwrap();
        assert!(Unix.listen(&endpoint(&path), &ListenOptions::default()).await.is_ok());
    }

    // Elsewhere a full backlog looks like nobody there.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_busy_socket_is_not_a_left_over_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let busy = UnixSocket::new_stream().unwrap();
        busy.bind(&path).unwrap();
        let _listener = busy.listen(1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) =
            tokio::time::timeout(std::time::Duration::from_secs(1), UnixStream::connect(&path)).await
        {
            waiting.push(stream);
        }
        let mut lock = File::create(folder.path().join("s.lock")).unwrap();
        Inode::of(&path).unwrap().remember(&mut lock).unwrap();
        assert!(refusal(&path).await.contains("it cannot be told"));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_we_did_not_make_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(refusal(&path).await.contains("it is not a socket"));
        assert!(!folder.path().join("s.lock").exists());
        fs::remove_file(&path).unwrap();

        let foreign = UnixListener::bind(&path).unwrap();
        assert!(refusal(&path).await.contains("another program listens on it"));
        drop(foreign);
        fs::remove_file(&path).unwrap();

        let listener = Unix.listen(&endpoint(&path), &ListenOptions::default()).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(listener);
        assert!(path.exists());
    }
}
