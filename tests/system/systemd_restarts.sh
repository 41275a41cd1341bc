#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever happens to the daemon, the service is there again: signals, exit(0), hangs of the loop and of a
# thread, restart, what systemd does to itself, a binary that fails for a while, and stop. In each case a
# client that holds memory sees what docs/operations.md says.
#
#   systemd_restarts.sh BUILD_FOLDER
# shellcheck source=tests/support/service-box.sh
source "$(dirname "$(readlink -f "$0")")/../support/service-box.sh"
# shellcheck source=tests/support/keeping.sh
source "$(dirname "$(readlink -f "$0")")/../support/keeping.sh"

# after_death WHAT COMMAND...: a client that holds memory, the command that ends the daemon, and what
# the client then sees.
after_death() {
        local what=$1 pid
        shift
        pid=$(property MainPID)
        keeper_start
        "$@"
        wait_restarted "$what" "$pid"
        keeper_expect "$what" "$after_restart"
        keeper_stop
}

send_signal() {
        systemctl kill --kill-whom=main --signal="$1" filememd.service
}

check_deaths() {
        local signal
        for signal in KILL ABRT SEGV; do
                after_death "SIG$signal" send_signal $signal
        done
        expect 'one of them in the journal' 'code=killed, status=11/SEGV' "$(journalctl -q -o cat \
                -u filememd.service | grep -o 'code=killed, status=11/SEGV')"
        # It ends by itself, with 0, as if there were nothing more to do.
        after_death 'exit code 0' send_signal TERM
}

check_watchdog() {
        drop_in filememd.service '[Service]' 'WatchdogSec=2s'
        systemctl restart filememd.service
        sleep 5
        expect 'restarts of an idle service in two and a half times of the watchdog' 0 \
                "$(property NRestarts)"
        after_death 'watchdog after SIGSTOP' send_signal STOP
        expect 'watchdog in the journal' 1 "$(count_lines 'Watchdog timeout')"
        after_death 'watchdog for the reclaim thread' hold reclaim free_memory
        expect 'watchdog in the journal' 2 "$(count_lines 'Watchdog timeout')"
        expect 'and why' 1 "$(journalctl -q -o cat FILEMEM_EVENT=THREAD_STUCK | wc -l)"
        after_death 'watchdog for the scan thread' hold scan filememctl usage
        expect 'and why' 2 "$(journalctl -q -o cat FILEMEM_EVENT=THREAD_STUCK | wc -l)"
        remove_drop_ins filememd.service
        systemctl restart filememd.service
}

count_lines() {
        journalctl -q -o cat -u filememd.service | grep -c "$1" || :
}

# hold THREAD COMMAND...: gives a thread that cannot do it something to do, until the daemon is dead.
hold() {
        local pid holder asker thread=$1
        shift
        pid=$(property MainPID)
        "$box_stage/tests/hold_thread" "$pid" "$thread" >/tmp/held &
        holder=$!
        wait_for "the $thread thread is held" 60 grep -q held /tmp/held
        "$@" >/dev/null 2>&1 </dev/null &
        asker=$!
        wait_for "death of a daemon whose $thread thread is stuck" 60 is_dead "$pid"
        wait "$holder" || fail "the $thread thread was let go"
        wait "$asker" || :
}

is_dead() {
        [ ! -d "/proc/$1" ]
}

free_memory() {
        /usr/libexec/filemem/filemem-cksum --workers 2 /etc/passwd
}

check_systemd() {
        local pid
        pid=$(property MainPID)
        keeper_start
        systemctl daemon-reload
        systemctl daemon-reexec
        expect 'process after daemon-reload and daemon-reexec' "$pid" "$(property MainPID)"
        keeper_expect 'daemon-reload and daemon-reexec' kept
        systemctl reload filememd.service
        keeper_expect 'reload' kept
        keeper_stop
        after_death 'SIGKILL after daemon-reexec' send_signal KILL
        after_death 'restart' systemctl restart filememd.service
}

# An upgrade that does not work at first: the service goes on as soon as it does.
check_failing_binary() {
        local pid waiting
        pid=$(property MainPID)
        keeper_start
        mv /usr/sbin/filememd /usr/sbin/filememd.good
        cp /bin/false /usr/sbin/filememd
        send_signal KILL
        wait_for 'ten failing starts' 60 has_failed_often
        filememctl ping >/dev/null &
        waiting=$!
        mv /usr/sbin/filememd.good /usr/sbin/filememd
        wait_restarted 'a binary that failed for a while' "$pid"
        wait "$waiting" || fail 'who connected meanwhile was not answered'
        echo 'ok: who connected meanwhile was answered'
        keeper_expect 'a binary that failed for a while' "$after_restart"
        keeper_stop
}

has_failed_often() {
        [ "$(count_lines 'Main process exited, code=exited, status=1/FAILURE')" -ge 10 ]
}

check_stop() {
        keeper_start
        systemctl stop filememd.service
        expect 'state after stop' inactive "$(property ActiveState)"
        keeper_expect 'stop' reset
        keeper_stop
        filememctl ping >/dev/null
        expect 'state after the next client' active "$(property ActiveState)"
}

test_inside() {
        systemctl start filememd.socket
        filememctl ping >/dev/null
        check_deaths
        check_watchdog
        check_systemd
        check_failing_binary
        check_stop
}

BOX_PROGRAMS="$(keeping_programs "$@")" box_main unified "$@"
