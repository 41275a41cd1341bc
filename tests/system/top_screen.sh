#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# top_screen.sh FILEMEMD FILEMEMCTL CLIENT: filememctl top in a real terminal, which tmux is: keys,
# sizes, signals, a daemon that comes and goes; and that the terminal is as it was, afterwards.
set -euo pipefail
filememd=$1 ctl=$2 client=$3

folder=$(mktemp -d)
daemon='' clients=()
export FILEMEM_SOCKET=$folder/socket TMUX_TMPDIR=$folder LC_ALL=C.UTF-8
unset TMUX NO_COLOR COLUMNS LINES

clean_up() {
        local pid
        tmux kill-server 2>/dev/null || :
        for pid in "${clients[@]}" $daemon; do
                kill -KILL "$pid" 2>/dev/null || :
                wait "$pid" 2>/dev/null || :
        done
        rm -rf "$folder"
}
trap clean_up EXIT

fail() {
        printf 'failed: %s\n' "$*" >&2
        screen >&2 || :
        exit 1
}

# ---- who takes part -----------------------------------------------------------------------------

start_daemon() {
        "$filememd" --foreground --socket "$FILEMEM_SOCKET" 2>>"$folder/log" &
        daemon=$!
        for _ in {1..100}; do
                "$ctl" ping >/dev/null 2>&1 && return
                sleep 0.1
        done
        fail 'the daemon does not come up'
}

stop_daemon() {
        kill "$1" "$daemon"
        wait "$daemon" 2>/dev/null || :
        daemon=''
}

# start_client NAME LABEL: tell NAME ... talks with it.
start_client() {
        mkfifo "$folder/$1.in" "$folder/$1.out"
        "$client" "$2" <"$folder/$1.in" >"$folder/$1.out" &
        clients+=($!)
        eval "exec {$1_in}>'$folder/$1.in' {$1_out}<'$folder/$1.out'"
        local -n out=$1_out
        read -r -t 20 -u "$out" || fail "client $1 does not come up"
}

# tell NAME +|-: and waits until that is done.
tell() {
        local -n in=$1_in out=$1_out
        echo "$2" >&"$in"
        read -r -t 20 -u "$out" || fail "client $1 does not answer"
}

# ---- the terminal -------------------------------------------------------------------------------

screen() {
        tmux capture-pane -p -t test
}

keys() {
        tmux send-keys -t test "$@"
}

# await PATTERN: until a line of the screen has it; await_none: until none has.
await() {
        for _ in {1..200}; do
                screen | grep -qE -- "$1" && return
                sleep 0.05
        done
        fail "never seen: $1"
}

await_none() {
        for _ in {1..200}; do
                screen | grep -qE -- "$1" || return 0
                sleep 0.05
        done
        fail "still there: $1"
}

# The number that names the shell's child.
top_pid() {
        pgrep -P "$(tmux display-message -p -t test '#{pane_pid}')" -x filememctl
}

# run_top OPTION...: types it, and waits for the screen.
run_top() {
        keys "clear; '$ctl' top -d 0.1 $*; echo status=\$?" Enter
        await 'h help, q quit'
}

# write_settings FILE: of the terminal. Each time has its own word for the end, as that of the last
# time may still be on the screen; and it is typed in another way than it is printed.
times=0
write_settings() {
        times=$((times + 1))
        keys "clear; stty -g >'$1'; echo done=\$(($times))" Enter
        await "^done=$times\$"
}

# The terminal has to be as it was before: its settings, its cursor, and what was on it.
assert_clean() {
        await 'ready>'
        await_none 'h help, q quit'
        write_settings "$folder/stty.now"
        cmp "$folder/stty" "$folder/stty.now" || fail 'the terminal is not what it was'
        [ "$(tmux display-message -p -t test '#{cursor_flag} #{alternate_on}')" = '1 0' ] ||
                fail 'no cursor, or the other screen'
}

# Numbers of lines, of the rows that have these labels: in their order, as "alpha beta".
order() {
        screen | grep -oE '(alpha|beta|gamma)$' | tr '\n' ' '
}

await_order() {
        for _ in {1..200}; do
                [ "$(order)" = "$1 " ] && return
                sleep 0.05
        done
        fail "order is $(order) and not $1"
}

# ---- tests --------------------------------------------------------------------------------------

test_what_is_shown() {
        run_top
        await '^filememd [0-9.]+, pid '"$daemon"', up .*; 4 sessions, '
        await '^default +20M +- +0B '
        await ' default +4M .* alpha$'
        await ' default +8M .* beta$'
        keys q
        assert_clean
}

test_sorting() {
        run_top --order label
        await 'by label, '
        await_order 'alpha beta gamma'
        keys r
        await 'by label \(reversed\)'
        await_order 'gamma beta alpha'
        keys m
        await 'by held, '
        await_order 'beta gamma alpha'
        keys i
        await_order 'alpha beta gamma'
        keys g
        await 'by growth, '
        tell alpha +
        await 'alpha$'
        await ' 8M .* alpha$'
        tell alpha -
        await ' 4M .* alpha$'
        keys q
        assert_clean
}

test_filter() {
        run_top --order label
        keys / b e t z BSpace a
        await 'only what has: beta_'
        keys Enter
        await_order beta
        await 'only beta, 1 of 4'
        keys /
        await 'only what has: beta_'
        keys Escape
        await_order 'alpha beta gamma'
        keys / d e f a u l t Enter
        await ', 3 of 4'
        keys q
        assert_clean
}

