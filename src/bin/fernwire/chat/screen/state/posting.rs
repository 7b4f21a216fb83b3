//! What is said here, and what has become of it.

use std::time::Instant;

use fernwire::model::name::Target;
use fernwire::protocol::chat::Style;

use super::super::post::{Fate, Post};
use super::super::wish::Wish;
use super::State;

impl State {
    pub(in super::super) fn post_mut(&mut self, id: &str) -> Option<&mut Post> {
        let posts = self.places.iter_mut().flat_map(|place| place.timeline.posts_mut());
        posts.into_iter().find(|post| post.id.as_deref() == Some(id))
    }

    /// All that was written here and is not an entry yet.
    pub(in super::super) fn posts(&self) -> impl Iterator<Item = &Post> {
        self.places.iter().flat_map(|place| place.timeline.posts())
    }

    /// How many posts were not taken.
    pub(in super::super) fn failed(&self) -> usize {
        self.posts().filter(|post| post.has_failed()).count()
    }

    /// Posts of which it is not known what became of them.
    pub(in super::super) fn unsettled(&self) -> usize {
        self.posts().filter(|post| !post.is_settled()).count()
    }

    /// Says something; it is seen at once, and where it stands when the server has it.
    pub(in super::super) fn post(&mut self, to: &Target, style: Style, text: String) {
        self.last_post += 1;
        let number = self.last_post;
        let place = self.place(to);
        let post = Post { number, id: None, style, text: text.clone(), fate: Fate::Sending, since: None };
        place.timeline.posts_mut().push(post);
        place.mark = None;
        place.look_at_end();
        self.wishes.push(Wish::Post { number, to: to.clone(), style, text });
    }

    /// Since when the server owes an answer to a post, if it does.
    pub(in super::super) fn unanswered_since(&self) -> Option<Instant> {
        let posts = self.posts();
        posts.filter(|post| post.fate == Fate::Sending).filter_map(|post| post.since).min()
    }

    /// Posts are waited for from now on, if they can be answered.
    pub(in super::super) fn note_waiting(&mut self, now: Instant) {
        let is_up = self.down.is_none();
        for place in &mut self.places {
            // Behind one that the server wants later, nothing goes out.
            let mut is_free = is_up;
            for post in place.timeline.posts_mut() {
                match post.fate {
                    Fate::Waiting { until, .. } if until > now => is_free = false,
                    Fate::Waiting { .. } => (post.fate, post.since) = (Fate::Sending, None),
                    _ => {}
                }
                post.since = if is_free { post.since.or(Some(now)) } else { None };
            }
        }
    }

    /// Says again what was not taken in this conversation.
    pub(in super::super) fn post_again(&mut self) -> bool {
        let Some(place) = self.here_mut() else { return false };
        let with = place.with.clone();
        let failed: Vec<Post> = place.timeline.posts_mut().extract_if(.., |post| post.has_failed()).collect();
        let any = !failed.is_empty();
        failed.into_iter().for_each(|post| self.post(&with, post.style, post.text));
        any
    }

    /// Forgets the last of what was not taken in this conversation.
    pub(in super::super) fn drop_failed(&mut self) -> bool {
        let Some(posts) = self.here_mut().map(|place| place.timeline.posts_mut()) else { return false };
        let last = posts.iter().rposition(Post::has_failed);
        last.map(|last| posts.remove(last)).is_some()
    }
}
