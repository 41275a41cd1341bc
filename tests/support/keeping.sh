# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A client that holds memory while something happens to the service, for tests that have sourced
# service-box.sh: the program keeper, which is copied into the box.
: "${box_stage:=}" "${socket:=}"

# What it sees of a daemon that was started again: see docs/operations.md.
# shellcheck disable=SC2034 # for those who source this
after_restart=kept

# keeping_programs BUILD_FOLDER | keeping_programs --inside FOLDER: what has to be copied.
keeping_programs() {
        [ "$1" = --inside ] || echo "$1/tests/system/keeper $1/tests/system/hold_thread"
}

keeper_start() {
        coproc KEEPER { "$box_stage/tests/keeper" "$socket" 100; }
        # shellcheck disable=SC2153 # bash sets it
        keeper_out=${KEEPER[0]} keeper_in=${KEEPER[1]} keeper_pid=$KEEPER_PID
        [ "$(keeper_read)" = ready ] || fail 'the client that holds memory cannot begin'
}

keeper_read() {
        local line
        IFS= read -r -t 60 -u "$keeper_out" line || line='no answer'
        echo "$line"
}

# keeper_expect WHAT STATE: see keeper.c.
keeper_expect() {
        echo >&"$keeper_in"
        expect "what a client holds after $1" "$2" "$(keeper_read)"
}

keeper_stop() {
        eval "exec $keeper_in>&-"
        wait "$keeper_pid" || fail 'the client that holds memory ended badly'
}

# wait_restarted WHAT PID: until another process serves.
wait_restarted() {
        wait_for "the service after $1" 60 is_another "$2"
        filememctl ping >/dev/null || fail "no answer after $1"
        expect "state after $1" active "$(property ActiveState)"
}

is_another() {
        local pid
        pid=$(property MainPID)
        [ "$pid" != 0 ] && [ "$pid" != "$1" ] && [ "$(property SubState)" = running ]
}
