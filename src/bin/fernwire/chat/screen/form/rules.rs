//! The rules for a new account, and which of them what is typed keeps.

use fernwire::model::name::{MAX_USER_NAME, NAME_CHARACTERS, NameError, UserName};
use fernwire::model::password;

/// How it stands with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing was typed that it is about.
    Open,
    Kept,
    Broken,
}

/// Every rule in words, and how it stands with it.
pub(super) fn standings(name: &str, password: &str, again: &str) -> Vec<(Standing, String)> {
    let mut rules = Vec::from(of_name(name));
    rules.extend(password::Rule::ALL.map(|rule| (standing(password, rule.is_kept_by(password)), rule.to_string())));
    let same = match () {
        // Whoever is in the middle of it has not mistyped it.
        () if again.len() < password.len() && password.starts_with(again) => Standing::Open,
        () => standing(again, again == password),
    };
    rules.push((same, "both passwords are the same".to_owned()));
    rules
}

fn of_name(name: &str) -> [(Standing, String); 2] {
    let faults = UserName::faults(name);
    let odd = faults.iter().find(|fault| matches!(fault, NameError::Character(_)));
    let made_of = odd.map_or_else(|| format!("a name is made of {NAME_CHARACTERS}"), NameError::to_string);
    let long = NameError::TooLong(MAX_USER_NAME);
    [(standing(name, odd.is_none()), made_of), (standing(name, !faults.contains(&long)), long.to_string())]
}

fn standing(typed: &str, is_kept: bool) -> Standing {
    match (typed.is_empty(), is_kept) {
        (true, _) => Standing::Open,
        (false, true) => Standing::Kept,
        (false, false) => Standing::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Broken, Kept, Open};
    use super::*;

    fn of(name: &str, password: &str, again: &str) -> Vec<Standing> {
        standings(name, password, again).into_iter().map(|(standing, _)| standing).collect()
    }

    #[test]
    fn nothing_is_broken_before_something_is_typed() {
        assert_eq!(of("", "", ""), [Open; 7]);
    }

    #[test]
    fn each_rule_stands_for_itself() {
        assert_eq!(of("ada", "Correct-1", "Correct-1"), [Kept; 7]);
        assert_eq!(of("a da", "correct", "x"), [Broken, Kept, Broken, Kept, Broken, Broken, Broken]);
        assert_eq!(of(&"x".repeat(33), "", "")[..2], [Kept, Broken]);
        assert_eq!(of("", "Correct-1", "Corr")[6], Open);
        assert_eq!(of("", "Correct-1", "Correct-12")[6], Broken);
    }

    #[test]
    fn a_character_that_no_name_has_is_named() {
        assert!(standings("a!", "", "")[0].1.contains("`!` is none of them"));
    }
}
