//! Accounts: who a session is. Names are unique, passwords keep rules, and whoever guesses waits.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::time::interval;
use tracing::info;

use super::bucket::{Bucket, Rate};
use super::caller::{Caller, Dismissal, Identity};
use super::{ReplySink, Sessions, in_whole_seconds, now, refused, unavailable};
use crate::model::name::UserName;
use crate::model::password::Password;
use crate::model::peer::Source;
use crate::protocol::account::{AccountReply, AccountRequest, Ticket};
use crate::protocol::{ErrorCode, Reply, RequestError};
use crate::store::{Account, Store, Whom};

pub mod import;
pub mod password;
mod throttle;

use password::Hasher;
use throttle::Throttle;

/// The most sessions of one account.
pub const MAX_SESSIONS: usize = 256;
/// How often it is looked whose account was deleted or banned meanwhile.
pub const WATCH: Duration = Duration::from_secs(10);
/// How long a ticket is good for.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many accounts an address may make, unless it is this machine.
const SIGNUPS: Rate = Rate { burst: 20.0, per_second: 0.1 };
/// The most addresses whose sign-ups are remembered.
const MAX_SIGNUP_SOURCES: usize = 10_000;

/// The account service.
pub struct Accounts {
    store: Store,
    hasher: Hasher,
    throttle: Throttle,
    may_sign_up: bool,
    /// A std mutex: held for map operations, never across an await.
    signups: Mutex<HashMap<Source, Bucket>>,
}

impl Accounts {
    /// Keeps accounts in the store; `cost` is bcrypt's, see [`password::COST`].
    pub fn new(store: Store, cost: u32) -> Self {
        let (hasher, throttle) = (Hasher::new(cost), Throttle::default());
        Self { store, hasher, throttle, may_sign_up: true, signups: Mutex::default() }
    }

    /// The same, but nobody makes an account for himself.
    pub fn without_signup(self) -> Self {
        Self { may_sign_up: false, ..self }
    }

    /// Answers a request; a session that proves an account is that account's from then on.
    pub async fn answer(
        &self,
        caller: &Caller,
        sessions: &Sessions,
        request: AccountRequest,
        replies: ReplySink,
    ) -> Result<(), RequestError> {
        let account = match request {
            AccountRequest::Signup { name, password } => self.sign_up(caller, name, password).await?,
            AccountRequest::Login { name, password } => self.log_in(caller, name, password).await?,
            AccountRequest::Resume { ticket } => self.resume(&ticket).await?,
        };
        if sessions.of(account.id) >= MAX_SESSIONS {
            return Err(refused(format!("this account has {MAX_SESSIONS} sessions already; close one first")));
        }
        let welcome = self.welcome(caller, account).await?;
        replies.send(Reply::Account(welcome)).await;
        Ok(())
    }

    /// Sends away, within [`WATCH`], whoever's account was deleted or banned while he was here: commands beside the server
    /// do that too. Never completes.
    pub(super) async fn watch(&self, sessions: &Sessions) {
        let mut ticks = interval(WATCH);
        loop {
            ticks.tick().await;
            let callers: Vec<_> =
                sessions.all().into_iter().filter_map(|caller| Some((caller.identity()?, caller))).collect();
            if callers.is_empty() {
                continue;
            }
            // What cannot be read now is read the next time; whoever needs it now says so in the log.
            let (Ok(accounts), Ok(bans)) = (self.store.accounts().await, self.store.bans().await) else { continue };
            let deleted = accounts.into_iter().filter(|account| account.deleted.is_some());
            let gone: HashSet<_> = deleted.map(|account| account.name.key()).collect();
            let banned = bans.into_iter().filter(|ban| ban.room.is_none() && !ban.is_mute);
            let banned: Vec<_> = banned.map(|ban| ban.whom).collect();
            for (identity, caller) in callers {
                let whom = [Whom::User(identity.name.clone()), Whom::Address(caller.peer().address.source())];
                if gone.contains(&identity.name.key()) {
                    caller.dismiss(Dismissal::Removed("the account was deleted".to_owned()));
                } else if banned.iter().any(|banned| whom.contains(banned)) {
                    caller.dismiss(Dismissal::Removed("you are banned from this server".to_owned()));
                }
            }
        }
    }

    /// Why nobody from there is served, if the server's operator has banned the address.
    pub(super) async fn turns_away(&self, source: &Source) -> Option<String> {
        match self.store.is_banned(None, source, now()).await {
            Ok(until) => until.map(|until| format!("your address is banned from this server {until}")),
            // What needs no database goes on without it.
            Err(error) => {
                tracing::error!(reason = %error, "the database failed");
                None
            }
        }
    }

    async fn sign_up(&self, caller: &Caller, name: UserName, password: Password) -> Result<Account, RequestError> {
        if !self.may_sign_up {
            return Err(refused("sign-up is closed here; ask whoever runs the server for an account"));
        }
        caller.is_nobodys()?;
        password.check().map_err(|broken| RequestError::new(ErrorCode::BadRequest, broken.to_string()))?;
        let taken = || {
            let message = format!("the name {name} has an owner; log in if it is you, or take another");
            RequestError::new(ErrorCode::NameTaken, message)
        };
        // Before the work of hashing, and again when it is stored.
        if self.store.account(&name).await.map_err(unavailable)?.is_some() {
            return Err(taken());
        }
        self.count_signup(caller)?;
        let credential = self.hasher.hash(password).await?;
        let account = self.store.create_account(name.clone(), credential, now()).await.map_err(unavailable)?;
        let account = account.ok_or_else(taken)?;
        info!(name = %account.name, "signed up");
        Ok(account)
    }