test_pause_and_help() {
        run_top
        keys p
        await 'PAUSED'
        tell gamma +
        sleep 0.5
        screen | grep -qE ' 8M .* gamma$' || fail 'it goes on although it was paused'
        keys p
        await ' 12M .* gamma$'
        tell gamma -
        keys h
        await 'Sessions are sorted by'
        [ "$(screen | awk 'length > 79' | wc -l)" = 0 ] || fail 'help is too wide'
        keys Escape
        await_none 'Sessions are sorted by'
        keys Space
        await 'PAUSED'
        keys q
        assert_clean
}

test_sizes() {
        run_top --order label
        tmux resize-window -t test -x 50 -y 12
        await_none '^filememd'
        await '^ +ID +PID'
        await 'by label.*h help'
        tmux resize-window -t test -x 120 -y 40
        await '^filememd'
        await_order 'alpha beta gamma'
        tmux resize-window -t test -x 6 -y 2
        sleep 0.3
        tmux resize-window -t test -x 80 -y 24
        await 'h help, q quit'
        await_order 'alpha beta gamma'
        keys q
        assert_clean
}

test_scrolling() {
        run_top --order label
        tmux resize-window -t test -x 80 -y 4
        await_order 'alpha beta'
        keys Down
        await_order 'beta'
        keys Home
        await_order 'alpha beta'
        keys End
        await_order 'gamma'
        tmux resize-window -t test -x 80 -y 24
        await_order 'alpha beta gamma'
        keys q
        assert_clean
}

test_signals() {
        local signal
        for signal in INT:0 TERM:143 HUP:129 QUIT:131; do
                run_top
                kill "-${signal%:*}" "$(top_pid)"
                await "^status=${signal#*:}$"
                assert_clean
        done
        run_top
        keys C-c
        await '^status=0$'
        assert_clean
}

test_stop_and_go_on() {
        run_top
        keys C-z
        await 'Stopped'
        assert_clean
        keys "fg" Enter
        await 'h help, q quit'
        await '^filememd'
        tell beta +
        await ' 12M .* beta$'
        tell beta -
        keys q
        assert_clean
}

test_daemon_that_comes_again() {
        run_top
        stop_daemon -TERM
        await 'trying again'
        start_daemon
        start_client again anew
        await 'anew$'
        await_none 'trying again'
        stop_daemon -KILL
        await 'trying again'
        start_daemon
        start_client once once-more
        await 'once-more$'
        keys q
        assert_clean
}

test_terminal_that_goes() {
        local pid
        run_top
        pid=$(top_pid)
        tmux kill-session -t test
        for _ in {1..100}; do
                [ -e "/proc/$pid" ] || return 0
                sleep 0.05
        done
        fail 'it goes on without a terminal'
}

test_where_there_is_no_screen() {
        local said
        said=$("$ctl" top </dev/null 2>&1) && fail 'no terminal is no error'
        [ "$said" = 'filememctl: top needs a terminal: say --batch where there is none' ] || fail "$said"
        keys "clear; TERM=nonsense '$ctl' top; echo status=\$?" Enter
        await 'top knows nothing of this kind of terminal'
        await '^status=1$'
        assert_clean
}

# What changes from run to run is made the same; first numbers are since the start.
test_batch() {
        "$ctl" top --batch -n 1 --order label |
                sed -E "s/filememd [0-9.]+, pid $daemon, up [0-9.a-z]+; 4 sessions, [0-9]+ ops/DAEMON/
                        s/^ +[0-9]+ +[0-9]+ [^ ]+ +([^ ]+) +([^ ]+) .* ([^ ]+)\$/\1 \2 \3/" >"$folder/batch"
        diff - "$folder/batch" <<'TEXT' || fail 'batch'
DAEMON/s, 0 refused/s
20M held, - committed; 0B stored, - swapped, 0B freed, - stray
KIND         HELD COMMIT   KIND         HELD COMMIT   KIND         HELD COMMIT
System         0B      -   Anonymous     20M      -   PageCache      0B      -
Tmpfs          0B      -   Ramdiskfs      0B      -   Mapped         0B      -
POOL               HELD COMMIT STORED  FREED  STRAY MAX-GAP CAPACITY SESSIONS
default             20M      -     0B     0B      -     63G      64G        3

    ID     PID USER     POOL       HELD  GROWTH ALLOC/s  FREE/s OPS/s LABEL
default 4M alpha
default 8M beta
- 0B filememctl
default 8M gamma
TEXT
        [ "$("$ctl" top --batch -n 3 -d 0.1 | grep -c '^filememd')" = 3 ] || fail 'not three times'
        [ "$(COLUMNS=40 "$ctl" top --batch -n 1 | awk 'length > 40' | wc -l)" = 0 ] || fail 'too wide'
        "$ctl" top --batch -n 1 >/dev/full 2>"$folder/full" && fail 'a full disk is no error'
        grep -q 'cannot write the output' "$folder/full" || fail 'a full disk'
}

# ---- all of them --------------------------------------------------------------------------------

start_daemon
start_client alpha alpha
start_client beta beta
start_client gamma gamma
tell alpha +
tell beta +
tell beta +
tell gamma +
tell gamma +
tmux -f /dev/null new-session -d -s test -x 80 -y 24 "PS1='ready> ' bash --norc --noprofile -i"
await 'ready>'
write_settings "$folder/stty"
for test in batch what_is_shown sorting filter pause_and_help sizes scrolling signals stop_and_go_on \
        where_there_is_no_screen daemon_that_comes_again terminal_that_goes; do
        printf '%s\n' "$test"
        "test_$test"
done
[ -z "$daemon" ] || stop_daemon -TERM
