#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Memory runs out in the slice, and the kernel kills the daemon: it is started again, and a client that
# holds memory sees what docs/operations.md says. And what comes before that: the daemon refuses to
# commit what the slice has no room for.
#
#   systemd_oom.sh BUILD_FOLDER
# shellcheck source=tests/support/service-box.sh
source "$(dirname "$(readlink -f "$0")")/../support/service-box.sh"
# shellcheck source=tests/support/keeping.sh
source "$(dirname "$(readlink -f "$0")")/../support/keeping.sh"

# The limit has to work here at all: some hosts have the controller elsewhere.
check_limit() {
        systemctl set-property --runtime filemem.slice MemoryMax=200M
        filememctl ping >/dev/null
        limit=$(cat /sys/fs/cgroup/memory/filemem.slice/memory.limit_in_bytes) ||
                fail 'the box has no memory controller'
        expect 'limit of the slice' $((200 << 20)) "$limit"
}

# Somebody else in the slice takes all there is. The kernel would rather kill that than the daemon, which
# says that it is worth more (OOMScoreAdjust); here it is told the opposite, to have it killed for once.
run_out_of_memory() {
        systemd-run -q --slice=filemem.slice --unit=hog --collect \
                tail /dev/zero || fail 'cannot start what takes all memory'
}

# Nobody else kills it here. With the controllers of cgroup 1 systemd does not hear why it died.
was_killed() {
        journalctl -q -o cat -u filememd.service | grep 'code=killed, status=9/KILL' >/dev/null
}

check_preference() {
        local pid
        pid=$(property MainPID)
        keeper_start
        run_out_of_memory
        wait_for 'end of what took all memory' 60 is_gone hog.service
        expect 'process of the daemon after somebody else was killed' "$pid" "$(property MainPID)"
        keeper_expect 'that' kept
        keeper_stop
}

is_gone() {
        [ "$(property ActiveState "$1")" != active ]
}

check_oom_killer() {
        local pid
        drop_in filememd.service '[Service]' OOMScoreAdjust=1000
        systemctl restart filememd.service
        pid=$(property MainPID)
        keeper_start
        run_out_of_memory
        wait_for 'the daemon is killed for lack of memory' 60 was_killed
        wait_for 'end of what took all memory' 60 is_gone hog.service
        wait_restarted 'the OOM killer' "$pid"
        keeper_expect 'the OOM killer' "$after_restart"
        keeper_stop
        remove_drop_ins filememd.service
        systemctl restart filememd.service
}

test_inside() {
        systemctl start filememd.socket
        check_limit
        check_preference
        check_oom_killer
}

BOX_PROGRAMS="$(keeping_programs "$@")" box_main hybrid "$@"