    async fn log_in(&self, caller: &Caller, name: UserName, password: Password) -> Result<Account, RequestError> {
        let attempt = self.throttle.attempt(&name.key(), caller.peer().address.source()).map_err(|wait| {
            throttled(wait, "there were too many wrong passwords for this name or from your address")
        })?;
        let proven = match self.proven(&name, password).await {
            Ok(proven) => proven,
            Err(error) => {
                attempt.withdrawn();
                return Err(error);
            }
        };
        match proven {
            Some(account) => {
                attempt.succeeded();
                info!(name = %account.name, "logged in");
                Ok(account)
            }
            None => {
                info!(name = %name, "a login failed");
                let message = "the name and the password do not belong together";
                Err(RequestError::new(ErrorCode::BadCredentials, message))
            }
        }
    }

    /// The account of this name, if the password is its.
    async fn proven(&self, name: &UserName, password: Password) -> Result<Option<Account>, RequestError> {
        let account = self.store.account(name).await.map_err(unavailable)?;
        // Whoever does not exist takes as long as whoever does.
        let credential = account.as_ref().map(|account| account.credential.clone());
        let is_right = self.hasher.verify(password, credential).await?;
        Ok(account.filter(|_| is_right))
    }

    async fn resume(&self, ticket: &Ticket) -> Result<Account, RequestError> {
        let account = self.store.redeem_ticket(hash(ticket), now()).await.map_err(unavailable)?;
        account.ok_or_else(|| {
            let message = "the ticket of an earlier login is not good any more; log in with the password";
            RequestError::new(ErrorCode::BadCredentials, message)
        })
    }

    /// Whoever has proven to be the account, is it, unless the server does not want them.
    async fn welcome(&self, caller: &Caller, account: Account) -> Result<AccountReply, RequestError> {
        let source = caller.peer().address.source();
        let ban = self.store.is_banned(Some(account.id), &source, now()).await.map_err(unavailable)?;
        if let Some(until) = ban {
            return Err(RequestError::new(ErrorCode::Refused, format!("you are banned from this server {until}")));
        }
        let ticket = new_ticket()?;
        let expires = now() + TICKET_LIFETIME.as_millis() as i64;
        if !self.store.add_ticket(&account, hash(&ticket), expires).await.map_err(unavailable)? {
            let message = "the password has just been changed, or the account deleted; log in again";
            return Err(RequestError::new(ErrorCode::BadCredentials, message));
        }
        self.store.note_login(account.id, now()).await.map_err(unavailable)?;
        caller.identify(Identity { id: account.id, name: account.name.clone() })?;
        Ok(AccountReply::Welcome { name: account.name, ticket, seconds: TICKET_LIFETIME.as_secs() })
    }

    fn count_signup(&self, caller: &Caller) -> Result<(), RequestError> {
        if caller.peer().is_near {
            return Ok(());
        }
        let mut signups = self.signups.lock().unwrap_or_else(PoisonError::into_inner);
        if signups.len() >= MAX_SIGNUP_SOURCES {
            signups.retain(|_, bucket| !bucket.is_full());
        }
        let bucket = signups.entry(caller.peer().address.source()).or_insert_with(|| Bucket::new(SIGNUPS));
        let wait = bucket.wait_for(1.0);
        if !wait.is_zero() {
            return Err(throttled(wait, "your address has made many accounts"));
        }
        bucket.take(1.0);
        Ok(())
    }
}

fn throttled(wait: Duration, why: &str) -> RequestError {
    let seconds = in_whole_seconds(wait);
    let message = format!("{why}; try again in {seconds} s");
    RequestError { retry_after: Some(seconds), ..RequestError::new(ErrorCode::Throttled, message) }
}

fn new_ticket() -> Result<Ticket, RequestError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| {
        tracing::error!(reason = %error, "the system gives no random bytes");
        RequestError::new(ErrorCode::Internal, "the server could not make a ticket; its log says why")
    })?;
    Ok(Ticket::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// What is kept of a ticket. It is random, so that nothing slower is needed.
fn hash(ticket: &Ticket) -> [u8; 32] {
    Sha256::digest(ticket.expose()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer::PeerAddr;
    use crate::service::caller::Peer;
    use crate::service::{Guest, Sessions};

    const CHEAP: u32 = 4;

    struct Bed {
        accounts: Accounts,
        guest: Guest,
        store: Store,
        _folder: tempfile::TempDir,
    }

    impl Bed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (store, _feed) = Store::open(folder.path()).unwrap();
            let peer = Peer { address: PeerAddr::Memory, is_near: false, holds: None };
            let (accounts, guest) = (Accounts::new(store.clone(), CHEAP), Sessions::default().enter(peer));
            Self { accounts, guest, store, _folder: folder }
        }

        async fn ask(&self, request: AccountRequest) -> Result<(), RequestError> {
            let (sink, _reply) = ReplySink::new();
            self.accounts.answer(&self.guest, &Sessions::default(), request, sink).await
        }
    }

    #[tokio::test]
    async fn a_session_that_is_somebodys_makes_no_other_account() {
        let bed = Bed::new();
        let sign_up = |name: &str| {
            bed.ask(AccountRequest::Signup { name: name.parse().unwrap(), password: Password::new("Correct-1") })
        };
        sign_up("ada").await.unwrap();
        assert_eq!(sign_up("bob").await.unwrap_err().code, ErrorCode::BadRequest);
        assert_eq!(bed.store.account(&"bob".parse().unwrap()).await.unwrap(), None, "the name is still free");
    }

    #[tokio::test]
    async fn a_password_that_could_not_be_checked_was_not_wrong() {
        let bed = Bed::new();
        bed.store.clone().close().await;
        for _ in 0..50 {
            let (name, password) = ("ada".parse().unwrap(), Password::new("Correct-1"));
            let error = bed.ask(AccountRequest::Login { name, password }).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Unavailable);
        }
    }
}
