#!/usr/bin/env bash
# Makes the pictures in docs/pictures/ from a real session: a server, and two people in two panes of tmux who sign up,
# talk, lose the connection, search and leave, key by key. The next step is taken when the one before is seen on the
# screen. Needs tmux and Python 3.
set -euo pipefail

usage="usage: scripts/pictures.sh [PROGRAM] [--show FOLDER]
PROGRAM is built if it is not given; FOLDER gets PNG of all frames, only to look at."
fail() {
    echo "pictures.sh: $*" >&2
    exit 2
}
program=
show=
while [ $# -gt 0 ]; do
    case "$1" in
    -h | --help) echo "$usage" && exit 0 ;;
    --show)
        # Without this, a folder that is missing would begin a build.
        if [ $# -lt 2 ]; then
            echo "$usage" >&2
            exit 2
        fi
        show=$(realpath -m -- "$2")
        shift
        ;;
    -*) echo "$usage" >&2 && exit 2 ;;
    *) program=$(realpath -- "$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v tmux >/dev/null || fail "tmux was not found; install the package tmux, then run this again"
if [ -n "$program" ]; then
    [ -x "$program" ] || fail "$program is no program"
else
    cargo build --quiet --release --locked
    program=$PWD/target/release/fernwire
fi

out=docs/pictures
work=$(mktemp -d)
server=
address=
# Whatever happens, nothing that was started here goes on.
clean_up() {
    in_tmux kill-server 2>/dev/null || true
    stop_server
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$work/bin" "$work/frames" "$work/server" "$work/bob" "$out"
ln -s "$program" "$work/bin/fernwire"

# Becomes a program with the environment of whoever has a home in that folder, and of nobody else.
become() {
    local home=$work/$1
    shift
    exec env -i PATH="$work/bin:$PATH" HOME="$home" XDG_CONFIG_HOME="$home" XDG_DATA_HOME="$home" \
        XDG_STATE_HOME="$home" TMUX_TMPDIR="$work" SHELL=/bin/sh PS1='$ ' TZ=UTC LC_ALL=C.UTF-8 \
        FERNWIRE_SERVER="$address" "$@"
}

# ---- the server ----

# The usual port looks best; any other does too.
port=$(python3 - <<'END'
import socket
for port in (3376, 0):
    with socket.socket() as free:
        try:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(free.getsockname()[1])
        break
END
)
address=tcp://127.0.0.1:$port

start_server() {
    (cd "$work/server" && become server "$work/bin/fernwire" serve --listen "$address") >"$work/log" 2>&1 &
    server=$!
    until grep -qs 'is ready' "$work/log"; do
        kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat "$work/log")"
        sleep 0.1
    done
}

stop_server() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true
        server=
    fi
}

# ---- two people ----

in_tmux() { (become server tmux -L pictures -f /dev/null "$@"); }

# Ada has the server on her machine, so that it is known to her; bob comes from elsewhere.
open_panes() {
    in_tmux new-session -d -x 129 -y 22 -c "$work/server" sh \; set-option -g default-terminal tmux-256color \; \
        set-option -g status off
    in_tmux respawn-pane -k -c "$work/server" sh
    ada=$(in_tmux display-message -p '#{pane_id}')
    bob=$(in_tmux split-window -h -P -F '#{pane_id}' -c "$work/bob" -e HOME="$work/bob" -e XDG_CONFIG_HOME="$work/bob" \
        -e XDG_DATA_HOME="$work/bob" -e XDG_STATE_HOME="$work/bob" sh)
    wait_for "$ada" '$'
    wait_for "$bob" '$'
}

# Each pane gets this size.
resize() {
    in_tmux resize-window -x $((2 * $1 + 1)) -y "$2"
    in_tmux resize-pane -t "$ada" -x "$1"
    settle
}

screen_of() { in_tmux capture-pane -p -t "$1"; }
press() { in_tmux send-keys -t "$@"; }
type_in() { in_tmux send-keys -t "$1" -l -- "$2"; }

# Looks ten times a second for at most twenty seconds, until the condition holds.
wait_until() {
    local pane=$1 left=200
    shift
    until "$@" <<<"$(screen_of "$pane")"; do
        if [ $((left -= 1)) -eq 0 ]; then
            screen_of "$ada" >&2
            screen_of "$bob" >&2
            fail "in vain waited for: $*"
        fi
        sleep 0.1
    done
}
wait_for() { wait_until "$1" grep -qF -e "$2"; }
is_without() { ! grep -qF -e "$1"; }
wait_until_gone() { wait_until "$1" is_without "$2"; }

