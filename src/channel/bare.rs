//! Bare Fernet over a byte stream: one token after the other and nothing around them, for programs that know no more.
//!
//! No session keys, no order, no protection against replay, no proof of who is there: it lacks what a [`Channel`] is
//! for, and is apart from it so that nothing can fall back to it.
//!
//! Such a program takes whatever one `recv` returns as one token. So each is sent by one write, and whoever sends waits
//! for what the other side has to say before the next.
//!
//! [`Channel`]: super::Channel

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

mod splitter;

pub use splitter::{SplitError, Splitter, longest_text, token_characters};

use super::DRAIN_TIMEOUT;
use super::token::FernetKey;
use crate::keys::SecretKey;

/// How long a token may take from its first character to its last.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer may take to read a token.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// How much is read at once.
const CHUNK: usize = 4096;

/// Why tokens do not come or go any more.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// What came is not a stream of tokens of this key.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A token has begun, and does not become one.
    #[error(
        "what came within {} s is not a whole token of this key; the other side holds another key, or stopped in the \
         middle",
        TOKEN_TIMEOUT.as_secs()
    )]
    Incomplete,
    /// The connection ended inside a token.
    #[error("the connection ended inside a token; the other side holds another key, or broke off")]
    Truncated,
    /// Nothing came for too long.
    #[error("nothing came for {} s", .0.as_secs())]
    Idle(Duration),
    /// The token would not fit into what the other side reads at once.
    #[error(
        "{bytes} bytes make a token of {} characters, and the other side may not take more than {max_token} at once; \
         send less, or raise max-token= in the address if it can take more", token_characters(*.bytes)
    )]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The longest token in characters.
        max_token: usize,
    },
    /// The peer does not read.
    #[error("the other side has not read a token within {} s", SEND_TIMEOUT.as_secs())]
    Stuck,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The system gives no randomness.
    #[error("the operating system gives no random bytes: {0}")]
    Entropy(#[from] getrandom::Error),
}

