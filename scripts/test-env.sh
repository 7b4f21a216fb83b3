#!/usr/bin/env bash
# Makes what the tests compare us with: a Python environment, target/python, with pinned packages; and openssl. For the
# tests between two hosts, which only root can run, ip.
set -euo pipefail

packages=(bcrypt==5.0.0 cryptography==50.0.2)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=target/python/bin/python3

# Where there is apt-get, what is missing is installed; elsewhere the step that needs it says so.
install() {
    if command -v apt-get >/dev/null; then
        as_root=()
        if [ "$(id -u)" -ne 0 ]; then
            as_root=(sudo)
        fi
        "${as_root[@]}" apt-get install --yes "$@"
    fi
}

if ! command -v openssl >/dev/null; then
    install openssl
    openssl version
fi
# Without it those tests say that they are skipped.
if [ "$(id -u)" -eq 0 ] && ! command -v ip >/dev/null; then
    install iproute2 || true
fi

if "$python" -c 'import bcrypt, cryptography' 2>/dev/null; then
    exit 0
fi

# Debian ships Python without what a virtual environment needs.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install python3-venv
fi

mkdir -p target
# An environment that was cut off half-way, or whose Python has gone, is made anew.
python3 -m venv --clear target/python
"$python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
"$python" -c 'import bcrypt, cryptography'
