//! What the program prints where no server is needed, held against transcripts.
//!
//! `TRYCMD=overwrite cargo test --test transcripts` writes them anew; look at the difference before you keep it.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[test]
fn transcripts() {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases.insert_var("[HOME]", home.path().display().to_string()).unwrap();
    cases.register_bin("fernwire", script(home.path(), "fernwire", "exec $FERNWIRE \"$@\""));
    // `check-file LINE...` makes a configuration of these lines, as printf understands them, and has it checked; in a
    // folder of its own, since transcripts run side by side.
    let check_file = "cd \"$(mktemp -d)\" && printf \"$(printf '%s\\n' \"$@\")\\n\" >f.toml; \
                      exec $FERNWIRE serve --check --config f.toml";
    cases.register_bin("check-file", script(home.path(), "check-file", check_file));
    make_files(home.path());
    cases.case("tests/transcripts/*.trycmd").run();
}

/// A script in which nothing of the machine's own settings reaches the program, no terminal tells it a width, and its
/// files stay in the home.
fn script(home: &Path, name: &str, line: &str) -> PathBuf {
    let (program, home) = (env!("CARGO_BIN_EXE_fernwire"), home.display());
    let script = format!(
        "#!/bin/sh\ncd {home}\nexport TMPDIR={home}\nexec </dev/null\nFERNWIRE='env -i HOME={home} {program}'\n{line}\n"
    );
    let path = Path::new(&home.to_string()).join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

/// Files that no line could make.
fn make_files(home: &Path) {
    fs::create_dir(home.join("folder.toml")).unwrap();
    fs::write(home.join("long.toml"), " ".repeat((1 << 20) + 1)).unwrap();
    fs::write(home.join("whole.toml"), include_str!("../docs/config.toml")).unwrap();
}