# Until both screens stay as they are, or a clock on them goes on.
settle() {
    local before='' now left=20
    now=$(screen_of "$ada" && screen_of "$bob")
    while [ "$before" != "$now" ] && [ $((left -= 1)) -gt 0 ]; do
        sleep 0.15
        before=$now
        now=$(screen_of "$ada" && screen_of "$bob")
    done
}

# PANE TEXT OTHER: says it, and waits until its last word is on the other screen too.
say() {
    type_in "$1" "$2"
    press "$1" Enter
    wait_for "$3" "${2##* }"
    settle
}

fill_in() {
    type_in "$1" "$2"
    wait_for "$1" "$3"
    press "$1" Enter
}

leave() {
    press "$1" C-c
    wait_for "$1" 'Leave?'
}

# ---- what is kept ----

capture() {
    in_tmux capture-pane -e -N -p -t "$1" >"$work/frames/$2.ansi"
    in_tmux display-message -p -t "$1" '#{pane_width} #{pane_height} #{cursor_x} #{cursor_y} #{cursor_flag}' \
        >"$work/frames/$2.place"
}

frames=0
# SECONDS CAPTION: one frame of the recording.
frame() {
    settle
    capture "$ada" "$frames-ada"
    capture "$bob" "$frames-bob"
    printf '%s\t%s\t%s\n' "$1" "$frames" "$2" >>"$work/frames/list"
    frames=$((frames + 1))
}

# FILE SCREEN|RECORDING ARGUMENTS: draws a picture, and shows it.
draw() {
    local file=$1
    shift
    python3 -B scripts/pictures.py "$@" >"$work/picture.svg"
    mv "$work/picture.svg" "$out/$file.svg"
    look_at "$out/$file.svg" "$file"
}

look_at() {
    [ -n "$show" ] || return 0
    mkdir -p "$show"
    if command -v rsvg-convert >/dev/null; then
        rsvg-convert -z 1.5 "$1" -o "$show/$2.png"
    elif command -v chromium >/dev/null; then
        chromium --headless --no-sandbox --screenshot="$show/$2.png" "$1" 2>/dev/null
    else
        convert "$1" "$show/$2.png" || echo "pictures.sh: to see PNG, install the package librsvg2-bin" >&2
    fi
}

# ---- the session ----

sign_up() {
    type_in "$ada" 'fernwire chat --signup'
    type_in "$bob" 'fernwire chat --signup'
    frame 2 'Two people, two terminals, one server'
    press "$ada" Enter
    press "$bob" Enter
    wait_for "$ada" 'Name'
    wait_for "$bob" 'Trust it and remember it?'
    frame 3 "The server is ada's own; bob is asked whether it is the right one"
    fill_in "$bob" yes yes
    wait_for "$bob" 'Name'
    fill_in "$ada" ada ada
    type_in "$ada" 'Corr'
    frame 2.5 'The rules are shown as they are kept and broken'
    fill_in "$ada" 'ect-1-horse' '•••••••••••••••'
    type_in "$ada" 'Correct-1-horse'
    fill_in "$bob" bob bob
    fill_in "$bob" 'Staple-2-battery' '••••••••••••••••'
    type_in "$bob" 'Staple-2-battery'
    frame 2 'The same again'
    press "$ada" Enter
    wait_for "$ada" 'connected'
    settle
    press "$bob" Enter
    wait_for "$bob" 'connected'
    wait_for "$ada" 'bob came'
    frame 2 'Both are in #lobby'
}

talk() {
    say "$ada" 'good morning, bob! the new build is up 🎉' "$bob"
    frame 2 '✓ says that the server has it'
    say "$bob" 'morning! is it the one with the certificates? 日本語 works too, é and ü as well' "$ada"
    say "$bob" 'ada: web-3 says that its disk is almost full' "$ada"
    frame 2.5 'Whoever is named sees it at once, and hears a bell'
    say "$ada" '/me looks for the broom' "$bob"
    type_in "$bob" 'it says:'
    press "$bob" M-Enter
    type_in "$bob" '  94% /var'
    press "$bob" M-Enter
    type_in "$bob" '  12% /home'
    frame 2 'A text of several lines'
    press "$bob" Enter
    wait_for "$ada" '12% /home'
    say "$ada" 'old logs, I think. they are gone in a minute' "$bob"
    frame 2.5 'They talk'
    type_in "$bob" '/msg ada lunch at noon?'
    press "$bob" Enter
    wait_until_gone "$bob" '/msg'
    wait_for "$ada" '@1'
    frame 2.5 'Something between the two of them waits at the left'
    press "$ada" M-a
    wait_for "$ada" 'lunch at'
    type_in "$ada" 'yes, the place with the soup'
    press "$ada" Enter
    settle
    frame 2.5 'Alt-A goes to what is unread'
    wait_for "$bob" 'soup'
    press "$ada" M-1
    press "$bob" M-1
    wait_for "$ada" '12% /home'
    wait_for "$bob" '12% /home'
}

