//! XML 1.0 as Python's ElementTree writes it: elements with text or with elements, and nothing else.
//!
//! ```text
//! <data><name>Ada</name><tag>a</tag><tag>b</tag><at><x>1</x></at></data>
//! {"name": "Ada", "tag": ["a", "b"], "at": {"x": "1"}}
//! ```
//! quick-xml splits the text into events, and neither reads a DTD nor expands an entity; nor do we.

use std::mem;

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
        // The innermost element may have text, which is no level.
        if self.open.len() > MAX_NESTING {
            return Err(Reason::TooDeep);
        }
        match self.open.last_mut() {
            None if name != ROOT => return Err(Reason::Root(excerpt(name))),
            None => {}
            Some(parent) if !is_white(&parent.text) => return Err(Reason::Mixed(excerpt(&parent.name))),
            // So that the next child does not look through it again.
            Some(parent) => parent.text.clear(),
        }
        self.count()?;
        self.open.push(Element::new(name));
        Ok(())
    }

    fn text(&mut self, more: &str) -> Result<(), Reason> {
        // The root has no text: it is a dictionary.
        let is_root = self.open.len() == 1;
        let Some(element) = self.open.last_mut() else {
            return if is_white(more) { Ok(()) } else { Err(outside()) };
        };
        if is_root || element.has_elements() {
            return if is_white(more) { Ok(()) } else { Err(Reason::Mixed(excerpt(&element.name))) };
        }
        element.text.push_str(more);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Reason> {
        let Some(mut element) = self.open.pop() else { return Err(outside()) };
        let name = mem::take(&mut element.name);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> String {
        decode(xml.as_bytes()).unwrap_or_else(|(reason, at)| panic!("{xml}: {reason} {at:?}")).to_json()
    }

    fn refusal(xml: impl AsRef<[u8]>) -> Reason {
        decode(xml.as_ref()).unwrap_err().0
    }

    fn malformed(xml: &str) -> String {
        match refusal(xml) {
            Reason::Malformed(what) => what,
            other => panic!("{xml}: {other}"),
        }
    }

    #[test]
    fn elements_are_dictionaries_lists_and_texts() {
        let xml =
            "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- Ada -->\n<data>\n  <name>Ada</name>\n  <tag>a</tag>
            <at><x> 1 </x><y/></at><tag></tag ><tag><z>\n</z></tag></data>\n";
        assert_eq!(read(xml), r#"{"name": "Ada", "tag": ["a", "", {"z": "\n"}], "at": {"x": " 1 ", "y": ""}}"#);
        assert_eq!(read("<data/>"), "{}");
        assert_eq!(read("<data> <!-- nothing --> </data>"), "{}");
    }

    #[test]
    fn texts_are_what_they_stand_for() {
        let xml =
            "<data><a>&lt;&amp;&gt;&quot;&apos; &#233;&#x2603;&#13;\r\n</a><b>x<!-- y -->z<![CDATA[<&lt;]]></b></data>";
        assert_eq!(read(xml), r#"{"a": "<&>\"' é☃\r\n", "b": "xz<&lt;"}"#);
    }

    #[test]
    fn entities_and_document_types_are_never_read() {
        let laughs = r#"<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><data><x>&b;</x></data>"#;
        assert_eq!(refusal(laughs), Reason::Dtd);
        let outside =
            r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><data><x>&f;</x></data>"#;
        assert_eq!(refusal(outside), Reason::Dtd);
        assert_eq!(refusal("<data><!DOCTYPE d></data>"), Reason::Dtd);
        assert_eq!(refusal("<data><x>&f;</x></data>"), Reason::Entity("f".into()));
        assert_eq!(refusal("<?php x?><data/>"), Reason::Instruction("php".into()));
        assert_eq!(refusal("<data><?xml-stylesheet href='x'?></data>"), Reason::Instruction("xml-stylesheet".into()));
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        assert_eq!(refusal("<data><a id='1'>x</a></data>"), Reason::Attribute("id".into()));
        assert_eq!(refusal("<data xmlns=\"urn:x\"/>"), Reason::Attribute("xmlns".into()));
        assert_eq!(refusal("<data><a\n\tid  = '1'/></data>"), Reason::Attribute("id".into()));
        assert_eq!(refusal("<data>x</data>"), Reason::Mixed("data".into()));
        assert_eq!(refusal("<data>&#120;</data>"), Reason::Mixed("data".into()));
        assert_eq!(refusal("<data><a>x<b/></a></data>"), Reason::Mixed("a".into()));
        assert_eq!(refusal("<data><a><b/>x</a></data>"), Reason::Mixed("a".into()));
        assert_eq!(refusal("<html/>"), Reason::Root("html".into()));
        assert_eq!(refusal("<data><x:y/></data>"), Reason::NotAName("x:y".into()));
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        assert_eq!(refusal("<data><a>\u{1}</a></data>"), Reason::Character('\u{1}'));
        assert_eq!(refusal("<data><a>&#1;</a></data>"), Reason::Character('\u{1}'));
        assert_eq!(refusal("<data><a>&#xFFFE;</a></data>"), Reason::Character('\u{fffe}'));
        assert_eq!(refusal("<data><a>&#0;</a></data>"), Reason::Character('\0'));
        assert_eq!(refusal("<data><1/></data>"), Reason::NotAName("1".into()));
        assert_eq!(refusal("<data>< a/></data>"), Reason::NotAName(String::new()));
        assert_eq!(malformed("<data><a>&#+65;</a></data>"), "`&#+65;` stands for no character");
        assert_eq!(malformed("<data><a>&#xD800;</a></data>"), "`&#xD800;` stands for no character");
        assert_eq!(malformed("<data><a></b></data>"), "</b> where </a> belongs");
        assert_eq!(malformed("<data><a>"), "the document ends before </a>");
        assert_eq!(malformed("<data/><data/>"), "something outside of the one element <data>");
        assert_eq!(malformed("<data/>x"), "something outside of the one element <data>");
        assert_eq!(malformed("x<data/>"), "something outside of the one element <data>");
        assert_eq!(malformed("<!-- nothing -->"), "there is no <data> in the document");
        assert_eq!(malformed("<data><a>]]></a></data>"), "`]]>` in a text");
        for xml in
            ["<data", "<data><a>&lt</a></data>", "<data><a>&</a></data>", "<data><!-- -- --></data>", "</data>", "<!"]
        {
            malformed(xml);
        }
        assert_eq!(decode(b"<data>\xff</data>"), Err((Reason::malformed("the document is not UTF-8"), Some(6))));
    }

    #[test]
    fn declarations_say_what_can_be_read() {
        assert_eq!(read("<?xml version='1.0' encoding='us-ascii' standalone='yes'?><data/>"), "{}");
        let encoding = |name| refusal(format!("<?xml version='1.0' encoding='{name}'?><data><a>é</a></data>"));
        assert_eq!(encoding("iso-8859-1"), Reason::Encoding("iso-8859-1".into()));
        assert_eq!(encoding("us-ascii"), Reason::Encoding("us-ascii".into()));
        assert_eq!(malformed("<?xml version='1.1'?><data/>"), "XML 1.1; the only version read is 1.0");
        assert_eq!(malformed(" <?xml version='1.0'?><data/>"), "the XML declaration is not at the beginning");
        malformed("<?xml encoding='utf-8'?><data/>");
    }

    #[test]
    fn nesting_and_values_have_limits() {
        let nested = |elements: usize| format!("<data>{}x{}</data>", "<a>".repeat(elements), "</a>".repeat(elements));
        assert!(decode(nested(MAX_NESTING).as_bytes()).is_ok());
        assert_eq!(refusal(nested(MAX_NESTING + 1)), Reason::TooDeep);
        assert_eq!(refusal(format!("<data>{}", "<a>".repeat(100_000))), Reason::TooDeep);
        // Two of one name make a list, which is a level too.
        let twins = |depth: usize| (0..depth).fold("x".to_owned(), |inner, _| format!("<a/><a>{inner}</a>"));
        assert!(decode(format!("<data>{}</data>", twins(1)).as_bytes()).is_ok());
        let deep = (0..MAX_NESTING / 2).fold(String::new(), |inner, _| format!("<a/><a>{inner}</a>"));
        assert!(decode(format!("<data>{deep}</data>").as_bytes()).is_ok());
        assert_eq!(refusal(format!("<data><a/><a>{deep}</a></data>")), Reason::TooDeep);
        // <data>, the list and its items.
        let wide = |elements: usize| format!("<data>{}</data>", "<a/>".repeat(elements));
        assert!(decode(wide(MAX_VALUES - 2).as_bytes()).is_ok());
        assert_eq!(refusal(wide(MAX_VALUES - 1)), Reason::TooManyValues);
    }

    #[test]
    fn white_space_before_many_elements_is_looked_through_once() {
        let xml = format!("<data><a>{}{}</a></data>", " ".repeat(200_000), "<b/>".repeat(MAX_VALUES - 3));
        assert!(decode(xml.as_bytes()).is_ok());
    }

    #[test]
    fn only_names_and_characters_that_xml_has_are_written() {
        let written = |key: &str, value: &str| encode(&[(key.to_owned(), value.to_owned())]);
        assert_eq!(written("a", "<&>\r").unwrap(), b"<data><a>&lt;&amp;&gt;&#13;</a></data>");
        for key in ["", "first name", "1st", "-a", "x:y", "a>", "é×"] {
            assert_eq!(written(key, "x"), Err(Reason::NotAName(key.into())), "{key}");
        }
        assert_eq!(written("a", "\x1b[2J"), Err(Reason::Character('\x1b')));
        assert_eq!(Reason::Character('\x1b').to_string(), "the character U+001B, which XML 1.0 cannot hold");
    }
}
