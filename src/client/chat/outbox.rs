//! Posts that the server has not acknowledged yet: one at a time for each conversation, so that none overtakes another.
//!
//! A server answers requests side by side, so two posts under way could be numbered in either order.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::channel::error::ChannelError;
use crate::client::CallError;
use crate::model::name::Target;
use crate::protocol::chat::Style;
use crate::protocol::{ErrorCode, RequestError};

/// How often a post is tried that the server could not keep.
pub(super) const MAX_TRIES: u32 = 5;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause after more was asked at once than is allowed.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
/// The pause if the server says that it is too much, and not for how long.
const THROTTLED_PAUSE: Duration = Duration::from_secs(2);
/// No server makes a client wait longer than this before it asks again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) to: Target,
    pub(super) style: Style,
    pub(super) text: String,
}

/// Posts of type `P` and what they hold on to, by conversation.
#[derive(Debug)]
pub(super) struct Outbox<P> {
    queues: HashMap<String, Queue<P>>,
    /// The conversations whose next post may go out, in turn.
    idle: VecDeque<String>,
}

#[derive(Debug)]
struct Queue<P> {
    posts: VecDeque<P>,
    tries: u32,
}

/// What becomes of a post that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is tried again after this time; nothing else is said before.
    Again { pause: Duration, told: bool },
    /// It has failed.
    Failed(RequestError),
    /// The session is over.
    SessionLost,
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self { queues: HashMap::new(), idle: VecDeque::new() }
    }
}

impl<P> Outbox<P> {
    /// Whether everything is acknowledged or has failed.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Puts a post behind the others of its conversation.
    pub(super) fn push(&mut self, to: &Target, post: P) {
        let key = to.key();
        let queue = self.queues.entry(key.clone()).or_insert_with(|| {
            self.idle.push_back(key);
            Queue { posts: VecDeque::new(), tries: 0 }
        });
        queue.posts.push_back(post);
    }

    /// The next post that may go out. Nothing else of its conversation does until it is settled.
    pub(super) fn start(&mut self) -> Option<(String, &P)> {
        let key = self.idle.pop_front()?;
        let post = self.queues.get(&key)?.posts.front()?;
        Some((key, post))
    }

    /// The post of this conversation that is under way.
    pub(super) fn under_way(&self, key: &str) -> Option<&P> {
        self.queues.get(key)?.posts.front()
    }

    /// What becomes of the post of this conversation that is under way and was answered with an error.
    pub(super) fn judge(&mut self, key: &str, error: &CallError) -> Fate {
        let error = match error {
            CallError::Request(error) => error,
            CallError::Channel(error @ ChannelError::TooLongToSend { .. }) => {
                return Fate::Failed(RequestError::new(ErrorCode::BadRequest, error.to_string()));
            }
            _ => return Fate::SessionLost,
        };
        match error.code {
            ErrorCode::Throttled => {
                let pause = error.retry_after.map_or(THROTTLED_PAUSE, Duration::from_secs).min(LONGEST_PAUSE);
                Fate::Again { pause: pause.max(BUSY_PAUSE), told: true }
            }
            ErrorCode::TooManyRequests => Fate::Again { pause: BUSY_PAUSE, told: false },
            ErrorCode::ShuttingDown => Fate::SessionLost,
            ErrorCode::Unavailable | ErrorCode::Internal => match self.count_try(key) {
                tries if tries < MAX_TRIES => Fate::Again { pause: FIRST_PAUSE * (1 << (tries - 1)), told: true },
                _ => Fate::Failed(error.clone()),
            },
            _ => Fate::Failed(error.clone()),
        }
    }

    fn count_try(&mut self, key: &str) -> u32 {
        let Some(queue) = self.queues.get_mut(key) else { return MAX_TRIES };
        queue.tries += 1;
        queue.tries
    }

    /// The post of this conversation that is under way is acknowledged or has failed.
    pub(super) fn settle(&mut self, key: &str) -> Option<P> {
        let queue = self.queues.get_mut(key)?;
        let post = queue.posts.pop_front();
        queue.tries = 0;
        if queue.posts.is_empty() {
            self.queues.remove(key);
        } else {
            self.idle.push_back(key.to_owned());
        }
        post
    }

    /// The post of this conversation that is under way is to go out again.
    pub(super) fn again(&mut self, key: String) {
        if self.queues.contains_key(&key) {
            self.idle.push_front(key);
        }
    }

