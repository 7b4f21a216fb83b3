//! How much a person may say at once: whoever says more waits a little, and nobody is thrown out for a long paste.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::protocol::{ErrorCode, RequestError};
use crate::service::bucket::{Bucket, Rate};
use crate::service::in_whole_seconds;
use crate::store::AccountId;

/// Messages, however long: a paste of 200 lines is one.
const MESSAGES: Rate = Rate { burst: 200.0, per_second: 20.0 };
/// Bytes of text.
const BYTES: Rate = Rate { burst: 512.0 * 1024.0, per_second: 64.0 * 1024.0 };
/// Who would wait longer than this is told to come again instead.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(30);
/// From how many people on those are forgotten who said nothing lately.
const MANY: usize = 1024;

/// What each account may still say.
#[derive(Default)]
pub(super) struct Flood {
    /// A std mutex: held for map operations, never across an await.
    accounts: Mutex<HashMap<AccountId, Allowance>>,
}

struct Allowance {
    messages: Bucket,
    bytes: Bucket,
}

impl Flood {
    /// Waits until the account may say so many bytes more.
    pub(super) async fn admit(&self, account: AccountId, bytes: usize) -> Result<(), RequestError> {
        let wait = self.reserve(account, bytes as f64);
        if wait > MAX_WAIT {
            let seconds = in_whole_seconds(wait - MAX_WAIT);
            let message = format!("you say too much at once; go on in {seconds} s");
            return Err(RequestError {
                retry_after: Some(seconds),
                ..RequestError::new(ErrorCode::Throttled, message)
            });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// How long to wait; what would be too long reserves nothing.
    pub(super) fn reserve(&self, account: AccountId, bytes: f64) -> Duration {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MANY {
            accounts.retain(|_, allowance| !(allowance.messages.is_full() && allowance.bytes.is_full()));
        }
        let new = || Allowance { messages: Bucket::new(MESSAGES), bytes: Bucket::new(BYTES) };
        let Allowance { messages, bytes: left } = accounts.entry(account).or_insert_with(new);
        let wait = messages.wait_for(1.0).max(left.wait_for(bytes));
        if wait <= MAX_WAIT {
            messages.take(1.0);
            left.take(bytes);
        }
        wait
    }
}
