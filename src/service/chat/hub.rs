//! Who listens now, and what they are told: entries in the order in which they were committed, and events.
//!
//! Telling somebody is putting it into their queue, which takes no time. A queue that grows too long belongs to somebody
//! who does not read; their session is sent away, and everybody else has not noticed.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::model::name::{RoomName, Target, UserName};
use crate::model::peer::{PeerAddr, Source};
use crate::protocol::chat::{ChatReply, MAX_NAMES};
use crate::service::caller::{Caller, Dismissal, Identity};
use crate::store::{AccountId, Committed, Membership, Place};

/// How long comings and goings are collected before a room hears of them.
pub(super) const PRESENCE_WINDOW: Duration = Duration::from_secs(1);
/// The bytes that may wait for one listener.
const MAX_WAITING: usize = 1 << 20;
/// What an item counts for beside its text.
const ITEM: usize = 256;

/// All listeners, by what they listen to.
#[derive(Default)]
pub(super) struct Hub {
    /// A std mutex: held for map operations, never across an await.
    state: Mutex<State>,
    /// Somebody has come or gone.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the number of their session.
    listeners: HashMap<u64, Listener>,
    accounts: HashMap<AccountId, Vec<u64>>,
    /// By the room's key.
    audiences: HashMap<String, Audience>,
    /// The rooms in which somebody has come or gone.
    changed: HashSet<String>,
}

struct Listener {
    identity: Identity,
    caller: Arc<Caller>,
    items: mpsc::UnboundedSender<Item>,
    waiting: Arc<AtomicUsize>,
    rooms: HashSet<String>,
}

/// Those who listen to a room.
struct Audience {
    name: RoomName,
    listeners: HashSet<u64>,
    /// Each account with how many of its sessions listen.
    present: HashMap<AccountId, (UserName, usize)>,
    /// Who has come (or gone) since the room was told.
    changes: HashMap<AccountId, (UserName, bool)>,
}

/// What a listener is to be told.
#[derive(Clone)]
pub(super) enum Item {
    /// Somebody said something.
    Entry(Committed),
    /// The account has become a member.
    Joined(Membership),
    /// The account is no member any more.
    Left(RoomName),
    /// Something else has happened.
    Event(Arc<ChatReply>),
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Entry(committed) => ITEM + committed.entry.text.len(),
            _ => ITEM,
        }
    }
}

/// A session that listens; dropping it ends that.
pub(super) struct Listening {
    hub: Arc<Hub>,
    number: u64,
    items: mpsc::UnboundedReceiver<Item>,
    waiting: Arc<AtomicUsize>,
}

impl Listening {
    /// What is next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Item {
        match self.items.recv().await {
            Some(item) => {
                self.waiting.fetch_sub(item.size(), Ordering::Relaxed);
                item
            }
            // The hub holds the other end for as long as this lives.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.hub.lock().leave(self.number);
        self.hub.changed.notify_one();
    }
}

impl Hub {
    /// A session begins to listen; `None` if it does already.
    pub(super) fn enter(self: &Arc<Self>, caller: &Arc<Caller>, identity: Identity) -> Option<Listening> {
        let (sender, items) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let number = caller.number();
        let mut state = self.lock();
        let Slot::Vacant(place) = state.listeners.entry(number) else { return None };
        let (account, rooms) = (identity.id, HashSet::new());
        place.insert(Listener { identity, caller: caller.clone(), items: sender, waiting: waiting.clone(), rooms });
        state.accounts.entry(account).or_default().push(number);
        Some(Listening { hub: self.clone(), number, items, waiting })
    }

    /// The session hears the room from now on.
    pub(super) fn attach(&self, listening: &Listening, room: &RoomName) {
        self.lock().attach(listening.number, room);
        self.changed.notify_one();
    }

    /// The session does not hear the room any more.
    pub(super) fn detach(&self, listening: &Listening, room: &RoomName) {
        self.lock().detach(listening.number, &room.key());
        self.changed.notify_one();
    }

