//! XML 1.0 as Python's ElementTree writes it: elements with text or with elements, and nothing else.
//!
//! ```text
//! <data><name>Ada</name><tag>a</tag><tag>b</tag><at><x>1</x></at></data>
//! {"name": "Ada", "tag": ["a", "b"], "at": {"x": "1"}}
//! ```
//! quick-xml splits the text into events, and neither reads a DTD nor expands an entity; nor do we.

use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::error::{Reason, excerpt};
use super::value::Value;
use super::{MAX_NESTING, MAX_VALUES, Refusal, without_mark};
use element::{Element, Grown};
use name::is_name;

mod element;
mod name;
mod write;

pub(super) use write::encode;

/// The outermost element.
const ROOT: &str = "data";

/// Reads a `<data>` element.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    let xml = without_mark(bytes);
    let before = bytes.len() - xml.len();
    let text = str::from_utf8(xml)
        .map_err(|error| (Reason::malformed("the document is not UTF-8"), Some(before + error.valid_up_to())))?;
    if let Some((at, odd)) = text.char_indices().find(|(_, c)| !is_character(*c)) {
        return Err((Reason::Character(odd), Some(before + at)));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut tree = Tree { is_ascii: text.is_ascii(), ..Tree::default() };
    loop {
        let at = position(reader.buffer_position());
        let taken = match reader.read_event() {
            Ok(Event::Eof) => return tree.finish().map_err(|reason| (reason, Some(bytes.len()))),
            Ok(event) => tree.take(&event, at).map_err(|reason| (reason, at)),
            Err(error) => Err((reason(&error), position(reader.error_position()))),
        };
        taken.map_err(|(reason, at)| (reason, Some(before + at)))?;
    }
}

/// The document is in memory: its positions fit.
fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn reason(error: &quick_xml::Error) -> Reason {
    Reason::Malformed(match error {
        quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            format!("</{}> where </{}> belongs", excerpt(found), excerpt(expected))
        }
        other => excerpt(&other.to_string()),
    })
}

/// Whether XML 1.0 has the character (section 2.2, Char).
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn is_white(text: &str) -> bool {
    text.bytes().all(|byte| b" \t\r\n".contains(&byte))
}

/// What has been read of the document.
#[derive(Default)]
struct Tree {
    /// The elements that are open, the outermost first.
    open: Vec<Element>,
    root: Option<Grown>,
    values: usize,
    is_ascii: bool,
}

impl Tree {
    fn take(&mut self, event: &Event<'_>, at: usize) -> Result<(), Reason> {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::Empty(tag) => self.start(tag).and_then(|()| self.end()),
            Event::End(_) => self.end(),
            Event::Text(text) if text.contains("]]>") => Err(Reason::malformed("`]]>` in a text")),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(_) if self.open.is_empty() => Err(outside()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(_) if self.open.is_empty() => Err(outside()),
            Event::GeneralRef(reference) => self.text(resolve(reference)?.encode_utf8(&mut [0; 4])),
            Event::Comment(_) => Ok(()),
            Event::Decl(declaration) if at == 0 => self.declaration(declaration),
            Event::Decl(_) => Err(Reason::malformed("the XML declaration is not at the beginning")),
            Event::PI(instruction) => Err(Reason::Instruction(excerpt(instruction.target()))),
            Event::DocType(_) => Err(Reason::Dtd),
            Event::Eof => Ok(()),
        }
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), Reason> {
        let version = declaration.version().map_err(|error| reason(&error))?;
        if version != "1.0" {
            return Err(Reason::Malformed(format!("XML {}; the only version read is 1.0", excerpt(&version))));
        }
        let Some(encoding) = declaration.encoding() else { return Ok(()) };
        let encoding = encoding.map_err(|error| Reason::Malformed(excerpt(&error.to_string())))?;
        match encoding.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(()),
            "us-ascii" | "ascii" if self.is_ascii => Ok(()),
            _ => Err(Reason::Encoding(excerpt(&encoding))),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Reason> {
        let name = tag.name().into_inner();
        if self.root.is_some() {
            return Err(outside());
        }
        if !is_name(name) {
            return Err(Reason::NotAName(excerpt(name)));
        }
        let attribute = tag.attributes_raw().trim_ascii();
        if !attribute.is_empty() {
            return Err(Reason::Attribute(excerpt(attribute.split(['=', ' ']).next().unwrap_or_default())));
        }
        match self.open.last() {
            None if name != ROOT => return Err(Reason::Root(excerpt(name))),
            Some(parent) if !is_white(&parent.text) => return Err(Reason::Mixed(excerpt(&parent.name))),
            // The innermost one may have text, which is no level.
            _ if self.open.len() > MAX_NESTING => return Err(Reason::TooDeep),
            _ => {}
        }
        self.count()?;
        self.open.push(Element::new(name));
        Ok(())
    }

    fn text(&mut self, more: &str) -> Result<(), Reason> {
        let Some(element) = self.open.last_mut() else {
            return if is_white(more) { Ok(()) } else { Err(outside()) };
        };
        // The root has no other text either: it is a dictionary.
        let only_elements = element.has_elements() || self.open.len() == 1;
        let Some(element) = self.open.last_mut() else { return Ok(()) };
        if only_elements && !is_white(more) {
            return Err(Reason::Mixed(excerpt(&element.name)));
        }
        element.text.push_str(more);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Reason> {
        let Some(element) = self.open.pop() else { return Err(outside()) };
        let name = element.name.clone();
        let is_root = self.open.is_empty();
        let grown = element.grow(is_root);
        if grown.depth > MAX_NESTING {
            return Err(Reason::TooDeep);
        }
        match self.open.last_mut() {
            None => self.root = Some(grown),
            Some(parent) => {
                if parent.adopt(name, grown) {
                    self.count()?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Reason> {
        self.values += 1;
        if self.values > MAX_VALUES { Err(Reason::TooManyValues) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Value, Reason> {
        if let Some(element) = self.open.pop() {
            return Err(Reason::Malformed(format!("the document ends before </{}>", excerpt(&element.name))));
        }
        self.root.map(|grown| grown.value).ok_or_else(|| Reason::malformed("there is no <data> in the document"))
    }
}

fn outside() -> Reason {
    Reason::malformed("something outside of the one element <data>")
}

/// The character that a reference stands for.
fn resolve(reference: &BytesRef<'_>) -> Result<char, Reason> {
    let name: &str = reference;
    match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => {}
    }
    let Some(number) = name.strip_prefix('#') else { return Err(Reason::Entity(excerpt(name))) };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let signed = digits.starts_with('+');
    let code = u32::from_str_radix(digits, radix).ok().filter(|_| !signed).and_then(char::from_u32);
    match code {
        Some(c) if is_character(c) => Ok(c),
        Some(c) => Err(Reason::Character(c)),
        None => Err(Reason::Malformed(format!("`&{};` stands for no character", excerpt(name)))),
    }
}
