//! The message log: lines become durable in the order in which they are sent, then stand in a file for people.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::access::Access;
use super::caller::Caller;
use super::journal::{Journal, Rows};
use super::shown::{Screen, Shown};
use super::{ReplySink, now, unavailable};
use crate::model::Visible;
use crate::protocol::log::{LogReply, LogRequest, MAX_LOG_LINES, MAX_LOG_STREAM, MAX_LOG_TEXT};
use crate::protocol::{ErrorCode, MAX_INTEGER, Reply, RequestError};
use crate::store::{Appended, LogMessage, LogRow, Store, StoreError};

/// The file's name, unless the configuration says otherwise.
pub const DEFAULT_FILE: &str = "server_logs.txt";

/// How many answers of the operator may wait for a client that does not read them.
const MAX_ANSWERS: usize = 64;

/// The message log. Clones are the same one.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    store: Store,
    journal: Journal,
    screen: Screen,
    access: Access,
    /// The sessions that wait for the operator's words, by number. A std mutex: held for map operations, never across
    /// an await.
    listeners: Mutex<HashMap<u64, Listener>>,
    operator_left: AtomicBool,
}

/// How a session waits for the operator's words.
enum Listener {
    /// For whatever is said to it.
    Always(mpsc::Sender<String>),
    /// For one answer to each message.
    Asking(Asking),
}

/// A session that waits for answers.
struct Asking {
    answers: mpsc::UnboundedSender<String>,
    /// How many messages are to be answered still.
    unanswered: usize,
    /// How many bytes an answer may have.
    most: usize,
}

/// What became of the operator's words to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// They are on their way.
    Yes,
    /// It does not listen, or does not read what it hears.
    No,
    /// It takes no more than so many bytes at once, and still waits.
    TooLong(usize),
}

impl Log {
    /// Keeps lines in this store, then in this journal, which mirrors [`LogRows`].
    pub fn new(store: Store, journal: Journal, screen: Screen, access: Access) -> Self {
        Self(Arc::new(Shared {
            store,
            journal,
            screen,
            access,
            listeners: Mutex::default(),
            operator_left: AtomicBool::new(false),
        }))
    }

    /// Does what a client asks for.
    pub async fn serve(
        &self,
        caller: &Arc<Caller>,
        request: LogRequest,
        replies: ReplySink,
    ) -> Result<(), RequestError> {
        self.0.access.check(caller, "log")?;
        match request {
            LogRequest::Append { stream, number, texts } => {
                check(&stream, number, &texts)?;
                // A task of its own: what is kept is also shown, though the session may end meanwhile.
                let appending = tokio::spawn(self.clone().append(caller.clone(), stream, number, texts));
                let rows = appending.await.map_err(|_| failed())??;
                replies.send(Reply::Log(LogReply::Received { rows })).await;
            }
            LogRequest::Listen => self.listen(caller, replies).await?,
        }
        Ok(())
    }

    /// Says something to the session with this number.
    pub fn answer(&self, session: u64, text: &str) -> Answered {
        match self.0.lock().get_mut(&session) {
            Some(Listener::Always(listener)) if listener.try_send(text.to_owned()).is_ok() => Answered::Yes,
            Some(Listener::Asking(asking)) if asking.unanswered > 0 => {
                if text.len() > asking.most {
                    return Answered::TooLong(asking.most);
                }
                asking.unanswered -= 1;
                // The receiver is there for as long as this is in the map.
                let _ = asking.answers.send(text.to_owned());
                Answered::Yes
            }
            _ => Answered::No,
        }
    }

    /// From now on the operator can answer each message of this session that [`Asked::expect`] announces, once and with at
    /// most so many bytes.
    pub fn ask_operator(&self, caller: &Caller, most: usize) -> Result<Asked, RequestError> {
        let (answers, answered) = mpsc::unbounded_channel();
        let asking = Asking { answers, unanswered: 0, most };
        let listening = Listening::begin(self.0.clone(), caller.number(), Listener::Asking(asking))?;
        Ok(Asked { listening, answered })
    }

    /// Nobody can answer any more who was asked, nor will be.
    pub fn operator_leaves(&self) {
        self.0.operator_left.store(true, Ordering::SeqCst);
        self.0.lock().retain(|_, listener| matches!(listener, Listener::Always(_)));
    }

    /// Whether the session with this number waits for an answer to a message.
    pub fn waits(&self, session: u64) -> bool {
        matches!(self.0.lock().get(&session), Some(Listener::Asking(asking)) if asking.unanswered > 0)
    }

    async fn append(
        self,
        caller: Arc<Caller>,
        stream: String,
        number: u64,
        texts: Vec<String>,
    ) -> Result<Vec<u64>, RequestError> {
        let account = caller.identity().map(|identity| identity.name);
        let address = caller.peer().address.to_string();
        let appending = (number..).zip(&texts).map(|(number, text)| {
            self.0.append(LogMessage {
                stream: stream.clone(),
                number,
                time: now(),
                address: address.clone(),
                account: account.clone(),
                text: text.clone(),
            })
        });
        let appended = in_order(appending.collect()).await.map_err(unavailable)?;
        for (text, _) in texts.into_iter().zip(&appended).filter(|(_, appended)| !appended.repeated) {
            let (session, address) = (caller.number(), caller.peer().address.clone());
            let answerable = match self.0.lock().get(&session) {
                Some(Listener::Always(_)) => true,
                Some(Listener::Asking(asking)) => asking.unanswered > 0,
                None => false,
            };
            self.0.screen.show(Shown::Logged { session, address, answerable, text });
        }
        let rows: Vec<_> = appended.iter().map(|appended| appended.row).collect();
        let last = rows.iter().copied().max().unwrap_or(0);
        self.0
            .journal
            .reach(last)
            .await
            .map_err(|behind| RequestError::new(ErrorCode::Unavailable, behind.to_string()))?;
        Ok(rows)
    }

