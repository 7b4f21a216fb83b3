//! Python's pickle, protocols 0 to 5, as far as it is data.
//!
//! A pickle is a program for a machine with a stack and a memo, and some of its opcodes import and call what they like.
//! This machine has the opcodes that build data; it refuses the others by name, so that there is nothing in it that could
//! be run. It is our own because Python's would run them, and because the libraries that read pickles as data bound
//! neither the nesting nor what references to the memo expand to.
//!
//! No opcode takes more work than its bytes in the document, or than the values that it takes from the stack. The opcodes
//! are described in Python's Lib/pickletools.py.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::{Reason, excerpt};
use super::value::{Integer, Value};
use super::{MAX_DIGITS, Refusal};
use arena::{Arena, Id, Node, Sequence};
use input::Input;

mod arena;
mod input;
mod opcode;
#[cfg(test)]
mod tests;
mod write;

pub(super) use write::encode;

/// The latest protocol that we know.
const LAST_PROTOCOL: u8 = 5;

/// Reads a pickled dictionary.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    let mut machine = Machine { input: Input::new(bytes), ..Machine::default() };
    loop {
        let at = machine.input.at();
        match machine.step(at) {
            Ok(None) => {}
            Ok(Some(root)) => return machine.arena.value(root).map_err(|reason| (reason, None)),
            Err(reason) => return Err((reason, Some(at))),
        }
    }
}

