//! An element while it is read, and the value that it becomes.

use std::collections::HashMap;

use crate::document::value::Value;

/// An element that is still open.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    /// The elements in it, those of one name together, in the order of the first of each.
    children: Vec<(String, Vec<Grown>)>,
    places: HashMap<String, usize>,
}

/// The value of an element, and how many levels it has.
pub(super) struct Grown {
    pub(super) value: Value,
    pub(super) depth: usize,
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), text: String::new(), children: Vec::new(), places: HashMap::new() }
    }

    pub(super) fn has_elements(&self) -> bool {
        !self.children.is_empty()
    }

    /// Takes a child. Whether that made a list, which is one more value.
    pub(super) fn adopt(&mut self, name: String, child: Grown) -> bool {
        match self.places.get(&name) {
            Some(place) => {
                let namesakes = &mut self.children[*place].1;
                namesakes.push(child);
                namesakes.len() == 2
            }
            None => {
                self.places.insert(name.clone(), self.children.len());
                self.children.push((name, vec![child]));
                false
            }
        }
    }

    /// The text, or what its elements are together. A root is a dictionary even if there is nothing in it.
    pub(super) fn grow(self, is_root: bool) -> Grown {
        if !self.has_elements() && !is_root {
            return Grown { value: Value::Text(self.text), depth: 0 };
        }
        let mut deepest = 0;
        let mut map = Vec::with_capacity(self.children.len());
        for (name, children) in self.children {
            let child = together(children);
            deepest = deepest.max(child.depth);
            map.push((name, child.value));
        }
        Grown { value: Value::Map(map), depth: deepest + 1 }
    }
}

/// One child as it is, several as a list.
fn together(mut children: Vec<Grown>) -> Grown {
    match children.pop() {
        Some(only) if children.is_empty() => only,
        last => {
            children.extend(last);
            let depth = children.iter().map(|child| child.depth).max().unwrap_or(0) + 1;
            Grown { value: Value::List(children.into_iter().map(|child| child.value).collect()), depth }
        }
    }
}
