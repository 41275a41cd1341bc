#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The installed service in a real systemd: the first client starts it by its socket, it runs as its
# own user in its sandbox, lets in whom it should, serves memory, reads its configuration again, stops
# cleanly, and is started again by the next client.
#
#   systemd_activation.sh BUILD_FOLDER
# shellcheck source=tests/support/service-box.sh
source "$(dirname "$(readlink -f "$0")")/../support/service-box.sh"

check_units() {
        expect 'what systemd-analyze says of the units' '' \
                "$(systemd-analyze verify --man=no --recursive-errors=no \
                        filememd.service filememd.socket filemem.slice 2>&1)"
}

# Everybody may connect; who may do what is said by the configuration that is installed.
check_access() {
        local member
        expect 'mode and owner of the socket' '666 root:root' "$(stat -c '%a %U:%G' "$socket")"
        expect 'mode of its folder' 755 "$(stat -c %a /run/filemem)"
        for member in filemem:0 nogroup:1; do
                expect "exit code of a client of group ${member%:*}" "${member#*:}" \
                        "$(client_of_group "${member%:*}" /usr/libexec/filemem/filemem-cksum \
                                --workers 2 /etc/passwd)"
        done
        expect 'exit code of a stranger who only asks' 0 "$(client_of_group nogroup filememctl ping)"
}

