//! Where a text names somebody.

use std::ops::Range;

use fernwire::model::name::UserName;

/// The places where this name stands as a word of its own, in capitals or not.
pub(super) fn places(text: &str, name: &UserName) -> Vec<Range<usize>> {
    let name: Vec<char> = lowered(name.as_str()).collect();
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut before = None;
    for (start, c) in text.char_indices() {
        let is_begun = before.is_some_and(is_of_a_word);
        let is_inside = places.last().is_some_and(|place| start < place.end);
        if !is_begun
            && !is_inside
            && let Some(length) = beginning(&text[start..], &name)
            && !text[start + length..].starts_with(is_of_a_word)
        {
            places.push(start..start + length);
        }
        before = Some(c);
    }
    places
}

/// How many bytes of the text are this name, if it begins with it.
fn beginning(text: &str, name: &[char]) -> Option<usize> {
    let mut name = name.iter();
    let mut chars = text.chars();
    while !name.as_slice().is_empty() {
        for c in chars.next()?.to_lowercase() {
            if name.next() != Some(&c) {
                return None;
            }
        }
    }
    Some(text.len() - chars.as_str().len())
}

fn lowered(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, name: &str) -> Vec<String> {
        places(text, &name.parse().unwrap()).into_iter().map(|place| text[place].to_owned()).collect()
    }

    #[test]
    fn a_name_is_found_as_a_word_in_any_case() {
        assert_eq!(named("Ada: hello ADA, and ada.", "ada"), ["Ada", "ADA", "ada"]);
        assert_eq!(named("adam, canada, ada_l, _ada and ada1", "ada"), Vec::<String>::new());
        assert_eq!(named("@ada!", "ada"), ["ada"]);
        assert_eq!(named("ÄDA und äda", "äda"), ["ÄDA", "äda"]);
        assert_eq!(named("", "ada"), Vec::<String>::new());
        assert_eq!(named("ad", "ada"), Vec::<String>::new());
        assert_eq!(named("a.b a.b.", "a.b"), ["a.b", "a.b"]);
    }
}
