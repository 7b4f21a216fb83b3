//! The opcodes of a pickle by the names of Python's pickletools, and why some are refused.

use super::Machine;
use super::arena::Node;
use super::input::Input;
use crate::document::error::{Reason, excerpt};

pub(super) const MARK: u8 = b'(';
pub(super) const STOP: u8 = b'.';
pub(super) const POP: u8 = b'0';
pub(super) const POP_MARK: u8 = b'1';
pub(super) const DUP: u8 = b'2';
pub(super) const PROTO: u8 = 0x80;
pub(super) const FRAME: u8 = 0x95;

pub(super) const NONE: u8 = b'N';
pub(super) const NEWTRUE: u8 = 0x88;
pub(super) const NEWFALSE: u8 = 0x89;
pub(super) const INT: u8 = b'I';
pub(super) const LONG: u8 = b'L';
pub(super) const BININT: u8 = b'J';
pub(super) const BININT1: u8 = b'K';
pub(super) const BININT2: u8 = b'M';
pub(super) const LONG1: u8 = 0x8a;
pub(super) const LONG4: u8 = 0x8b;
pub(super) const FLOAT: u8 = b'F';
pub(super) const BINFLOAT: u8 = b'G';
pub(super) const UNICODE: u8 = b'V';
pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
pub(super) const BINUNICODE: u8 = b'X';
pub(super) const BINUNICODE8: u8 = 0x8d;
pub(super) const SHORT_BINBYTES: u8 = b'C';
pub(super) const BINBYTES: u8 = b'B';
pub(super) const BINBYTES8: u8 = 0x8e;
pub(super) const BYTEARRAY8: u8 = 0x96;

pub(super) const EMPTY_LIST: u8 = b']';
pub(super) const EMPTY_TUPLE: u8 = b')';
pub(super) const EMPTY_SET: u8 = 0x8f;
pub(super) const EMPTY_DICT: u8 = b'}';
pub(super) const LIST: u8 = b'l';
pub(super) const TUPLE: u8 = b't';
pub(super) const TUPLE1: u8 = 0x85;
pub(super) const TUPLE2: u8 = 0x86;
pub(super) const TUPLE3: u8 = 0x87;
pub(super) const FROZENSET: u8 = 0x91;
pub(super) const DICT: u8 = b'd';
pub(super) const APPEND: u8 = b'a';
pub(super) const APPENDS: u8 = b'e';
pub(super) const ADDITEMS: u8 = 0x90;
pub(super) const SETITEM: u8 = b's';
pub(super) const SETITEMS: u8 = b'u';

pub(super) const PUT: u8 = b'p';
pub(super) const BINPUT: u8 = b'q';
pub(super) const LONG_BINPUT: u8 = b'r';
pub(super) const MEMOIZE: u8 = 0x94;
pub(super) const GET: u8 = b'g';
pub(super) const BINGET: u8 = b'h';
pub(super) const LONG_BINGET: u8 = b'j';

const NEVER_RUN: &str = "a submission is read as data, and nothing in it is run";

/// Types that older protocols have no opcode for: what Python imports for them, and what to do instead.
const TYPES: [(&str, &str, &str); 5] = [
    ("_codecs", "encode", "that is how Python writes bytes before protocol 3: pickle with protocol 3 or later"),
    ("builtins", "bytes", "that is how Python writes bytes before protocol 3: pickle with protocol 3 or later"),
    ("builtins", "bytearray", "that is how Python writes a bytearray before protocol 5: pickle with protocol 5"),
    ("builtins", "set", "that is how Python writes a set before protocol 4: pickle with protocol 4 or later"),
    (
        "builtins",
        "frozenset",
        "that is how Python writes a frozenset before protocol 4: pickle with protocol 4 or later",
    ),
];

/// Why this opcode is not followed; the machine stands right behind it.
pub(super) fn refusal(opcode: u8, machine: &mut Machine<'_>) -> Reason {
    let would = |opcode, deed: &str| Reason::WouldRun { opcode, deed: deed.to_owned(), advice: NEVER_RUN };
    match opcode {
        b'c' => named_by_lines("GLOBAL", "import", &mut machine.input),
        b'i' => named_by_lines("INST", "import and call", &mut machine.input),
        0x93 => named_by_stack(machine),
        b'o' => would("OBJ", "call what was imported"),
        b'R' => would("REDUCE", "call a function"),
        b'b' => would("BUILD", "set the state of an object"),
        0x81 => would("NEWOBJ", "create an object"),
        0x92 => would("NEWOBJ_EX", "create an object"),
        0x82 => would("EXT1", "import what a registry names"),
        0x83 => would("EXT2", "import what a registry names"),
        0x84 => would("EXT4", "import what a registry names"),
        b'P' => would("PERSID", "fetch an object from elsewhere"),
        b'Q' => would("BINPERSID", "fetch an object from elsewhere"),
        0x97 => would("NEXT_BUFFER", "take a buffer that is not in the pickle"),
        0x98 => would("READONLY_BUFFER", "take a buffer that is not in the pickle"),
        b'S' => Reason::OldString("STRING"),
        b'T' => Reason::OldString("BINSTRING"),
        b'U' => Reason::OldString("SHORT_BINSTRING"),
        other => Reason::Malformed(format!("no pickle has an opcode {other:#04x}")),
    }
}

/// What is imported stands behind the opcode, in two lines.
fn named_by_lines(opcode: &'static str, deed: &str, input: &mut Input<'_>) -> Reason {
    let [module, name] = [input.line(), input.line()].map(|line| String::from_utf8_lossy(line.unwrap_or_default()));
    import(opcode, deed, &module, &name)
}

/// What is imported are the two values on the stack.
fn named_by_stack(machine: &mut Machine<'_>) -> Reason {
    let [name, module] = [machine.pop(), machine.pop()].map(|id| match id.map(|id| machine.arena.node(id)) {
        Ok(Node::Text(text)) => text.as_ref(),
        _ => "?",
    });
    import("STACK_GLOBAL", "import", module, name)
}

fn import(opcode: &'static str, deed: &str, module: &str, name: &str) -> Reason {
    // Before protocol 3 the module has the name that it had in Python 2.
    let today = if module == "__builtin__" { "builtins" } else { module };
    let known = TYPES.iter().find(|(known, class, _)| (*known, *class) == (today, name));
    let advice = known.map_or(NEVER_RUN, |(_, _, advice)| advice);
    Reason::WouldRun { opcode, deed: format!("{deed} {}", excerpt(&format!("{module}.{name}"))), advice }
}
