//! Pairs as Python's ElementTree would write them: `ElementTree.tostring(data, encoding="utf-8")`.

use super::name::is_name;
use super::{ROOT, is_character};
use crate::document::error::{Reason, excerpt};

/// A `<data>` element with one element for each pair.
pub(in crate::document) fn encode(pairs: &[(String, String)]) -> Result<Vec<u8>, Reason> {
    // UTF-8 needs no declaration, and ElementTree writes none.
    let mut xml = String::new();
    if pairs.is_empty() {
        xml.extend(["<", ROOT, " />"]);
        return Ok(xml.into_bytes());
    }
    xml.extend(["<", ROOT, ">"]);
    for (key, value) in pairs {
        if !is_name(key) {
            return Err(Reason::NotAName(excerpt(key)));
        }
        if value.is_empty() {
            xml.extend(["<", key, " />"]);
            continue;
        }
        xml.extend(["<", key, ">"]);
        for c in value.chars() {
            write(&mut xml, c)?;
        }
        xml.extend(["</", key, ">"]);
    }
    xml.extend(["</", ROOT, ">"]);
    Ok(xml.into_bytes())
}

fn write(xml: &mut String, c: char) -> Result<(), Reason> {
    match c {
        '&' => xml.push_str("&amp;"),
        '<' => xml.push_str("&lt;"),
        '>' => xml.push_str("&gt;"),
        // ElementTree leaves it as it is, and then every reader takes it for a line break.
        '\r' => xml.push_str("&#13;"),
        c if is_character(c) => xml.push(c),
        c => return Err(Reason::Character(c)),
    }
    Ok(())
}
