//! Hashes of passwords, which take long to try.
//!
//! ```text
//! bcrypt-sha256:HASH   HASH = bcrypt(cost, base64(SHA-256("fernwire password v1" || 0x00 || password)))
//! bcrypt:HASH          HASH = bcrypt(cost, password), as other programs write it
//! ```
//! bcrypt ends at 72 bytes and at a zero byte; hashed first, every byte counts. The label keeps such a hash from being
//! one that another program has leaked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::model::password::Password;
use crate::protocol::{ErrorCode, RequestError};
use crate::store::Credential;

/// The cost of a hash: 2^12 rounds, about a quarter of a second.
pub const COST: u32 = 12;
/// How many may wait for a thread that hashes; more are asked to come again.
const MAX_WAITING: usize = 128;

const HASHED_FIRST: &str = "bcrypt-sha256:";
const PLAIN: &str = "bcrypt:";
const LABEL: &[u8] = b"fernwire password v1\0";

/// The credential for a hash that another program has written, such as `$2b$12$...`, if it is one.
pub fn imported(hash: &str) -> Option<Credential> {
    // Other versions of bcrypt differ for some passwords, or are not written by anything that is in use.
    let is_known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version));
    let parts: bcrypt::HashParts = hash.parse().ok()?;
    // A hash of a huge cost would keep a thread busy for hours.
    (is_known && hash.len() == 60 && (4..=16).contains(&parts.get_cost()))
        .then(|| Credential::new(format!("{PLAIN}{hash}")))
}

/// Hashes a password on this thread, for commands.
pub fn hash_now(password: &Password, cost: u32) -> Result<Credential, bcrypt::BcryptError> {
    bcrypt::hash(&*hashed_first(password), cost).map(|hash| Credential::new(format!("{HASHED_FIRST}{hash}")))
}

fn hashed_first(password: &Password) -> Zeroizing<String> {
    let digest = Sha256::new().chain_update(LABEL).chain_update(password.expose()).finalize();
    Zeroizing::new(STANDARD_NO_PAD.encode(digest))
}

fn is_right(password: &Password, credential: &Credential) -> bool {
    let text = credential.expose();
    let result = if let Some(hash) = text.strip_prefix(HASHED_FIRST) {
        bcrypt::verify(&*hashed_first(password), hash)
    } else if let Some(hash) = text.strip_prefix(PLAIN) {
        bcrypt::verify(password.expose(), hash)
    } else {
        Ok(false)
    };
    // A hash that cannot be read belongs to no password.
    result.unwrap_or(false)
}

/// Hashes and checks passwords on a few threads, since that is what takes long.
pub(super) struct Hasher {
    cost: u32,
    /// What is checked for an account that does not exist: no password belongs to it.
    nobody: Credential,
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Hasher {
    pub(super) fn new(cost: u32) -> Self {
        // Half the cores, so that the others are left to the sessions.
        let threads = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let nobody = format!("{HASHED_FIRST}$2b${cost:02}$......................{}", ".".repeat(31));
        let threads = Arc::new(Semaphore::new(threads));
        Self { cost, nobody: Credential::new(nobody), threads, waiting: AtomicUsize::new(0) }
    }

    pub(super) async fn hash(&self, password: Password) -> Result<Credential, RequestError> {
        let cost = self.cost;
        let hashed = self.run(move || hash_now(&password, cost)).await?;
        hashed.map_err(|error| {
            tracing::error!(reason = %error, "a password could not be hashed");
            RequestError::new(ErrorCode::Internal, "the server could not keep the password; its log says why")
        })
    }

    /// Whether the password is the credential's. Without one it is not, and that takes as long.
    pub(super) async fn verify(
        &self,
        password: Password,
        credential: Option<Credential>,
    ) -> Result<bool, RequestError> {
        let exists = credential.is_some();
        let credential = credential.unwrap_or_else(|| self.nobody.clone());
        Ok(self.run(move || is_right(&password, &credential)).await? && exists)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, RequestError> {
        let failed = || RequestError::new(ErrorCode::Internal, "the server could not check the password");
        let thread = {
            let _waiting = Waiting::new(&self.waiting)?;
            self.threads.clone().acquire_owned().await.map_err(|_| failed())?
        };
        let working = tokio::task::spawn_blocking(move || {
            let result = work();
            // Not before: whoever asked may be gone, and the thread is still busy.
            drop(thread);
            result
        });
        working.await.map_err(|_| failed())
    }
}

/// A place among those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Result<Self, RequestError> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING {
            return Ok(place);
        }
        let message = "too many people log in at once; try again in 10 s";
        Err(RequestError { retry_after: Some(10), ..RequestError::new(ErrorCode::Throttled, message) })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: u32 = 4;

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    #[tokio::test]
    async fn every_byte_of_a_password_counts() {
        let hasher = Hasher::new(CHEAP);
        let long = format!("A1{}", "x".repeat(98));
        let credential = hasher.hash(password(&long)).await.unwrap();
        assert!(credential.expose().starts_with("bcrypt-sha256:$2b$04$"));
        let verify = |text: String| hasher.verify(Password::new(text), Some(credential.clone()));
        assert!(verify(long.clone()).await.unwrap());
        assert!(!verify(format!("{}y", &long[..99])).await.unwrap());
        assert!(!verify(format!("{long}\0")).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_is_checked_all_the_same() {
        let hasher = Hasher::new(CHEAP);
        assert!(!hasher.verify(password("Correct-1"), None).await.unwrap());
        // The hash that stands for nobody is one that bcrypt works on: its cost is paid.
        let hash = hasher.nobody.expose().strip_prefix(HASHED_FIRST).unwrap();
        assert!(!bcrypt::verify("x", hash).unwrap());
        assert_eq!(hash.parse::<bcrypt::HashParts>().unwrap().get_cost(), CHEAP);
    }

    #[test]
    fn only_hashes_of_bcrypt_are_imported() {
        let hash = bcrypt::hash("Correct-1", CHEAP).unwrap();
        assert!(is_right(&password("Correct-1"), &imported(&hash).unwrap()));
        assert!(!is_right(&password("Correct-2"), &imported(&hash).unwrap()));
        let cases = [String::new(), "$1$x".into(), hash.replace("$04$", "$31$"), format!("{hash}x"), hash[..59].into()];
        assert!(cases.iter().all(|hash| imported(hash).is_none()));
    }
}
