# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The installed service in a real systemd, for tests to source. A test is one script that is run twice:
#
#   source .../service-box.sh
#   test_inside() { ...; }               # runs in the box, where the service is installed
#   box_main MODE "$@"                   # MODE of systemd-box; "$@" has the build folder
#
# Outside, the build is installed into a folder of its own; only the box, whose "/" is thrown away, sees
# it as a part of the system. Without root there is no box: exit code 77, which ctest shows as skipped.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck disable=SC2034 # for those who source this
socket=/run/filemem/filemem.sock

fail() {
        echo "$(basename "$0" .sh): $*" >&2
        exit 1
}

# expect WHAT WANTED GOT
expect() {
        [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
        echo "ok: $1: $3"
}

# ---- outside ------------------------------------------------------------------------------------

# box_outside MODE BUILD: BOX_PROGRAMS="FILE..." are copied into the folder box_stage, seen inside too.
box_outside() {
        local here
        here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
        if [ "$(id -u)" != 0 ]; then
                echo "$(basename "$0" .sh): skipped: booting systemd in namespaces needs root"
                exit 77
        fi
        box_stage=$(mktemp -d)
        trap 'rm -rf "$box_stage"' EXIT
        DESTDIR=$box_stage/root cmake --install "$2" --prefix /usr >"$box_stage/log" ||
                fail "cmake --install failed: $(cat "$box_stage/log")"
        mkdir "$box_stage/tests" "$box_stage/support"
        cp "$0" "$box_stage/tests/"
        cp "$here"/*.sh "$box_stage/support/"
        # shellcheck disable=SC2086 # a list
        [ -z "${BOX_PROGRAMS:-}" ] || cp $BOX_PROGRAMS "$box_stage/tests/"
        BOX_BIND=$box_stage "$here/systemd-box" "$1" \
                "$box_stage/tests/$(basename "$0")" --inside "$box_stage"
}

# ---- inside the box -----------------------------------------------------------------------------

property() {
        systemctl show --value -p "$1" "${2:-filememd.service}"
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds.
wait_for() {
        local what=$1 seconds=$2 end
        shift 2
        end=$((SECONDS + seconds))
        until "$@" >/dev/null 2>&1; do
                [ $SECONDS -le $end ] || fail "$what: not within $seconds s"
                sleep 0.05
        done
        echo "ok: $what"
}

# drop_in UNIT LINE...: into effect with daemon-reload, which it does.
drop_in() {
        local folder=/run/systemd/system/$1.d
        shift
        mkdir -p "$folder"
        printf '%s\n' "$@" >>"$folder/test.conf"
        systemctl daemon-reload
}

remove_drop_ins() {
        rm "/run/systemd/system/$1.d/test.conf"
        systemctl daemon-reload
}

show_journal() {
        local status=$?
        [ "$status" = 0 ] || journalctl --no-pager -o short-monotonic -u filememd.service \
                -u filememd.socket >&2
}

# A daemon with a sanitizer in it dies of a signal as one without does; and to look for leaks it
# would need ptrace(), which the filter of the service does not let it have: other tests look.
tame_sanitizers() {
        [[ $(ldd /usr/sbin/filememd) == *lib[at]san* ]] || return 0
        mkdir -p /run/systemd/system/filememd.service.d
        cat >/run/systemd/system/filememd.service.d/sanitizers.conf <<'UNIT'
[Service]
Environment=ASAN_OPTIONS=detect_leaks=0:handle_segv=0 TSAN_OPTIONS=handle_segv=0
UNIT
}

box_inside() {
        box_stage=$1
        unset FILEMEM_SOCKET
        trap show_journal EXIT
        cp -a "$box_stage/root/." /
        ldconfig
        systemd-sysusers
        tame_sanitizers
        systemctl daemon-reload
        test_inside
}

# box_main MODE BUILD_FOLDER | box_main MODE --inside FOLDER
box_main() {
        case $#,${2:-} in
        2,-*) fail "usage: $(basename "$0") BUILD_FOLDER" ;;
        2,*) box_outside "$1" "$2" ;;
        3,--inside) box_inside "$3" ;;
        *) fail "usage: $(basename "$0") BUILD_FOLDER" ;;
        esac
}
