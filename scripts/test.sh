#!/usr/bin/env bash
# Everything that has to hold before a change lands: format, lints, documentation, features, tests. `make test` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/test-env.sh

step() { printf '\n== %s\n' "$*"; }

# A minimal toolchain may lack these two components; everything else is still tested then.
if cargo fmt --version >/dev/null 2>&1; then
    step format
    cargo fmt --check
else
    echo "skipped: rustfmt is not installed (rustup component add rustfmt)"
fi
if cargo clippy --version >/dev/null 2>&1; then
    step lints
    cargo clippy --locked --quiet --all-targets -- -D warnings
    cargo clippy --locked --quiet --no-default-features --lib --example echo -- -D warnings
    cargo clippy --locked --quiet --no-default-features --features tls --lib -- -D warnings
else
    echo "skipped: clippy is not installed (rustup component add clippy)"
fi

step documentation
RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps

step "the bare library has no command line, no terminal, no database and no TLS"
heavy=$(cargo tree --locked -e normal --no-default-features --prefix none |
    grep -E '^(clap|rustyline|crossterm|ratatui|ratatui-[a-z]*|nucleo-matcher|unicode-segmentation|rusqlite|libsqlite3-sys|rustls|tokio-rustls|rcgen|aws-lc-rs|x509-parser|toml|serde|tracing) ' || true)
if [ -n "$heavy" ]; then
    printf 'the library without features depends on:\n%s\n' "$heavy" >&2
    exit 1
fi
cargo run --locked --quiet --example echo --no-default-features

step tests
cargo test --locked --quiet --no-default-features --lib
cargo test --locked

# By itself, so that its word about why it is skipped is seen: the test harness shows nothing of tests that pass.
step "two hosts"
scripts/test-net.sh
