//! Why a document is not taken, in words that repeat no more of it than they must.

use std::fmt;

use super::{Format, MAX_DIGITS, MAX_DOCUMENT, MAX_NESTING, MAX_TEXT, MAX_VALUES};
use crate::model::Visible;

/// The most characters of a document that an error repeats.
const MAX_EXCERPT: usize = 60;

/// Why there is no value, or no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is larger than any document may be.
    #[error("a document has at most {MAX_DOCUMENT} bytes, and this one has {0}")]
    TooLarge(usize),
    /// There is nothing in it.
    #[error("the document is empty; what can be submitted is json, binary (a pickle) or xml")]
    Empty,
    /// No format was given, and the beginning tells none.
    #[error("the document begins with `{0}`, which tells none of the formats json, binary (a pickle) and xml")]
    Unrecognized(String),
    /// It is not what a document of this format may be.
    #[error("refused as {format}{}: {reason}", Place(*.at))]
    Refused {
        /// The format that it was read as.
        format: Format,
        /// The first byte of what is wrong, if one place is.
        at: Option<usize>,
        /// What is wrong.
        reason: Reason,
    },
    /// The pairs have no document of this format.
    #[error("cannot be written as {format}: {reason}")]
    Unwritable {
        /// The format that was asked for.
        format: Format,
        /// What is in the way.
        reason: Reason,
    },
}

struct Place(Option<usize>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |at| write!(f, " at byte {at}"))
    }
}

/// What is wrong with a document. Texts in it are excerpts that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It does not follow its format.
    #[error("{0}")]
    Malformed(String),
    /// It is not a dictionary.
    #[error("the document is {0}, and only dictionaries are submitted")]
    NotADictionary(&'static str),
    /// Too much lies inside one another.
    #[error("nested deeper than {MAX_NESTING} levels")]
    TooDeep,
    /// It has too many values.
    #[error("more than {MAX_VALUES} values, each counted as often as it occurs")]
    TooManyValues,
    /// Its texts are too long together.
    #[error("more than {MAX_TEXT} bytes of text, each counted as often as it occurs")]
    TooMuchText,
    /// It has a number that is too long.
    #[error("a whole number of more than {MAX_DIGITS} digits")]
    TooManyDigits,
    /// It has a number that JSON does not have.
    #[error("NaN and infinities are not data; leave them out, or write them as text")]
    NotFinite,
    /// Two values for one key.
    #[error("the key `{0}` twice in one dictionary")]
    KeyTwice(String),
    /// A key that has no text form.
    #[error("{0} as a key; keys are texts, numbers, booleans and None")]
    WrongKey(&'static str),
    /// A pickle that is a program.
    #[error("opcode {opcode} would {deed}; {advice}")]
    WouldRun {
        /// The name that Python's pickletools gives to the opcode.
        opcode: &'static str,
        /// What it would do.
        deed: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A pickle with text of a version of Python that kept no record of its encoding.
    #[error(
        "opcode {0} is a string of Python 2, in an encoding that it does not tell; pickle unicode, or with Python 3"
    )]
    OldString(&'static str),
    /// A list or dictionary that is inside itself.
    #[error("a list or dictionary that contains itself")]
    Loop,
    /// An XML document with a document type.
    #[error("a DTD (<!DOCTYPE ...>) is never read; leave it out")]
    Dtd,
    /// An XML document with an entity of its own.
    #[error("the entity `&{0};` is not one of the five that XML has; write the character itself, or its number")]
    Entity(String),
    /// An XML document with a processing instruction.
    #[error("the processing instruction `{0}` is for other programs; leave it out")]
    Instruction(String),
    /// An XML document with an attribute.
    #[error("the attribute `{0}` would be lost; make it an element")]
    Attribute(String),
    /// An XML document with text beside elements.
    #[error("text beside elements inside of <{0}>; an element has either")]
    Mixed(String),
    /// An XML document with another root.
    #[error("the outermost element is <{0}>; it has to be <data>")]
    Root(String),
    /// An XML document in another encoding.
    #[error("the encoding `{0}`; XML is submitted in utf-8 or us-ascii")]
    Encoding(String),
    /// A character that XML 1.0 does not have, however it is written.
    #[error("the character U+{:04X}, which XML 1.0 cannot hold", u32::from(*.0))]
    Character(char),
    /// A text that is not the name of an element.
    #[error(
        "`{0}` is no name of an XML element: those begin with a letter or `_`, and have letters, digits, `_`, `-`, `.`"
    )]
    NotAName(String),
}

impl Reason {
    /// What does not follow the format, in our own words.
    pub(super) fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }
}

/// The format is not one that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a format is json, binary or xml")]
pub struct ParseFormatError;

/// As much of somebody's text as an error may repeat, made visible.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    let mut room = MAX_EXCERPT;
    for c in text.chars() {
        let piece = Visible(c.encode_utf8(&mut [0; 4])).to_string();
        // The ellipsis takes the last place.
        match room.checked_sub(piece.chars().count()) {
            Some(left) if left > 0 => room = left,
            _ => return shown + "…",
        }
        shown.push_str(&piece);
    }
    shown
}
