//! Sends what was posted, and says what became of it.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::link::{Break, collected, has_left, tell, turned};
use super::outbox::{Fate, Outbox};
use super::{Event, Queued};
use crate::client::{CallError, Client};
use crate::protocol::chat::{ChatReply, ChatRequest};

/// How many posts of different conversations may be under way.
const MAX_UNDER_WAY: usize = 8;

/// What was posted and is not settled. Outlives the sessions.
pub(super) struct Posting {
    posts: mpsc::UnboundedReceiver<Queued>,
    outbox: Outbox<Queued>,
    /// Nothing is said before.
    silent_until: Option<Instant>,
    left: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
}

/// The answer to the post of a conversation.
type Answer = (String, Result<Vec<ChatReply>, CallError>);

impl Posting {
    pub(super) fn new(
        posts: mpsc::UnboundedReceiver<Queued>,
        left: watch::Receiver<bool>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self { posts, outbox: Outbox::default(), silent_until: None, left, events }
    }

    /// Whether everything that was posted is settled.
    pub(super) fn is_done(&mut self) -> bool {
        self.posts.is_empty() && self.outbox.is_empty()
    }

    /// Sends in one session; done when nothing more is wanted and everything is settled. Begins when everything that was
    /// missed has come: what we say ourselves counts as read, and would not be told with it.
    pub(super) async fn run(&mut self, client: &Client, mut ready: watch::Receiver<bool>) -> Result<(), Break> {
        self.outbox.lost();
        let mut under_way = JoinSet::new();
        loop {
            let is_ready = *ready.borrow();
            while is_ready && self.silent_until.is_none() && under_way.len() < MAX_UNDER_WAY {
                let Some((key, Queued { post, .. })) = self.outbox.start() else { break };
                let (to, post_id, text) = (post.to.clone(), post.id.clone(), post.text.clone());
                let replies = client.chat(ChatRequest::Post { to, post_id, style: post.style, text });
                under_way.spawn(async move { (key, collected(replies).await) });
            }
            let leaving = has_left(&self.left);
            if leaving && self.is_done() {
                return Ok(());
            }
            tokio::select! {
                Some(queued) = self.posts.recv() => self.outbox.push(&queued.post.to.clone(), queued),
                Some(answer) = under_way.join_next() => {
                    self.settle(answer.map_err(Break::lost)?).await?;
                }
                () = sleep_until(self.silent_until.unwrap_or_else(Instant::now)), if self.silent_until.is_some() => {
                    self.silent_until = None;
                }
                () = turned(&mut ready), if !is_ready => {}
                () = turned(&mut self.left), if !leaving => {}
            }
        }
    }

    async fn settle(&mut self, (key, answer): Answer) -> Result<(), Break> {
        let answer = answer.and_then(|replies| {
            let posted = replies.into_iter().find_map(|reply| match reply {
                ChatReply::Posted { seq, time } => Some((seq, time)),
                _ => None,
            });
            posted.ok_or_else(|| CallError::Nonsense("a post that is neither taken nor refused".to_owned()))
        });
        let event = match answer {
            Ok((seq, time)) => self.outbox.settle(&key).map(|Queued { post, .. }| Event::Sent {
                post_id: post.id,
                with: post.to,
                seq,
                time,
            }),
            Err(error) => match self.outbox.judge(&key, &error) {
                Fate::SessionLost => return Err(error.into()),
                Fate::Failed(why) => {
                    let settled = self.outbox.settle(&key);
                    settled.map(|Queued { post, .. }| Event::Failed { post_id: post.id, with: post.to, why })
                }
                Fate::Again { pause, told } => {
                    self.silent_until =
                        Some(self.silent_until.unwrap_or_else(Instant::now).max(Instant::now() + pause));
                    let post_id = self.outbox.under_way(&key).map(|Queued { post, .. }| post.id.clone());
                    self.outbox.again(key);
                    match (error, post_id) {
                        (CallError::Request(why), Some(post_id)) if told => {
                            Some(Event::Delayed { post_id, why, pause })
                        }
                        _ => None,
                    }
                }
            },
        };
        match event {
            Some(event) => tell(&self.events, event).await,
            None => Ok(()),
        }
    }
}
