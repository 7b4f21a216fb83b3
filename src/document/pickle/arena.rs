//! The values of a pickle while it is read: each once, however often others refer to it.
//!
//! A few hundred bytes of pickle can refer to 2^40 values, and to a list from inside itself. So values name each other by
//! index here, what a value would expand to is calculated first, once for each, and only what is within the limits is
//! then expanded.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::document::error::{Reason, excerpt};
use crate::document::value::{Integer, Value, float};
use crate::document::{MAX_NESTING, MAX_TEXT, MAX_VALUES};

/// The place of a value in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

/// A value whose parts are elsewhere.
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Integer(Integer),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    Sequence(Sequence, Vec<Id>),
    Map(Vec<(Id, Id)>),
}

/// What becomes a list. They differ in what may be added to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    List,
    Tuple,
    Set,
    FrozenSet,
}

/// All values of a pickle.
#[derive(Default)]
pub(super) struct Arena<'a>(Vec<Node<'a>>);

/// What a value expands to.
#[derive(Clone, Copy)]
struct Size {
    values: usize,
    text: usize,
    depth: usize,
}

/// How far the measuring of a value has come.
#[derive(Clone, Copy)]
enum Measure {
    New,
    /// Some of its parts are being measured: whoever meets it now is one of them.
    Open,
    Done(Size),
}

impl<'a> Arena<'a> {
    pub(super) fn add(&mut self, node: Node<'a>) -> Id {
        self.0.push(node);
        Id(self.0.len() - 1)
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.0[id.0]
    }

    pub(super) fn extend(&mut self, id: Id, kind: Sequence, more: &[Id]) -> Result<(), Reason> {
        match &mut self.0[id.0] {
            Node::Sequence(found, items) if *found == kind => {
                items.extend_from_slice(more);
                Ok(())
            }
            other => Err(Reason::Malformed(format!("items are added to {}", other.kind()))),
        }
    }

    pub(super) fn insert(&mut self, id: Id, more: &[(Id, Id)]) -> Result<(), Reason> {
        match &mut self.0[id.0] {
            Node::Map(entries) => {
                entries.extend_from_slice(more);
                Ok(())
            }
            other => Err(Reason::Malformed(format!("keys are added to {}", other.kind()))),
        }
    }

    /// The dictionary at this place, expanded.
    pub(super) fn value(&self, root: Id) -> Result<Value, Reason> {
        if !matches!(self.node(root), Node::Map(_)) {
            return Err(Reason::NotADictionary(self.node(root).kind()));
        }
        let size = self.measure(root)?;
        if size.depth > MAX_NESTING {
            return Err(Reason::TooDeep);
        }
        if size.values > MAX_VALUES {
            return Err(Reason::TooManyValues);
        }
        if size.text > MAX_TEXT {
            return Err(Reason::TooMuchText);
        }
        self.expand(root)
    }

    /// What the value expands to, without expanding it: each value is measured once, after its parts.
    fn measure(&self, root: Id) -> Result<Size, Reason> {
        let mut measures = vec![Measure::New; self.0.len()];
        // A value and how many of its parts have been measured; a stack of our own, since nesting is not yet bounded.
        let mut open = vec![(root, 0)];
        loop {
            let Some((id, next)) = open.last_mut() else { unreachable!("the root is left by returning its size") };
            let id = *id;
            measures[id.0] = Measure::Open;
            if let Some(part) = self.part(id, *next) {
                *next += 1;
                match measures[part.0] {
                    Measure::New => open.push((part, 0)),
                    Measure::Open => return Err(Reason::Loop),
                    Measure::Done(_) => {}
                }
                continue;
            }
            let size = self.size(id, &measures)?;
            measures[id.0] = Measure::Done(size);
            open.pop();
            if open.is_empty() {
                return Ok(size);
            }
        }
    }

    fn part(&self, id: Id, place: usize) -> Option<Id> {
        match self.node(id) {
            Node::Sequence(_, items) => items.get(place).copied(),
            Node::Map(entries) => entries.get(place).map(|(_, value)| *value),
            _ => None,
        }
    }

    /// The size of a value whose parts are measured.
    fn size(&self, id: Id, measures: &[Measure]) -> Result<Size, Reason> {
        let mut whole = Size { values: 1, text: self.node(id).text(), depth: 0 };
        for place in 0.. {
            let Some(part) = self.part(id, place) else { break };
            if let Measure::Done(size) = measures[part.0] {
                whole.values = whole.values.saturating_add(size.values);
                whole.text = whole.text.saturating_add(size.text);
                whole.depth = whole.depth.max(size.depth);
            }
        }
        if let Node::Map(entries) = self.node(id) {
            for (key, _) in entries {
                whole.text = whole.text.saturating_add(self.key(*key)?.len());
            }
        }
        if matches!(self.node(id), Node::Sequence(..) | Node::Map(_)) {
            whole.depth += 1;
        }
        Ok(whole)
    }

    /// The key's text, as Python's json.dumps would write it.
    fn key(&self, id: Id) -> Result<Cow<'_, str>, Reason> {
        Ok(match self.node(id) {
            Node::Null => "null".into(),
            Node::Bool(true) => "true".into(),
            Node::Bool(false) => "false".into(),
            Node::Integer(value) => value.to_string().into(),
            Node::Float(value) => float(*value).into(),
            Node::Text(text) => text.as_ref().into(),
            other => return Err(Reason::WrongKey(other.kind())),
        })
    }

    /// The value in full. It has been measured: there is an end, and not far below.
    fn expand(&self, id: Id) -> Result<Value, Reason> {
        Ok(match self.node(id) {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Integer(value) => Value::Integer(value.clone()),
            Node::Float(value) => Value::Float(*value),
            Node::Text(text) => Value::Text(text.clone().into_owned()),
            Node::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Node::Sequence(_, items) => Value::List(items.iter().map(|id| self.expand(*id)).collect::<Result<_, _>>()?),
            Node::Map(entries) => {
                let mut seen = HashSet::new();
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.key(*key)?;
                    if !seen.insert(key.clone()) {
                        return Err(Reason::KeyTwice(excerpt(&key)));
                    }
                    map.push((key.into_owned(), self.expand(*value)?));
                }
                Value::Map(map)
            }
        })
    }
}

impl Node<'_> {
    /// What it is, in a sentence.
    fn kind(&self) -> &'static str {
        match self {
            Node::Null => "None",
            Node::Bool(_) => "a boolean",
            Node::Integer(_) => "a whole number",
            Node::Float(_) => "a float",
            Node::Text(_) => "a text",
            Node::Bytes(_) => "bytes",
            Node::Sequence(Sequence::List, _) => "a list",
            Node::Sequence(Sequence::Tuple, _) => "a tuple",
            Node::Sequence(Sequence::Set, _) => "a set",
            Node::Sequence(Sequence::FrozenSet, _) => "a frozenset",
            Node::Map(_) => "a dictionary",
        }
    }

    /// How many bytes of text it has itself.
    fn text(&self) -> usize {
        match self {
            Node::Integer(value) => value.len(),
            Node::Text(text) => text.len(),
            Node::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}