lose_the_connection() {
    stop_server
    wait_for "$ada" 'no connection'
    wait_for "$bob" 'no connection'
    type_in "$ada" 'restarting the server, hold on'
    press "$ada" Enter
    type_in "$bob" 'did it just go away?'
    press "$bob" Enter
    frame 3 'The server is stopped. What is typed is kept'
    start_server
    wait_for "$ada" 'go away?'
    wait_for "$bob" 'hold on'
    wait_for "$ada" '● connected'
    wait_for "$bob" '● connected'
    frame 3 'It is there again: nothing is lost, and nothing is there twice'
}

search() {
    press "$ada" C-f
    wait_for "$ada" 'Search'
    type_in "$ada" 'disk'
    wait_for "$ada" '1 found'
    frame 2.5 'Ctrl-F searches all conversations'
    press "$ada" Enter
    wait_until_gone "$ada" '1 found'
    frame 2 'Enter goes to what was found'
    press "$ada" Escape
    press "$bob" C-k
    settle
    type_in "$bob" 'ad'
    frame 2 'Ctrl-K goes anywhere by a few letters'
    press "$bob" Enter
    wait_for "$bob" 'between you two'
    press "$bob" M-1
    wait_for "$bob" 'hold on'
}

more_rooms() {
    say "$bob" 'that was short' "$ada"
    say "$ada" 'a new kernel. your disk is at 31% now, bob' "$bob"
    say "$bob" '/me bows' "$ada"
    say "$bob" 'who keeps an eye on the other machines?' "$ada"
    say "$ada" 'a script does, and it tells us here: `fernwire chat` in a pipe' "$bob"
    say "$bob" '/join #garden' "$bob"
    say "$ada" '/join #garden' "$ada"
    say "$ada" '/topic what grows, and what does not' "$bob"
    press "$ada" M-1
    wait_for "$ada" 'tells us'
    say "$bob" 'the tomatoes are ripe' "$bob"
    say "$bob" 'and the beans are not' "$bob"
    wait_for "$ada" ' 2'
    settle
}

go_away() {
    leave "$ada"
    frame 2 'Ctrl-C asks before it leaves'
    press "$ada" y
    wait_until_gone "$ada" 'connected'
    wait_for "$ada" '$'
    leave "$bob"
    press "$bob" y
    wait_until_gone "$bob" 'connected'
    frame 2 'The terminal is as it was'
}

without_colours() {
    in_tmux respawn-pane -k -t "$ada" -c "$work/server" sh
    resize 110 28
    type_in "$ada" 'NO_COLOR=1 fernwire chat --user ada'
    press "$ada" Enter
    wait_for "$ada" 'Password'
    fill_in "$ada" 'Correct-1-horse' '•••••••••••••••'
    wait_for "$ada" '● connected'
    wait_for "$ada" 'tells us'
    settle
    capture "$ada" monochrome
    leave "$ada"
    press "$ada" y
    wait_until_gone "$ada" 'connected'
}

start_server
open_panes
sign_up
talk
# What is shown where nothing moves.
lively=$((frames - 2))
lose_the_connection
search
more_rooms
resize 110 28
capture "$ada" chat
resize 40 28
capture "$ada" narrow
resize 200 28
capture "$ada" wide
resize 64 22
go_away
without_colours

draw chat screen "$work/frames/chat" 'fernwire chat'
draw light screen "$work/frames/chat" 'fernwire chat, on a light terminal' --light
draw narrow screen "$work/frames/narrow" '40 columns'
draw wide screen "$work/frames/wide" '200 columns'
draw monochrome screen "$work/frames/monochrome" 'NO_COLOR=1 fernwire chat'
draw talk recording "$work/frames/list" 'Two people talk with fernwire chat' --still "$lively"
if [ -n "$show" ]; then
    # One picture for each frame: as the still one, since nothing moves in a PNG.
    for ((n = 0; n < frames; n++)); do
        python3 -B scripts/pictures.py recording "$work/frames/list" talk --still "$n" >"$work/picture.svg"
        look_at "$work/picture.svg" "talk-$n"
    done
fi
ls -l "$out"