#[derive(Default)]
struct Machine<'a> {
    input: Input<'a>,
    arena: Arena<'a>,
    stack: Vec<Id>,
    /// How high the stack was at each MARK that is still open.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Does what the next opcode says. The last one gives the value.
    fn step(&mut self, at: usize) -> Result<Option<Id>, Reason> {
        let opcode = self.input.u8()?;
        match opcode {
            opcode::STOP => return self.stop().map(Some),
            opcode::PROTO => self.protocol(at)?,
            opcode::FRAME => self.frame()?,
            opcode::MARK => self.marks.push(self.stack.len()),
            opcode::POP => self.pop_value_or_mark()?,
            opcode::POP_MARK => drop(self.pop_to_mark()?),
            opcode::DUP => self.stack.push(self.top()?),
            _ => {
                if !self.scalar(opcode)? && !self.collection(opcode)? && !self.memory(opcode)? {
                    return Err(opcode::refusal(opcode, self));
                }
            }
        }
        Ok(None)
    }

    fn stop(&mut self) -> Result<Id, Reason> {
        let root = self.pop()?;
        if !self.stack.is_empty() || !self.marks.is_empty() {
            return Err(Reason::malformed("the pickle ends with values left over"));
        }
        match self.input.left() {
            0 => Ok(root),
            left => Err(Reason::Malformed(format!("{left} bytes after the end of the pickle"))),
        }
    }

    fn protocol(&mut self, at: usize) -> Result<(), Reason> {
        let protocol = self.input.u8()?;
        if protocol > LAST_PROTOCOL {
            return Err(Reason::Malformed(format!("pickle protocol {protocol}; the latest is {LAST_PROTOCOL}")));
        }
        if at == 0 { Ok(()) } else { Err(Reason::malformed("PROTO inside of a pickle")) }
    }

    /// Frames help those who read from a file; all bytes are here already.
    fn frame(&mut self) -> Result<(), Reason> {
        let length = self.input.u64()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.input.left() => Ok(()),
            _ => Err(Reason::Malformed(format!("a frame of {length} bytes, of which {} are there", self.input.left()))),
        }
    }

    /// Whether the opcode is of a value that has no others in it.
    fn scalar(&mut self, opcode: u8) -> Result<bool, Reason> {
        let node = match opcode {
            opcode::NONE => Node::Null,
            opcode::NEWTRUE => Node::Bool(true),
            opcode::NEWFALSE => Node::Bool(false),
            opcode::INT => match self.input.line()? {
                b"00" => Node::Bool(false),
                b"01" => Node::Bool(true),
                decimal => Node::Integer(integer(decimal)?),
            },
            opcode::LONG => {
                let line = self.input.line()?;
                Node::Integer(integer(line.strip_suffix(b"L").unwrap_or(line))?)
            }
            opcode::BININT => Node::Integer(i64::from(self.input.i32()?).into()),
            opcode::BININT1 => Node::Integer(i64::from(self.input.u8()?).into()),
            opcode::BININT2 => Node::Integer(i64::from(self.input.u16()?).into()),
            opcode::LONG1 => Node::Integer(Integer::from_le_bytes(self.input.counted_u8()?)?),
            opcode::LONG4 => Node::Integer(Integer::from_le_bytes(self.input.counted_i32()?)?),
            opcode::FLOAT => Node::Float(float(self.input.line()?)?),
            opcode::BINFLOAT => Node::Float(finite(self.input.f64()?)?),
            opcode::UNICODE => Node::Text(Cow::Owned(raw_unicode_escape(self.input.line()?)?)),
            opcode::SHORT_BINUNICODE => Node::Text(text(self.input.counted_u8()?)?),
            opcode::BINUNICODE => Node::Text(text(self.input.counted_u32()?)?),
            opcode::BINUNICODE8 => Node::Text(text(self.input.counted_u64()?)?),
            opcode::SHORT_BINBYTES => Node::Bytes(self.input.counted_u8()?),
            opcode::BINBYTES => Node::Bytes(self.input.counted_u32()?),
            opcode::BINBYTES8 | opcode::BYTEARRAY8 => Node::Bytes(self.input.counted_u64()?),
            _ => return Ok(false),
        };
        self.push(node);
        Ok(true)
    }

    /// Whether the opcode makes or fills a list, tuple, set or dictionary.
    fn collection(&mut self, opcode: u8) -> Result<bool, Reason> {
        match opcode {
            opcode::EMPTY_LIST => self.push(Node::Sequence(Sequence::List, Vec::new())),
            opcode::EMPTY_TUPLE => self.push(Node::Sequence(Sequence::Tuple, Vec::new())),
            opcode::EMPTY_SET => self.push(Node::Sequence(Sequence::Set, Vec::new())),
            opcode::EMPTY_DICT => self.push(Node::Map(Vec::new())),
            opcode::LIST => self.push_to_mark(Sequence::List)?,
            opcode::TUPLE => self.push_to_mark(Sequence::Tuple)?,
            opcode::FROZENSET => self.push_to_mark(Sequence::FrozenSet)?,
            opcode::TUPLE1 => self.push_tuple(1)?,
            opcode::TUPLE2 => self.push_tuple(2)?,
            opcode::TUPLE3 => self.push_tuple(3)?,
            opcode::DICT => {
                let items = self.pop_to_mark()?;
                self.push(Node::Map(entries(&items)?));
            }
            opcode::APPEND => {
                let item = self.pop()?;
                self.arena.extend(self.top()?, Sequence::List, &[item])?;
            }
            opcode::APPENDS | opcode::ADDITEMS => {
                let items = self.pop_to_mark()?;
                let kind = if opcode == opcode::APPENDS { Sequence::List } else { Sequence::Set };
                self.arena.extend(self.top()?, kind, &items)?;
            }
            opcode::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.arena.insert(self.top()?, &[(key, value)])?;
            }
            opcode::SETITEMS => {
                let items = self.pop_to_mark()?;
                self.arena.insert(self.top()?, &entries(&items)?)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the opcode keeps a value in the memo or takes one from there.
    fn memory(&mut self, opcode: u8) -> Result<bool, Reason> {
        let index = match opcode {
            opcode::PUT | opcode::GET => self.input.index()?,
            opcode::BINPUT | opcode::BINGET => u32::from(self.input.u8()?),
            opcode::LONG_BINPUT | opcode::LONG_BINGET => self.input.u32()?,
            // There are no more of them than bytes.
            opcode::MEMOIZE => self.memo.len() as u32,
            _ => return Ok(false),
        };
        if matches!(opcode, opcode::GET | opcode::BINGET | opcode::LONG_BINGET) {
            let kept = self.memo.get(&index);
            self.stack.push(*kept.ok_or_else(|| Reason::Malformed(format!("the memo has no value {index}")))?);
        } else {
            self.memo.insert(index, self.top()?);
        }
        Ok(true)
    }

    fn push(&mut self, node: Node<'a>) {
        self.stack.push(self.arena.add(node));
    }

    fn push_to_mark(&mut self, kind: Sequence) -> Result<(), Reason> {
        let items = self.pop_to_mark()?;
        self.push(Node::Sequence(kind, items));
        Ok(())
    }

    fn push_tuple(&mut self, length: usize) -> Result<(), Reason> {
        let start = self.stack.len().checked_sub(length).filter(|start| *start >= self.floor());
        let items = self.stack.split_off(start.ok_or_else(too_little)?);
        self.push(Node::Sequence(Sequence::Tuple, items));
        Ok(())
    }

    /// Where the values below the last mark end, which nothing may take before the mark is gone.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Reason> {
        self.stack[self.floor()..].last().copied().ok_or_else(too_little)
    }

    fn pop(&mut self) -> Result<Id, Reason> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Reason> {
        let mark = self.marks.pop().ok_or_else(|| Reason::malformed("an opcode needs a MARK, and none is open"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_value_or_mark(&mut self) -> Result<(), Reason> {
        if self.pop().is_err() {
            self.pop_to_mark()?;
        }
        Ok(())
    }
}

fn too_little() -> Reason {
    Reason::malformed("an opcode needs more values than there are")
}

fn entries(items: &[Id]) -> Result<Vec<(Id, Id)>, Reason> {
    match items.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err(Reason::malformed("a key without a value")),
    }
}

fn integer(decimal: &[u8]) -> Result<Integer, Reason> {
    let text = str::from_utf8(decimal).map_err(|_| Reason::malformed("not a whole number"))?;
    Integer::from_decimal(text)
}

fn float(line: &[u8]) -> Result<f64, Reason> {
    let malformed = || Reason::Malformed(format!("`{}` is no float", excerpt(&String::from_utf8_lossy(line))));
    // No float needs as much; Python writes 17 digits and an exponent.
    let text = str::from_utf8(line).ok().filter(|text| text.len() <= MAX_DIGITS).ok_or_else(malformed)?;
    finite(text.parse().map_err(|_| malformed())?)
}

fn finite(value: f64) -> Result<f64, Reason> {
    if value.is_finite() { Ok(value) } else { Err(Reason::NotFinite) }
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Reason> {
    // Half a surrogate pair is three bytes that are not UTF-8; Python passes them.
    str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Reason::malformed("a text that is not UTF-8"))
}

/// The text of protocol 0: Latin-1; what is not in it, and a backslash, as `\u` and 4 hex digits or `\U` and 8.
fn raw_unicode_escape(line: &[u8]) -> Result<String, Reason> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            text.push(char::from(*byte));
            continue;
        }
        let digits = match rest.next() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            // Two backslashes are two, and then no escape begins with the second.
            other => {
                text.push('\\');
                text.extend(other.map(|byte| char::from(*byte)));
                continue;
            }
        };
        let code = rest.as_slice().get(..digits).and_then(|hex| hex.iter().try_fold(0u32, add_hex_digit));
        let c = code.and_then(char::from_u32);
        text.push(c.ok_or_else(|| Reason::malformed("an escape in a text that stands for no character"))?);
        rest = rest.as_slice()[digits..].iter();
    }
    Ok(text)
}

fn add_hex_digit(code: u32, digit: &u8) -> Option<u32> {
    Some(code << 4 | char::from(*digit).to_digit(16)?)
}
