#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL under load, in a real systemd: 50 clients that allocate, write, share, release and check all
# that they own, a daemon that is killed again and again, and after each time the sums.
#
#   [SURVIVAL_ROUNDS=8] systemd_survival.sh BUILD_FOLDER
# shellcheck source=tests/support/service-box.sh
source "$(dirname "$(readlink -f "$0")")/../support/service-box.sh"

rounds=${SURVIVAL_ROUNDS:-8}

test_inside() {
        local report pid
        printf '[pool default]\ncapacity = 256M\njoin = *\n' >/etc/filemem/filememd.conf
        systemctl start filememd.socket
        report=$("$box_stage/tests/survivors" "$socket" "$rounds" 50 \
                'systemctl kill --kill-whom=main --signal=KILL filememd.service') || fail "$report"
        echo "$report"
        # A machine that stands still for longer than the watchdog's time has more.
        [ "$(property NRestarts)" -ge "$rounds" ] || fail "$(property NRestarts) restarts"
        expect 'damaged journals' 0 "$(journalctl -q -o cat FILEMEM_EVENT=JOURNAL_DAMAGED | wc -l)"
        expect 'sessions that would not survive' 0 \
                "$(journalctl -q -o cat FILEMEM_EVENT=NOT_KEPT | wc -l)"

        # All have gone: the journal of sessions, memory and journal of the pool are what is kept.
        wait_for 'an empty store' 60 has_stored 3
        pid=$(property MainPID)
        systemctl restart filememd.service
        [ "$(property MainPID)" != "$pid" ] || fail 'it was not restarted'
        expect 'kept over a restart' 3 "$(property NFileDescriptorStore)"
        systemctl stop filememd.service
        expect 'kept over a stop' 0 "$(property NFileDescriptorStore)"
}

has_stored() {
        [ "$(property NFileDescriptorStore)" = "$1" ]
}

case ${1:-} in --inside) ;; *) BOX_PROGRAMS="${1:-}/tests/system/survivors" ;; esac
box_main unified "$@"