    async fn listen(&self, caller: &Caller, replies: ReplySink) -> Result<(), RequestError> {
        let (sender, mut answers) = mpsc::channel(MAX_ANSWERS);
        let _listening = Listening::begin(self.0.clone(), caller.number(), Listener::Always(sender))?;
        while let Some(text) = answers.recv().await {
            replies.send(Reply::Log(LogReply::Answer { text })).await;
        }
        Ok(())
    }
}

impl Shared {
    fn append(&self, message: LogMessage) -> impl Future<Output = Result<Appended, StoreError>> + Send + 'static {
        let store = self.store.clone();
        async move { store.append_log(message).await }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operator's answers to one session. Whoever drops this does not listen any more.
pub struct Asked {
    listening: Listening,
    answered: mpsc::UnboundedReceiver<String>,
}

impl Asked {
    /// One message more is to be answered. Before anybody can read it.
    pub fn expect(&self) {
        let Listening { shared, session } = &self.listening;
        if let Some(Listener::Asking(asking)) = shared.lock().get_mut(session)
            && !shared.operator_left.load(Ordering::SeqCst)
        {
            asking.unanswered += 1;
        }
    }

    /// The next answer; `None` if there is no operator any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        // One that left before this session began to listen has not taken it from the list.
        if self.listening.shared.operator_left.load(Ordering::SeqCst) {
            return self.answered.try_recv().ok();
        }
        self.answered.recv().await
    }

    /// Listens no more; the result are the answers that were given already.
    pub fn end(self) -> Vec<String> {
        let Self { listening, mut answered } = self;
        drop(listening);
        std::iter::from_fn(|| answered.try_recv().ok()).collect()
    }
}

/// A session that waits for the operator's words, until this is dropped.
struct Listening {
    shared: Arc<Shared>,
    session: u64,
}

impl Listening {
    fn begin(shared: Arc<Shared>, session: u64, listener: Listener) -> Result<Self, RequestError> {
        match shared.lock().entry(session) {
            Entry::Occupied(_) => return Err(super::refused("this session listens already")),
            Entry::Vacant(place) => drop(place.insert(listener)),
        }
        Ok(Self { shared, session })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.session);
    }
}

/// The store gives rows in the order in which it is asked, so all are asked in order before any has answered: they
/// become durable together, and the first lines at least as early as the later ones.
async fn in_order<F, T, E>(futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    enum Slot<F: Future> {
        Asked(Pin<Box<F>>),
        Answered(Option<F::Output>),
    }
    let mut slots: Vec<_> = futures.into_iter().map(|future| Slot::Asked(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut pending = false;
        for slot in &mut slots {
            if let Slot::Asked(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *slot = Slot::Answered(Some(output)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let answers = slots.into_iter().filter_map(|slot| match slot {
        Slot::Answered(output) => output,
        Slot::Asked(_) => None,
    });
    answers.collect()
}

fn check(stream: &str, number: u64, texts: &[String]) -> Result<(), RequestError> {
    let last = number.checked_add(texts.len() as u64);
    let wrong = if !is_id(stream, MAX_LOG_STREAM) {
        format!("the name of a stream is 1 to {MAX_LOG_STREAM} visible ASCII characters")
    } else if last.is_none_or(|last| last > MAX_INTEGER) {
        "the number of a line is at most 2^53-1".to_owned()
    } else if !(1..=MAX_LOG_LINES).contains(&texts.len()) {
        format!("1 to {MAX_LOG_LINES} lines are sent at once, not {}", texts.len())
    } else if let Some(long) = texts.iter().find(|text| text.len() > MAX_LOG_TEXT) {
        format!("a line has at most {MAX_LOG_TEXT} bytes, and one has {}", long.len())
    } else {
        return Ok(());
    };
    Err(RequestError::new(ErrorCode::BadRequest, wrong))
}

/// Whether a client may call something so.
pub(super) fn is_id(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What is left when a task of ours has failed.
pub(super) fn failed() -> RequestError {
    RequestError::new(ErrorCode::Internal, "the server could not answer; its log says why")
}

/// The lines of the log file: `ROW DD-MM-YYYY HH:MM:SS ADDRESS [NAME] : TEXT`, in the server's local time.
pub struct LogRows(pub Store);

impl Rows for LogRows {
    const AROUND_NUMBER: [&'static str; 2] = ["", " "];

    async fn after(&self, row: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self.0.log_after(row, limit).await?;
        let zone = TimeZone::system();
        Ok(rows.into_iter().map(|found| (found.row, line(&found, &zone))).collect())
    }
}

fn line(row: &LogRow, zone: &TimeZone) -> String {
    let LogRow { row, message: LogMessage { time, address, account, text, .. } } = row;
    let time = Timestamp::from_millisecond(*time).unwrap_or_default().to_zoned(zone.clone());
    let time = time.strftime("%d-%m-%Y %H:%M:%S");
    let name = account.as_ref().map_or(String::new(), |name| format!(" [{name}]"));
    format!("{row} {time} {}{name} : {}", Visible(address), Visible(text))
}