    /// The session is over: whatever was under way is to go out again in the next one.
    pub(super) fn lost(&mut self) {
        self.idle = self.queues.keys().cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(code: ErrorCode, retry_after: Option<u64>) -> CallError {
        CallError::Request(RequestError { retry_after, ..RequestError::new(code, "no") })
    }

    fn outbox(posts: &[(&str, u32)]) -> Outbox<u32> {
        let mut outbox = Outbox::default();
        posts.iter().for_each(|(to, post)| outbox.push(&to.parse().unwrap(), *post));
        outbox
    }

    #[test]
    fn one_post_of_a_conversation_is_under_way_and_other_conversations_do_not_wait() {
        let mut outbox = outbox(&[("#a", 1), ("#A", 2), ("ada", 3)]);
        let (a, one) = outbox.start().map(|(key, post)| (key, *post)).unwrap();
        assert_eq!(one, 1);
        assert_eq!(outbox.start().map(|(_, post)| *post), Some(3));
        assert!(outbox.start().is_none());
        assert_eq!(outbox.settle(&a), Some(1));
        assert_eq!(outbox.start().map(|(_, post)| *post), Some(2));
        assert_eq!(outbox.settle(&a), Some(2));
        outbox.lost();
        assert_eq!(outbox.start().map(|(_, post)| *post), Some(3));
        assert_eq!(outbox.settle("ada"), Some(3));
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_may_pass_is_tried_again_and_a_refusal_is_final() {
        let mut outbox = outbox(&[("#a", 1)]);
        let (key, _) = outbox.start().unwrap();
        for final_one in [ErrorCode::Refused, ErrorCode::NotFound, ErrorCode::BadRequest, ErrorCode::LoginRequired] {
            assert!(matches!(outbox.judge(&key, &refused(final_one, None)), Fate::Failed(_)), "{final_one:?}");
        }
        let again = |seconds| Fate::Again { pause: Duration::from_secs(seconds), told: true };
        assert_eq!(outbox.judge(&key, &refused(ErrorCode::Throttled, Some(7))), again(7));
        assert_eq!(outbox.judge(&key, &refused(ErrorCode::Throttled, Some(u64::MAX))), again(3600));
        assert_eq!(outbox.judge(&key, &refused(ErrorCode::ShuttingDown, None)), Fate::SessionLost);
        assert_eq!(outbox.judge(&key, &CallError::Cancelled), Fate::SessionLost);
    }

    #[test]
    fn a_server_that_cannot_keep_anything_is_asked_a_few_times_for_each_post() {
        let mut outbox = outbox(&[("#a", 1), ("#a", 2)]);
        for post in [1, 2] {
            let (key, _) = outbox.start().unwrap();
            for pause in [500, 1000, 2000, 4000] {
                let fate = Fate::Again { pause: Duration::from_millis(pause), told: true };
                assert_eq!(outbox.judge(&key, &refused(ErrorCode::Unavailable, None)), fate);
                outbox.again(key.clone());
                assert_eq!(outbox.start().map(|(_, post)| *post), Some(post));
            }
            assert!(matches!(outbox.judge(&key, &refused(ErrorCode::Internal, None)), Fate::Failed(_)));
            assert_eq!(outbox.settle(&key), Some(post));
        }
    }

    proptest! {
        #[test]
        fn the_order_of_a_conversation_survives_everything(steps in prop::collection::vec((0..6u8, 0..3u8), 0..120)) {
            let names = ["#a", "#b", "ada"];
            let (mut outbox, mut pushed, mut under_way) = (Outbox::default(), 0_u32, Vec::<String>::new());
            let (mut given, mut settled) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
            let place = |key: &str| names.iter().position(|name| *name == key).unwrap();
            for (step, which) in steps {
                match step {
                    0 | 1 => {
                        outbox.push(&names[which as usize].parse().unwrap(), pushed);
                        given[which as usize].push(pushed);
                        pushed += 1;
                    }
                    2 | 3 => if let Some((key, _)) = outbox.start() {
                        prop_assert!(!under_way.contains(&key), "two of {} at once", key);
                        under_way.push(key);
                    },
                    4 => if let Some(key) = under_way.pop() {
                        settled[place(&key)].extend(outbox.settle(&key));
                    },
                    _ if which == 0 => {
                        outbox.lost();
                        under_way.clear();
                    }
                    _ => if let Some(key) = under_way.pop() {
                        outbox.again(key);
                    },
                }
            }
            outbox.lost();
            while let Some((key, _)) = outbox.start() {
                settled[place(&key)].extend(outbox.settle(&key));
            }
            prop_assert!(outbox.is_empty());
            prop_assert_eq!(settled, given);
        }
    }
}