/// Tokens over a byte stream.
pub struct BareFernet<S> {
    io: S,
    splitter: Splitter,
    /// What was read and not looked at yet.
    unread: Vec<u8>,
    /// When the token began that is coming.
    begun: Option<Instant>,
    max_token: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> BareFernet<S> {
    /// Tokens of this key; none that we send is longer than `max_token` characters.
    pub fn new(io: S, key: &SecretKey, max_token: usize) -> Self {
        let splitter = Splitter::new(FernetKey::new(key.expose()));
        Self { io, splitter, unread: Vec::new(), begun: None, max_token }
    }

    /// The next text, which may take `idle` to begin; `None` when the stream ends between tokens. Cancel-safe.
    ///
    /// The time that a token carries is ignored.
    pub async fn recv(&mut self, idle: Duration) -> Result<Option<Vec<u8>>, BareError> {
        let since = Instant::now();
        loop {
            if let Some(text) = self.split()? {
                return Ok(Some(text));
            }
            let (ends_at, late) = match self.begun {
                Some(begun) => (begun + TOKEN_TIMEOUT, BareError::Incomplete),
                None => (since + idle, BareError::Idle(idle)),
            };
            let mut chunk = [0; CHUNK];
            let reading = tokio::time::timeout_at(ends_at, self.io.read(&mut chunk)).await;
            match reading.map_err(|_| late)?? {
                0 if self.begun.is_some() => return Err(BareError::Truncated),
                0 => return Ok(None),
                count => self.unread.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// The next text of what was read.
    fn split(&mut self) -> Result<Option<Vec<u8>>, SplitError> {
        let mut taken = 0;
        let mut found = Ok(None);
        while let (Ok(None), Some(character)) = (&found, self.unread.get(taken)) {
            found = self.splitter.take(*character);
            taken += 1;
        }
        self.unread.drain(..taken);
        self.begun = self.splitter.is_inside().then(|| self.begun.unwrap_or_else(Instant::now));
        found
    }

    /// Sends a text as one token by one write.
    pub async fn send(&mut self, text: &[u8]) -> Result<(), BareError> {
        let (bytes, max_token) = (text.len(), self.max_token);
        if token_characters(bytes) > max_token {
            return Err(BareError::TooLong { bytes, max_token });
        }
        let mut iv = [0; 16];
        getrandom::fill(&mut iv)?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let mut token = Vec::new();
        self.splitter.key().seal(time, iv, &[text], &mut token);
        let token = URL_SAFE.encode(token);
        let sending = async {
            self.io.write_all(token.as_bytes()).await?;
            self.io.flush().await
        };
        Ok(tokio::time::timeout(SEND_TIMEOUT, sending).await.map_err(|_| BareError::Stuck)??)
    }

    /// Ends our direction, and waits a moment for the end of the other, so that nothing on its way is lost in a reset.
    pub async fn close(mut self) {
        let ending = async {
            let _ = self.io.shutdown().await;
            let mut rest = [0; CHUNK];
            while let Ok(1..) = self.io.read(&mut rest).await {}
        };
        // The peer may be gone already.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, ending).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_bytes([3; 32])
    }

    const IDLE: Duration = Duration::from_secs(3600);

    fn token(text: &[u8]) -> String {
        let mut token = Vec::new();
        FernetKey::new(key().expose()).seal(0, [1; 16], &[text], &mut token);
        URL_SAFE.encode(token)
    }

    #[tokio::test]
    async fn texts_go_both_ways() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (mut ours, mut theirs) = (BareFernet::new(ours, &key(), 1024), BareFernet::new(theirs, &key(), 1024));
        ours.send(b"one").await.unwrap();
        ours.send(b"").await.unwrap();
        assert_eq!(theirs.recv(IDLE).await.unwrap().unwrap(), b"one");
        theirs.send(b"two").await.unwrap();
        assert_eq!(theirs.recv(IDLE).await.unwrap().unwrap(), b"");
        assert_eq!(ours.recv(IDLE).await.unwrap().unwrap(), b"two");
        drop(ours);
        assert_eq!(theirs.recv(IDLE).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_before_it_is_sent() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut ours = BareFernet::new(ours, &key(), 1024);
        ours.send(&[b'x'; 703]).await.unwrap();
        let refused = ours.send(&[b'x'; 704]).await.unwrap_err().to_string();
        assert!(refused.contains("704 bytes make a token of 1036 characters"), "{refused}");
        drop(ours);
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.unwrap();
        assert_eq!(sent.len(), 1016);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_incomplete_token_has_a_deadline() {
        let (mut ours, theirs) = tokio::io::duplex(1 << 16);
        let mut bare = BareFernet::new(theirs, &key(), 1024);
        let start = Instant::now();
        let waiting = tokio::spawn(async move {
            let first = bare.recv(IDLE).await.unwrap().unwrap();
            (first, bare.recv(IDLE).await.unwrap_err(), start.elapsed())
        });
        tokio::time::sleep(Duration::from_secs(3000)).await;
        let (head, tail) = (&token(b"late")[..50], &token(b"late")[50..]);
        for part in [head, tail, "\n", "gA"] {
            ours.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(9)).await;
        }
        let (first, error, elapsed) = waiting.await.unwrap();
        assert_eq!(first, b"late");
        assert!(matches!(error, BareError::Incomplete), "{error}");
        assert_eq!(elapsed.as_secs(), 3000 + 27 + 10);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_cut_are_told_from_an_end() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut bare = BareFernet::new(theirs, &key(), 1024);
        assert!(matches!(bare.recv(IDLE).await, Err(BareError::Idle(_))));
        let (mut cut, theirs) = tokio::io::duplex(1 << 16);
        let mut bare = BareFernet::new(theirs, &key(), 1024);
        cut.write_all(&token(b"text").as_bytes()[..60]).await.unwrap();
        drop((cut, ours));
        assert!(matches!(bare.recv(IDLE).await, Err(BareError::Truncated)));
    }

    #[tokio::test]
    async fn what_a_dropped_recv_has_read_is_not_lost() {
        let (mut ours, theirs) = tokio::io::duplex(1 << 16);
        let mut bare = BareFernet::new(theirs, &key(), 1024);
        for byte in token(b"one").into_bytes().into_iter().chain(token(b"two").into_bytes()) {
            ours.write_all(&[byte]).await.unwrap();
            if let Ok(text) = tokio::time::timeout(Duration::ZERO, bare.recv(IDLE)).await {
                assert!(matches!(text.unwrap().unwrap().as_slice(), b"one" | b"two"));
            }
        }
    }
}
