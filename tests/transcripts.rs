//! What the program prints where no server is needed, held against transcripts.
//!
//! `TRYCMD=overwrite cargo test --test transcripts` writes them anew; look at the difference before you keep it.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn transcripts() {
    let home = tempfile::tempdir().unwrap();
    // Nothing of the machine's own settings reaches the program, no terminal tells it a width, and its files stay here.
    let script = format!(
        "#!/bin/sh\ncd {home} && exec env -i HOME={home} {program} \"$@\" </dev/null\n",
        home = home.path().display(),
        program = env!("CARGO_BIN_EXE_fernwire"),
    );
    let alone = home.path().join("fernwire");
    fs::write(&alone, script).unwrap();
    fs::set_permissions(&alone, Permissions::from_mode(0o700)).unwrap();
    let cases = trycmd::TestCases::new();
    cases.insert_var("[HOME]", home.path().display().to_string()).unwrap();
    cases.register_bin("fernwire", alone).case("tests/transcripts/*.trycmd").run();
}
