#!/usr/bin/env bash
# Tests between two hosts of their own (network namespaces), which need root and change nothing of this machine. Where they
# cannot run, this says why in one sentence and succeeds. `make test-net` runs it, and `make test` at its end.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: the tests between two hosts did not run, since $1"
    exit 0
}

probe=fernwire-probe-$$
remove_probe() {
    ip netns delete "$probe" 2>/dev/null || true
    ip netns delete "$probe-far" 2>/dev/null || true
}

# Whatever the tests themselves begin with; prints what went wrong.
try() {
    ip netns add "$probe" &&
        ip netns add "$probe-far" &&
        ip -n "$probe" link set lo up &&
        ip -n "$probe" link add near type veth peer name far &&
        ip -n "$probe" link set far netns "$probe-far" &&
        ip -n "$probe" link set near up &&
        ip -n "$probe" address add 192.0.2.1/24 dev near &&
        ip -n "$probe" address add 2001:db8::1/64 dev near nodad &&
        ip netns exec "$probe" mount --bind scripts/test-net.sh /etc/hosts
}

[ "$(uname)" = Linux ] || skip "this system has no network namespaces; run them on Linux"
[ "$(id -u)" -eq 0 ] || skip "only root can make hosts; run \`make test-net\` as root"
command -v ip >/dev/null || skip "there is no program ip; install iproute2, or let scripts/test-env.sh do it"
trap remove_probe EXIT
if ! problem=$(try 2>&1); then
    skip "this machine does not let root make hosts (${problem//$'\n'/; }); run them on one that does, which few containers are"
fi
remove_probe

cargo test --locked --test net