    /// All listening sessions of the account hear the room from now on, and are told.
    pub(super) fn joined(&self, account: AccountId, membership: &Membership) {
        let Target::Room(room) = &membership.with else { return };
        let mut state = self.lock();
        for number in state.sessions_of(account) {
            state.attach(number, room);
            state.tell(number, Item::Joined(membership.clone()));
        }
        self.changed.notify_one();
    }

    /// No session of the account hears the room any more, and all are told.
    pub(super) fn left(&self, account: AccountId, room: &RoomName) {
        let mut state = self.lock();
        let room = state.audiences.get(&room.key()).map_or_else(|| room.clone(), |audience| audience.name.clone());
        for number in state.sessions_of(account) {
            state.detach(number, &room.key());
            state.tell(number, Item::Left(room.clone()));
        }
        self.changed.notify_one();
    }

    /// An entry goes to everybody who listens to its conversation. Entries of one come in their order.
    pub(super) fn publish(&self, committed: Committed) {
        let mut state = self.lock();
        let numbers: Vec<u64> = match &*committed.place {
            Place::Room { name, .. } => state.listeners_to(&name.key()),
            Place::Direct { between: [(one, _), (other, _)], .. } => {
                let mut numbers = state.sessions_of(*one);
                if one != other {
                    numbers.extend(state.sessions_of(*other));
                }
                numbers
            }
        };
        numbers.into_iter().for_each(|number| state.tell(number, Item::Entry(committed.clone())));
    }

    /// An event goes to everybody who listens to the room, with the room's name as its maker wrote it.
    pub(super) fn announce(&self, room: &RoomName, event: impl FnOnce(RoomName) -> ChatReply) {
        let mut state = self.lock();
        let Some(name) = state.audiences.get(&room.key()).map(|audience| audience.name.clone()) else { return };
        let event = Arc::new(event(name));
        state.listeners_to(&room.key()).into_iter().for_each(|number| state.tell(number, Item::Event(event.clone())));
    }

    /// An event goes to all listening sessions of an account, or of everybody; how many there were.
    pub(super) fn notify(&self, account: Option<AccountId>, event: ChatReply) -> usize {
        let (mut state, event) = (self.lock(), Arc::new(event));
        let numbers = match account {
            Some(account) => state.sessions_of(account),
            None => state.listeners.keys().copied().collect(),
        };
        numbers.iter().for_each(|number| state.tell(*number, Item::Event(event.clone())));
        numbers.len()
    }

    /// Who listens to the room now.
    pub(super) fn present(&self, room: &RoomName) -> HashSet<AccountId> {
        let state = self.lock();
        state.audiences.get(&room.key()).map(|room| room.present.keys().copied().collect()).unwrap_or_default()
    }

    /// From where the account listens now, as far as that tells it from others: behind one address of this machine there
    /// may be everybody, with a proxy between.
    pub(super) fn sources(&self, account: AccountId) -> HashSet<Source> {
        let state = self.lock();
        let listeners = state.sessions_of(account).into_iter().filter_map(|number| state.listeners.get(&number));
        let peers = listeners.map(|listener| listener.caller.peer());
        let telling = peers.filter(|peer| !peer.is_near || matches!(peer.address, PeerAddr::Unix(_)));
        telling.map(|peer| peer.address.source()).collect()
    }

    /// Who listens to the room from there.
    pub(super) fn listeners_from(&self, room: &RoomName, source: &Source) -> Vec<UserName> {
        let state = self.lock();
        let listeners = state.listeners_to(&room.key()).into_iter().filter_map(|number| state.listeners.get(&number));
        let from_there = listeners.filter(|listener| listener.caller.peer().address.source() == *source);
        let accounts: HashMap<_, _> =
            from_there.map(|listener| (listener.identity.id, listener.identity.name.clone())).collect();
        accounts.into_values().collect()
    }

    /// Tells rooms who has come and gone, all of a window together. Never completes.
    pub(super) async fn tell_presence(&self) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(PRESENCE_WINDOW).await;
            self.lock().tell_changes();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sessions_of(&self, account: AccountId) -> Vec<u64> {
        self.accounts.get(&account).cloned().unwrap_or_default()
    }

