//! Asks what is answered once, and tells what was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::link::{Break, collected, turned};
use super::listening::Note;
use super::{AskError, Question, Shared};
use crate::client::{CallError, Client};
use crate::model::name::Target;
use crate::protocol::ErrorCode;
use crate::protocol::chat::{ChatReply, ChatRequest};

/// How many questions may be under way.
const MAX_UNDER_WAY: usize = 8;

/// What was asked and is not answered. Outlives the sessions.
pub(super) struct Asking {
    questions: mpsc::Receiver<Question>,
    /// In the order in which they were asked.
    open: BTreeMap<u64, Question>,
    next: u64,
    /// What the server is being told to have been read.
    reading: Option<(Target, u64)>,
    shared: Arc<Shared>,
}

/// What has been answered.
enum Answer {
    Question(u64, Result<Vec<ChatReply>, CallError>),
    Read(Result<Vec<ChatReply>, CallError>),
}

impl Asking {
    pub(super) fn new(questions: mpsc::Receiver<Question>, shared: Arc<Shared>) -> Self {
        Self { questions, open: BTreeMap::new(), next: 0, reading: None, shared }
    }

    /// Whether every question is answered.
    pub(super) fn is_done(&mut self) -> bool {
        self.open.retain(|_, question| !question.answer.is_closed());
        self.questions.is_empty() && self.open.is_empty()
    }

    /// Asks in one session; done when nothing more is wanted, every post is settled, and everything is answered and told.
    pub(super) async fn run(
        &mut self,
        client: &Client,
        notes: mpsc::UnboundedSender<Note>,
        mut settled: watch::Receiver<bool>,
    ) -> Result<(), Break> {
        let mut under_way = JoinSet::new();
        self.tell_again();
        self.is_done();
        for (id, question) in &self.open {
            ask(&mut under_way, client, *id, question);
        }
        loop {
            self.tell_read(&mut under_way, client);
            let leaving = *settled.borrow();
            if leaving && self.is_done() && self.reading.is_none() {
                return Ok(());
            }
            let read_more = self.shared.clone();
            tokio::select! {
                Some(question) = self.questions.recv(), if self.open.len() < MAX_UNDER_WAY => {
                    self.next += 1;
                    ask(&mut under_way, client, self.next, &question);
                    self.open.insert(self.next, question);
                }
                Some(answer) = under_way.join_next() => match answer.map_err(Break::lost)? {
                    Answer::Question(id, answer) => self.answer(id, answer, &notes)?,
                    Answer::Read(answer) => self.read(answer)?,
                },
                () = read_more.read_more.notified() => {}
                () = turned(&mut settled), if !leaving => {}
            }
        }
    }

    /// One conversation at a time; what is read meanwhile is told together.
    fn tell_read(&mut self, under_way: &mut JoinSet<Answer>, client: &Client) {
        if self.reading.is_none()
            && let Some((with, seq)) = self.shared.take_read()
        {
            self.reading = Some((with.clone(), seq));
            let replies = client.chat(ChatRequest::Read { with, seq });
            under_way.spawn(async move { Answer::Read(collected(replies).await) });
        }
    }

    /// What the last session was told, it may not have heard.
    fn tell_again(&mut self) {
        if let Some((with, seq)) = self.reading.take() {
            self.shared.note_read(with, seq);
        }
    }

    fn read(&mut self, answer: Result<Vec<ChatReply>, CallError>) -> Result<(), Break> {
        match answer {
            // That it was read is not worth a word if the server does not want to know, or answers anything.
            Ok(_) | Err(CallError::Request(_) | CallError::Nonsense(_)) => {
                self.reading = None;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn answer(
        &mut self,
        id: u64,
        answer: Result<Vec<ChatReply>, CallError>,
        notes: &mpsc::UnboundedSender<Note>,
    ) -> Result<(), Break> {
        let answer = match answer {
            Ok(replies) => Ok(replies),
            Err(CallError::Request(error)) if error.code != ErrorCode::ShuttingDown => Err(error.into()),
            // It would be the same in the next session. If this one broke with it, whoever listens will say so.
            Err(CallError::Nonsense(_)) => Err(AskError::Nonsense),
            Err(error) => return Err(error.into()),
        };
        let Some(Question { request, answer: asker }) = self.open.remove(&id) else { return Ok(()) };
        if let Ok(replies) = &answer {
            let joined = replies.iter().find_map(|reply| match (&request, reply) {
                (ChatRequest::Join { .. }, ChatReply::Conversation(joined)) => Some(Note::Joined(joined.clone())),
                _ => None,
            });
            let note = match &request {
                ChatRequest::Leave { room } => Some(Note::Left(Target::Room(room.clone()))),
                _ => joined,
            };
            // Whoever listens is gone only with the session.
            let _ = note.map(|note| notes.send(note));
        }
        // Whoever asked may not wait any more.
        let _ = asker.send(answer);
        Ok(())
    }
}

fn ask(under_way: &mut JoinSet<Answer>, client: &Client, id: u64, question: &Question) {
    let replies = client.chat(question.request.clone());
    under_way.spawn(async move { Answer::Question(id, collected(replies).await) });
}