# What the journal knows of a stranger that was not let in.
check_journal() {
        local line field
        line=$(journalctl -q -o json --all FILEMEM_EVENT=SESSION_ENDED | tail -n 1)
        for field in '"FILEMEM_UID":"65534"' '"PRIORITY":"4"' '"SYSLOG_IDENTIFIER":"filememd"' \
                '"_SYSTEMD_UNIT":"filememd.service"'; do
                [[ $line == *"$field"* ]] || fail "the journal has no $field: $line"
        done
        [[ $line =~ \"FILEMEM_SESSION\":\"[0-9]+\" ]] || fail "the journal has no session: $line"
        [[ $line =~ \"FILEMEM_PID\":\"[0-9]+\" ]] || fail "the journal has no process: $line"
        journalctl --update-catalog
        journalctl -q -x FILEMEM_EVENT=SESSION_ENDED | grep 'Subject: A session was ended' >/dev/null ||
                fail 'the catalog does not explain it'
        echo 'ok: fields and explanation of a line in the journal'
}

# client_of_group GROUP COMMAND...
client_of_group() {
        local group=$1 status=0
        shift
        FILEMEM_SOCKET=$socket setpriv --reuid=nobody --regid=nogroup --groups="$group" \
                "$@" >/dev/null 2>&1 || status=$?
        # Whatever the program has for "refused", it is one failure here.
        echo $((status != 0))
}

check_process() {
        local pid
        pid=$(property MainPID)
        expect 'user of the daemon' filemem "$(stat -c %U "/proc/$pid")"
        expect 'its capabilities' 0000000000000000 \
                "$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")"
        expect 'no new privileges' 1 \
                "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "/proc/$pid/status")"
        expect 'its filter of system calls' 2 \
                "$(sed -n 's/^Seccomp:[[:space:]]*//p' "/proc/$pid/status")"
        expect 'its slice' filemem.slice "$(property Slice)"
        [ -n "$(property StatusText)" ] || fail 'no status line'
        echo "ok: status line: $(property StatusText)"
}

# What an operator sees first.
check_status() {
        local status line
        status=$(systemctl status --no-pager filememd.service)
        for line in 'filememd.service - Memory server' 'Active: active (running)' \
                'TriggeredBy: ● filememd.socket' 'Docs: man:filememd(8)' \
                'Status: "0 sessions in 1 pool; 0 MiB held, 0 MiB stored; ' \
                'CGroup: /filemem.slice/filememd.service' ': version ' ', serving 1 pool at '; do
                [[ $status == *"$line"* ]] || fail "systemctl status lacks '$line': $status"
        done
        echo 'ok: systemctl status reads well'
}

# In the sandbox counting is as fast as it is outside of it, and refused system calls are seen.
check_sandbox() {
        local here
        here=$(filememd_accounting_here)
        expect 'how the daemon counts, as outside of the sandbox' "$here" \
                "$(filememctl status --json | grep -o '"accounting": *"[a-z]*"' | head -n 1)"
        expect 'warnings in the journal' '' "$(journalctl -q -o cat -p warning "_PID=$(property MainPID)")"
}

filememd_accounting_here() {
        local daemon
        filememd --foreground --socket /tmp/here.sock 2>/tmp/here.log &
        daemon=$!
        wait_for 'a daemon without sandbox' 60 filememctl --socket /tmp/here.sock ping >&2
        filememctl --socket /tmp/here.sock status --json | grep -o '"accounting": *"[a-z]*"' | head -n 1
        kill $daemon
        wait $daemon
}

check_memory() {
        local file=/usr/share/common-licenses/GPL-3 output
        [ -r $file ] || file=/etc/passwd
        output=$(/usr/libexec/filemem/filemem-cksum --workers 2 $file 2>&1) ||
                fail "filemem-cksum failed: $output"
        echo "ok: filemem-cksum on $file"
}

# They need no drop-in here; where another kernel or policy has them need it, it is there and works.
check_exec_pools() {
        install -D -m 644 /dev/stdin /etc/filemem/filememd.conf.d/exec.conf <<'CONF'
[pool code]
exec = yes
CONF
        check_exec_pool
        install -D -m 644 /usr/share/filemem/exec-pools.conf \
                /run/systemd/system/filememd.service.d/exec-pools.conf
        systemctl daemon-reload
        expect 'may map what can be executed and written' no "$(property MemoryDenyWriteExecute)"
        check_exec_pool
        rm -r /run/systemd/system/filememd.service.d/exec-pools.conf /etc/filemem/filememd.conf.d
        systemctl daemon-reload
        systemctl restart filememd.service
}

check_exec_pool() {
        systemctl restart filememd.service
        expect 'pools' 'code default' \
                "$(filememctl pools --no-header | awk '{print $1}' | sort | xargs)"
        expect 'warnings in the journal' '' \
                "$(journalctl -q -o cat -p warning "_PID=$(property MainPID)")"
}

check_reload() {
        local status=0
        systemctl reload filememd.service
        expect 'result of reload' active "$(property ActiveState)"
        echo 'what = ever' >>/etc/filemem/filememd.conf
        systemctl reload filememd.service 2>/dev/null || status=$?
        expect 'exit code of reload with a mistake in the configuration' 1 $status
        expect 'state after it' active "$(property ActiveState)"
        cp /usr/share/filemem/filememd.conf /etc/filemem/filememd.conf
        systemctl reload filememd.service
}

# Nobody is let in by the lack of a configuration.
check_no_configuration() {
        systemctl stop filememd.service
        mv /etc/filemem/filememd.conf /etc/filemem/away
        systemctl start filememd.service 2>/dev/null && fail 'it starts without its configuration'
        journalctl -q -o cat -u filememd.service | grep 'filememd.conf: .*No such file' >/dev/null ||
                fail 'the journal does not say that there is no configuration'
        echo 'ok: without its configuration it does not start, and says so'
        mv /etc/filemem/away /etc/filemem/filememd.conf
        wait_for 'the service when the configuration is back' 60 filememctl ping
}

check_stop() {
        systemctl stop filememd.service
        expect 'state after stop' inactive "$(property ActiveState)"
        expect 'result of stop' success "$(property Result)"
        expect 'exit code' 0 "$(property ExecMainStatus)"
        expect 'state of the socket' active "$(property ActiveState filememd.socket)"
}

test_inside() {
        local first
        check_units
        systemctl start filememd.socket
        expect 'state before the first client' inactive "$(property ActiveState)"
        filememctl ping
        expect 'state after the first client' active "$(property ActiveState)"
        first=$(property MainPID)
        check_process
        check_status
        check_sandbox
        check_access
        check_journal
        check_memory
        check_stop
        filememctl ping
        expect 'state after the next client' active "$(property ActiveState)"
        [ "$(property MainPID)" != "$first" ] || fail 'it is the same process'
        check_process
        check_exec_pools
        check_reload
        check_no_configuration
        systemctl stop filememd.socket filememd.service
        [ ! -e "$socket" ] || fail 'the socket file is left behind'
        echo 'ok: stopped, the socket file is gone'
}

box_main unified "$@"
