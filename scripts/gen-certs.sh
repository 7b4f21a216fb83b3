#!/usr/bin/env bash
# Makes certificates for TLS in certs/, for a server under these names and addresses, and prints the two commands that
# use them. Run again, with or without names, it renews the server's certificate under the same authority; --force begins
# a new authority and keeps the old one beside it.
set -euo pipefail

case "${1:-}" in
-h | --help)
    echo "usage: scripts/gen-certs.sh [NAME]... [--force]    such as: scripts/gen-certs.sh example.org 192.0.2.7"
    exit 0
    ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v cargo >/dev/null; then
    echo "gen-certs.sh: cargo was not found; install Rust, then run this again" >&2
    exit 2
fi

arguments=(certs --out certs)
for name in "$@"; do
    if [ "$name" = --force ]; then
        arguments+=(--force)
    else
        arguments+=("--host=$name")
    fi
done
# A release build, as for the server itself; FERNWIRE_PROFILE=dev takes less time where that is built already.
exec cargo run --quiet --profile "${FERNWIRE_PROFILE:-release}" --locked -- "${arguments[@]}"
