//! One conversation: what is in it, how far it was read, where one looks, and what one was about to write.

use std::collections::HashSet;

use fernwire::client::chat::{Member, Page};
use fernwire::model::name::{Target, UserName};
use fernwire::protocol::chat::{Conversation, MAX_PAGE};

use super::editor::Editor;
use super::post::Fate;
use super::recall::Recall;
use super::timeline::{Said, Timeline};
use super::view::{Anchor, Window};

/// How many entries are asked for at once.
const PAGE: u32 = 100;

/// How many of the last entries tell who is likely to be named.
const SPEAKERS: usize = 200;

pub(super) struct Place {
    pub(super) with: Target,
    /// What it is found by.
    pub(super) key: String,
    pub(super) standing: Standing,
    pub(super) topic: String,
    pub(super) operator: bool,
    pub(super) timeline: Timeline,
    pub(super) members: Vec<Member>,
    /// What is being written here.
    pub(super) draft: Editor,
    /// What was sent from here.
    pub(super) recall: Recall,
    /// The last row in view; `None` follows the end.
    pub(super) anchor: Option<Anchor>,
    /// The entry that was looked for.
    pub(super) found: Option<u64>,
    /// It is to stand in the middle, until what is around it is here or somebody scrolls.
    pub(super) centred: bool,
    /// Whether the server has told what there is; a conversation with a person may be one without that.
    is_known: bool,
    /// Whether it has in this session.
    is_told: bool,
    /// The last entry that there is on the server, as far as is known.
    last: u64,
    read: u64,
    /// What the server knows to have been read.
    told: u64,
    /// The last entry that was read when one last left.
    pub(super) mark: Option<u64>,
    /// How many of what is unread name the reader.
    pub(super) unread_mentions: u64,
    /// A page is on its way.
    pub(super) loading: Option<Page>,
    /// The pages that were asked for since something new was heard: the same again would be answered the same.
    tried: Vec<Page>,
    /// The members are being asked for, and whether they have to be again.
    names: Names,
    /// What an operator did to the reader last, in case it is the reason why this is no room of ours any more.
    pub(super) measure: Option<String>,
}

/// What one is to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is one of ours; the server has said so in this session, or has not had the time to.
    Ours { confirmed: bool },
    /// A room that one may look at, write to or have left, and is no member of.
    Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Known,
    Asked,
    AskedTooEarly,
}

impl Place {
    pub(super) fn new(with: Target) -> Self {
        let standing = match with {
            // There is nothing to be a member of.
            Target::User(_) => Standing::Ours { confirmed: true },
            Target::Room(_) => Standing::Outside,
        };
        Self {
            key: with.key(),
            with,
            standing,
            topic: String::new(),
            operator: false,
            timeline: Timeline::default(),
            members: Vec::new(),
            draft: Editor::new(),
            recall: Recall::new(),
            anchor: None,
            found: None,
            centred: false,
            is_known: false,
            is_told: false,
            last: 0,
            read: 0,
            told: 0,
            mark: None,
            unread_mentions: 0,
            loading: None,
            tried: Vec::new(),
            names: Names::Known,
            measure: None,
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.standing != Standing::Outside
    }

    /// Nothing in it would be missed.
    pub(super) fn is_idle(&self) -> bool {
        self.draft.is_empty() && self.timeline.posts().iter().all(|post| post.fate == Fate::Sent)
    }

    /// There is another session, in which it has to be told anew what is ours.
    pub(super) fn begin_session(&mut self) {
        if let (Target::Room(_), Standing::Ours { confirmed }) = (&self.with, &mut self.standing) {
            *confirmed = false;
        }
        self.tried.clear();
        self.timeline.forget_void();
        (self.loading, self.names, self.is_told) = (None, Names::Known, false);
    }

    /// A line at the end of it.
    pub(super) fn tell(&mut self, text: String) {
        self.timeline.tell(self.last, text);
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        if self.anchor.is_some() && self.timeline.is_far_too_long() {
            self.look_at_end();
        }
        if self.anchor.is_none() && self.timeline.trim() {
            self.tried.clear();
        }
    }

    /// Whether the members are to be asked for now; if they are being asked for, that is done once more later.
    pub(super) fn wants_names(&mut self) -> bool {
        let is_free = self.names == Names::Known;
        self.names = if is_free { Names::Asked } else { Names::AskedTooEarly };
        is_free
    }

    /// They are known. `true`: somebody has come since they were asked for.
    pub(super) fn names_known(&mut self) -> bool {
        std::mem::replace(&mut self.names, Names::Known) == Names::AskedTooEarly
    }

    /// What the server says of it.
    pub(super) fn update(&mut self, conversation: &Conversation) {
        let is_first = self.last == 0 && self.read == 0;
        self.with = conversation.with.clone();
        if !self.is_ours() {
            self.timeline.forget_void();
        }
        self.standing = Standing::Ours { confirmed: true };
        (self.is_known, self.is_told, self.measure) = (true, true, None);
        self.topic.clone_from(&conversation.topic);
        self.operator = conversation.operator;
        self.last = self.last.max(conversation.last);
        self.told = conversation.read.min(conversation.last);
        self.read = self.read.max(self.told);
        self.tried.clear();
        self.unread_mentions = self.timeline.mentions_after(self.read);
        if is_first && self.unread() > 0 {
            self.mark = Some(self.read);
        }
    }

    /// The server has less than it had: it was set back to an older copy of its database.
    /// Only what is told first in a session can tell that: later there may be more by the time that it is heard.
    pub(super) fn set_back(&mut self, last: u64) {
        if !self.is_told && last < self.last {
            self.timeline.cut(last);
            (self.last, self.read, self.told) = (last, self.read.min(last), self.told.min(last));
            self.mark = self.mark.map(|mark| mark.min(last));
        }
    }

    /// Something was said, which counts as seen if one said it oneself, elsewhere too, or wants to see none of it.
    /// `false`: it was known.
    pub(super) fn say(&mut self, said: Said, is_seen: bool) -> bool {
        let (seq, mentions) = (said.entry.seq, said.mentions);
        if is_seen && self.read.saturating_add(1) == seq {
            self.read = seq;
        }
        self.last = self.last.max(seq);
        let new = self.timeline.say(said);
        self.tried.clear();
        self.forget_oldest();
        self.unread_mentions += u64::from(new && mentions && seq > self.read);
        new
    }

    /// Looks there; where something is missing below, the end of what is here is not the end.
    pub(super) fn look_at(&mut self, anchor: Option<Anchor>) {
        if anchor.is_some() || !self.is_behind() {
            self.anchor = anchor;
        }
    }

    /// Looks at the end, and follows it.
    pub(super) fn look_at_end(&mut self) {
        (self.anchor, self.found, self.centred) = (None, None, false);
    }

    /// Whether the newest are not here.
    pub(super) fn is_behind(&self) -> bool {
        self.timeline.last_seq() < self.last
    }

    /// The number of the last entry that there is.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn unread(&self) -> u64 {
        self.last.saturating_sub(self.read)
    }