    fn listeners_to(&self, room: &str) -> Vec<u64> {
        self.audiences.get(room).map(|audience| audience.listeners.iter().copied().collect()).unwrap_or_default()
    }

    fn tell(&mut self, number: u64, item: Item) {
        let Some(listener) = self.listeners.get(&number) else { return };
        let size = item.size();
        if listener.waiting.fetch_add(size, Ordering::Relaxed) + size > MAX_WAITING {
            let text = "you read too slowly and too much was waiting; connect again and resume where you were";
            return listener.caller.dismiss(Dismissal::TooSlow(text.to_owned()));
        }
        // One that is gone has dropped its end and is about to leave.
        let _ = listener.items.send(item);
    }

    fn attach(&mut self, number: u64, room: &RoomName) {
        let Some(listener) = self.listeners.get_mut(&number) else { return };
        if !listener.rooms.insert(room.key()) {
            return;
        }
        let Identity { id, name } = listener.identity.clone();
        let audience = self.audiences.entry(room.key()).or_insert_with(|| Audience::new(room.clone()));
        audience.listeners.insert(number);
        let (_, sessions) = audience.present.entry(id).or_insert((name.clone(), 0));
        *sessions += 1;
        if *sessions == 1 {
            audience.change(id, name, true);
            self.changed.insert(room.key());
        }
    }

    fn detach(&mut self, number: u64, room: &str) {
        let Some(listener) = self.listeners.get_mut(&number) else { return };
        if !listener.rooms.remove(room) {
            return;
        }
        let Identity { id, name } = listener.identity.clone();
        let Some(audience) = self.audiences.get_mut(room) else { return };
        audience.listeners.remove(&number);
        if let Slot::Occupied(mut present) = audience.present.entry(id) {
            present.get_mut().1 -= 1;
            if present.get().1 == 0 {
                present.remove();
                audience.change(id, name, false);
                self.changed.insert(room.to_owned());
            }
        }
        if audience.listeners.is_empty() {
            self.audiences.remove(room);
        }
    }

    fn leave(&mut self, number: u64) {
        let Some(listener) = self.listeners.get(&number) else { return };
        let (rooms, account) = (listener.rooms.clone(), listener.identity.id);
        rooms.iter().for_each(|room| self.detach(number, room));
        self.listeners.remove(&number);
        if let Slot::Occupied(mut sessions) = self.accounts.entry(account) {
            sessions.get_mut().retain(|session| *session != number);
            if sessions.get().is_empty() {
                sessions.remove();
            }
        }
    }

    fn tell_changes(&mut self) {
        for room in mem::take(&mut self.changed) {
            let Some(audience) = self.audiences.get_mut(&room) else { continue };
            let Some(event) = audience.told() else { continue };
            let event = Arc::new(event);
            self.listeners_to(&room).into_iter().for_each(|number| self.tell(number, Item::Event(event.clone())));
        }
    }
}

impl Audience {
    fn new(name: RoomName) -> Self {
        Self { name, listeners: HashSet::new(), present: HashMap::new(), changes: HashMap::new() }
    }

    /// Who comes and goes within one window has done neither.
    fn change(&mut self, account: AccountId, name: UserName, has_come: bool) {
        match self.changes.entry(account) {
            Slot::Occupied(change) if change.get().1 != has_come => drop(change.remove()),
            Slot::Occupied(_) => {}
            Slot::Vacant(change) => drop(change.insert((name, has_come))),
        }
    }

    /// The changes since the last time, as an event.
    fn told(&mut self) -> Option<ChatReply> {
        if self.changes.is_empty() {
            return None;
        }
        let (come, gone): (Vec<_>, Vec<_>) =
            mem::take(&mut self.changes).into_values().partition(|(_, has_come)| *has_come);
        let total = come.len() + gone.len();
        let named = |changes: Vec<(UserName, bool)>| -> Vec<_> {
            changes.into_iter().take(MAX_NAMES).map(|(name, _)| name).collect()
        };
        let (joined, left) = (named(come), named(gone));
        let more = (total - joined.len() - left.len()) as u64;
        Some(ChatReply::Presence { room: self.name.clone(), joined, left, more, present: self.present.len() as u64 })
    }
}
