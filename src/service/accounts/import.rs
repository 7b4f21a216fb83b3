//! Accounts of another program: lines `name:$2b$...`, as Python's bcrypt writes the hashes.

use std::collections::HashSet;

use crate::model::Visible;
use crate::model::name::{MAX_USER_NAME, NameError, UserName};
use crate::store::Credential;

use super::password::imported;

/// An account that can be made.
#[derive(Debug)]
pub struct Imported {
    /// The line on which it stands, from 1.
    pub line: usize,
    /// Its name.
    pub name: UserName,
    /// Its password's hash.
    pub credential: Credential,
}

/// A line that is no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Unusable {
    /// Which, from 1.
    pub line: usize,
    /// Why, and what to do. It repeats no hash.
    pub reason: String,
}

/// Reads each line by itself; empty ones and those that begin with `#` say nothing.
pub fn read(text: &str) -> Vec<Result<Imported, Unusable>> {
    let mut seen = HashSet::new();
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().zip(1..);
    let lines =
        lines.map(|(text, line)| (text.trim(), line)).filter(|(text, _)| !text.is_empty() && !text.starts_with('#'));
    lines
        .map(|(text, line)| {
            let account = account(text).map_err(|reason| Unusable { line, reason });
            account.and_then(|(name, credential)| {
                if seen.insert(name.key()) {
                    return Ok(Imported { line, name, credential });
                }
                Err(Unusable {
                    line,
                    reason: format!("the name {name} stands on an earlier line, perhaps in other case"),
                })
            })
        })
        .collect()
}

fn account(text: &str) -> Result<(UserName, Credential), String> {
    let (name, hash) = text.split_once(':').ok_or("it is not NAME:HASH")?;
    let name = name.trim();
    let name: UserName = name.parse().map_err(|error: NameError| match name {
        "" => "there is no name before the colon".to_owned(),
        // Whoever has put the hash first does not see it again.
        hash if hash.contains('$') => error.to_string(),
        name => format!("{}: {error}", Visible(&name.chars().take(MAX_USER_NAME).collect::<String>())),
    })?;
    // Python's repr of bytes is what ends up in files that were written carelessly.
    let hash = hash.trim();
    let hash = hash.strip_prefix("b'").and_then(|hash| hash.strip_suffix('\'')).unwrap_or(hash);
    let credential = imported(hash);
    let credential =
        credential.ok_or_else(|| format!("{name}: what follows the name is no bcrypt hash ($2b$12$...)"))?;
    Ok((name, credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_reported_and_the_rest_comes_in() {
        let hash = bcrypt::hash("Correct-1", 4).unwrap();
        let text = format!(
            "# users\n\nada:{hash}\r\nb b:{hash}\nADA:{hash}\nno hash\ncara:x\n dora : b'{hash}' \n{hash}:eve\n:{hash}"
        );
        let (good, bad): (Vec<_>, Vec<_>) = read(&text).into_iter().partition(Result::is_ok);
        let good: Vec<_> =
            good.into_iter().map(|entry| entry.unwrap()).map(|entry| (entry.line, entry.name.to_string())).collect();
        assert_eq!(good, [(3, "ada".to_owned()), (8, "dora".to_owned())]);
        let bad: Vec<_> = bad.into_iter().map(|entry| entry.unwrap_err()).collect();
        assert_eq!(bad.iter().map(|entry| entry.line).collect::<Vec<_>>(), [4, 5, 6, 7, 9, 10]);
        assert!(bad.iter().all(|entry| !entry.to_string().contains(&hash)));
        assert!(bad[0].reason.contains("` `") && bad[1].reason.contains("earlier"), "{bad:?}");
    }
}
