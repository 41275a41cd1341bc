#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The installed service in a real systemd: the first client starts it by its socket, it runs as its
# own user, serves memory, stops cleanly, and is started again by the next client.
#
#   systemd_activation.sh BUILD_FOLDER
#
# The build is installed into a folder of its own; only the box, whose "/" is thrown away, sees it as
# a part of the system. Without root there is no box: exit code 77, which ctest shows as skipped.
set -euo pipefail

socket=/run/filemem/filemem.sock

fail() {
        echo "systemd_activation: $*" >&2
        exit 1
}

# expect WHAT WANTED GOT
expect() {
        [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
        echo "ok: $1: $3"
}

# ---- outside ------------------------------------------------------------------------------------

outside() {
        local here build=$1
        here=$(dirname "$(readlink -f "$0")")
        if [ "$(id -u)" != 0 ]; then
                echo 'systemd_activation: skipped: booting systemd in namespaces needs root'
                exit 77
        fi
        stage=$(mktemp -d)
        trap 'rm -rf "$stage"' EXIT
        DESTDIR=$stage/root cmake --install "$build" --prefix /usr >"$stage/log" ||
                fail "cmake --install failed: $(cat "$stage/log")"
        cp "$0" "$stage/inside.sh"
        BOX_BIND=$stage "$here/../support/systemd-box" unified "$stage/inside.sh" --inside "$stage/root"
}

# ---- inside the box -----------------------------------------------------------------------------

property() {
        systemctl show --value -p "$1" "$2"
}

show_journal() {
        local status=$?
        [ "$status" = 0 ] || journalctl --no-pager -o cat -u filememd.service -u filememd.socket >&2
}

install_units() {
        cp -a "$1/usr/." /usr/
        ldconfig
        systemd-sysusers
        systemctl daemon-reload
        expect 'what systemd-analyze says of the units' '' \
                "$(systemd-analyze verify --man=no --recursive-errors=no \
                        filememd.service filememd.socket 2>&1)"
}

# Who may connect is root and the group; the folder hides nothing.
check_access() {
        local member
        expect 'mode and owner of the socket' '660 root:filemem' "$(stat -c '%a %U:%G' $socket)"
        expect 'mode of its folder' 755 "$(stat -c %a /run/filemem)"
        for member in filemem:0 nogroup:1; do
                expect "exit code of a client of group ${member%:*}" "${member#*:}" \
                        "$(client_of_group "${member%:*}")"
        done
}

client_of_group() {
        local status=0
        FILEMEM_SOCKET=$socket setpriv --reuid=nobody --regid=nogroup --groups="$1" \
                filememctl ping >/dev/null 2>&1 || status=$?
        # Whatever filememctl has for "cannot connect", it is one failure here.
        echo $((status != 0))
}

check_process() {
        local pid
        pid=$(property MainPID filememd.service)
        expect 'user of the daemon' filemem "$(stat -c %U "/proc/$pid")"
        expect 'its capabilities' 0000000000000000 \
                "$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")"
        expect 'no new privileges' 1 \
                "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "/proc/$pid/status")"
        [ -n "$(property StatusText filememd.service)" ] || fail 'no status line'
        echo "ok: status line: $(property StatusText filememd.service)"
}

check_memory() {
        local file=/usr/share/common-licenses/GPL-3 output
        [ -r $file ] || file=/etc/passwd
        output=$(/usr/libexec/filemem/filemem-cksum --workers 2 $file 2>&1) ||
                fail "filemem-cksum failed: $output"
        echo "ok: filemem-cksum on $file"
}

check_stop() {
        systemctl stop filememd.service
        expect 'state after stop' inactive "$(property ActiveState filememd.service)"
        expect 'result of stop' success "$(property Result filememd.service)"
        expect 'exit code' 0 "$(property ExecMainStatus filememd.service)"
        expect 'state of the socket' active "$(property ActiveState filememd.socket)"
}

inside() {
        local first
        unset FILEMEM_SOCKET
        trap show_journal EXIT
        install_units "$1"
        systemctl start filememd.socket
        expect 'state before the first client' inactive "$(property ActiveState filememd.service)"
        filememctl ping
        expect 'state after the first client' active "$(property ActiveState filememd.service)"
        first=$(property MainPID filememd.service)
        check_process
        check_access
        check_memory
        check_stop
        filememctl ping
        expect 'state after the next client' active "$(property ActiveState filememd.service)"
        [ "$(property MainPID filememd.service)" != "$first" ] || fail 'it is the same process'
        check_process
        systemctl stop filememd.socket filememd.service
        [ ! -e $socket ] || fail 'the socket file is left behind'
        echo 'ok: stopped, the socket file is gone'
}

case $# in
1) outside "$1" ;;
2) inside "$2" ;;
*) fail 'usage: systemd_activation.sh BUILD_FOLDER' ;;
esac