    /// A page has come, whether there was something on it or not.
    pub(super) fn note_page(&mut self, seqs: &[u64]) {
        self.is_known = true;
        self.last = self.last.max(seqs.iter().copied().max().unwrap_or(0));
    }

    /// Whether it is known that nothing was ever said here.
    pub(super) fn is_empty(&self) -> bool {
        self.is_ours() && self.is_known && self.last == 0
    }

    /// Everything that is here has been seen. The number to tell the server, if it is news.
    pub(super) fn note_read(&mut self) -> Option<u64> {
        if !self.is_known {
            return None;
        }
        self.read = self.read.max(self.timeline.last_seq());
        self.unread_mentions = 0;
        (self.read > self.told).then(|| {
            self.told = self.read;
            self.read
        })
    }

    /// One goes somewhere else.
    pub(super) fn leave_off(&mut self) {
        self.mark = Some(self.read);
        self.look_at_end();
    }

    /// What has to be asked for, so that nothing is missing in view.
    pub(super) fn missing(&mut self, window: &Window, height: usize) -> Option<(Page, u32)> {
        let wanted = self.wanted(window, height).filter(|(page, _)| !self.tried.contains(page))?;
        self.tried.push(wanted.0);
        self.loading = Some(wanted.0);
        Some(wanted)
    }

    fn wanted(&self, window: &Window, height: usize) -> Option<(Page, u32)> {
        if self.loading.is_some() {
            return None;
        }
        if !self.is_known && matches!(self.with, Target::User(_)) {
            return Some((Page::Last, PAGE));
        }
        if let Some(seq) = self.found.filter(|seq| self.centred && !self.timeline.has(*seq)) {
            return Some((Page::After(seq.saturating_sub(1)), PAGE));
        }
        if self.is_behind() && window.ends_at_the_end() {
            let from_here = self.anchor.map(|_| Page::After(self.timeline.last_seq()));
            return Some((from_here.unwrap_or(Page::Before(self.last.saturating_add(1))), PAGE));
        }
        let gap = window.gaps.first()?;
        // Towards where one looks.
        let both_in_view = window.seqs.contains(&gap.after);
        let page = if both_in_view { Page::After(gap.after) } else { Page::Before(gap.before) };
        let wanted = PAGE.max(u32::try_from(height).unwrap_or(PAGE)).min(MAX_PAGE);
        Some((page, wanted.min(u32::try_from(gap.size()).unwrap_or(wanted))))
    }

    /// Who came and went.
    pub(super) fn note_presence(&mut self, joined: &[UserName], left: &[UserName], more: u64) -> bool {
        let mut here: HashSet<String> = joined.iter().map(UserName::key).collect();
        let away: HashSet<String> = left.iter().map(UserName::key).collect();
        for member in &mut self.members {
            let key = member.name.key();
            member.present |= here.remove(&key);
            member.present &= !away.contains(&key);
        }
        self.timeline.moved(self.last, joined, left, more);
        // Who is not among the members.
        !here.is_empty()
    }

    /// Whose names Tab may complete here: those who spoke last first.
    pub(super) fn people(&self, me: &UserName) -> Vec<String> {
        let spoke = self.timeline.speakers().take(SPEAKERS);
        let members = self.members.iter().map(|member| &member.name);
        let other = match &self.with {
            Target::User(name) => Some(name),
            Target::Room(_) => None,
        };
        let mut known = HashSet::from([me.key()]);
        let people = spoke.chain(members).chain(other).filter(|name| known.insert(name.key()));
        people.map(|name| name.as_str().to_owned()).collect()
    }
}
