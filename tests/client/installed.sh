#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: installed.sh BUILD_FOLDER SOURCES COMPILER SANITIZERS
#
# Installs into a folder of its own and uses what is there: by pkg-config and by CMake, shared and
# static, and the programs where they are.
set -eu
build=$1
sources=$2
compiler=$3
sanitize=$4

folder=$(mktemp -d -t filemem-installed.XXXXXX)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix
say() {
        echo "== $*"
}
fail() {
        echo "FAILED: $*" >&2
        exit 1
}

say "install"
cmake --install "$build" --prefix "$prefix" >"$folder/log" 2>&1 || {
        cat "$folder/log"
        fail "cmake --install"
}
pc=$(find "$prefix" -name libfilemem.pc)
[ -n "$pc" ] || fail "no libfilemem.pc"
libdir=$(dirname "$(dirname "$pc")")
for header in filemem queue reports statistics; do
        [ -f "$prefix/include/filemem/$header.h" ] || fail "no header $header.h"
done
[ -L "$libdir/libfilemem.so.0" ] || fail "no soname"

say "pkg-config"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
# shellcheck disable=SC2046
"$compiler" ${sanitize:+"-fsanitize=$sanitize"} -Wall -Wextra -Werror "$sources/main.c" -o "$folder/shared" \
        $(pkg-config --cflags --libs libfilemem)
LD_LIBRARY_PATH=$libdir "$folder/shared"
# shellcheck disable=SC2046
"$compiler" ${sanitize:+"-fsanitize=$sanitize"} "$sources/main.c" -o "$folder/static" $(pkg-config --cflags libfilemem) \
        "$libdir/libfilemem.a" $(pkg-config --libs libprotobuf-c) -pthread
"$folder/static"

heap=
[ ! -f "$libdir/pkgconfig/libfilemem-heap.pc" ] || heap=yes
if [ "$heap" ]; then
        say "heap"
        # shellcheck disable=SC2046
        "$compiler" ${sanitize:+"-fsanitize=$sanitize"} -Wall -Wextra -Werror "$sources/heap.c" \
                -o "$folder/heap" $(pkg-config --cflags --libs libfilemem-heap)
        LD_LIBRARY_PATH=$libdir "$folder/heap"
        # shellcheck disable=SC2046
        "$compiler" ${sanitize:+"-fsanitize=$sanitize"} "$sources/heap.c" -o "$folder/heap_static" \
                $(pkg-config --cflags libfilemem-heap) "$libdir/libfilemem-heap.a" "$libdir/libfilemem.a" \
                $(pkg-config --libs libprotobuf-c) -lm -pthread
        "$folder/heap_static"
fi

say "languages"
# shellcheck disable=SC2046
"$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$sources/main.c" \
        $(pkg-config --cflags libfilemem)
if command -v c++ >/dev/null; then
        # shellcheck disable=SC2046
        c++ ${sanitize:+"-fsanitize=$sanitize"} -std=c++11 -Wall -Wextra -Wpedantic -Werror -x c++ "$sources/main.c" \
                -o "$folder/cxx" $(pkg-config --cflags --libs libfilemem)
        LD_LIBRARY_PATH=$libdir "$folder/cxx"
fi

say "CMake"
{
        cmake -S "$sources" -B "$folder/build" -DCMAKE_PREFIX_PATH="$prefix" -DHEAP="$heap" \
                -DCMAKE_C_COMPILER="$compiler" ${sanitize:+"-DCMAKE_C_FLAGS=-fsanitize=$sanitize"} &&
                cmake --build "$folder/build"
} >"$folder/log" 2>&1 || {
        cat "$folder/log"
        fail "find_package"
}
"$folder/build/shared"
"$folder/build/static"
if [ "$heap" ]; then
        "$folder/build/heap"
        "$folder/build/heap_static"
fi

say "Python"
if [ -n "$sanitize" ]; then
        echo "no: python3 is not linked with the sanitizer; test_python preloads it"
else
        PYTHONPATH=$prefix/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 python3 -c '
import filemem
try:
    filemem.Session("/nonexistent/filemem.sock")
except filemem.FilememError as error:
    print(error)
with open("/proc/self/maps") as maps:
    assert "/prefix/" in "".join(line for line in maps if "libfilemem" in line), "not the library beside it"
'
        [ -f "$prefix/lib/python3/dist-packages/filemem/py.typed" ] || fail "no types"
fi

say "symbols"
others=$(nm -D --defined-only "$libdir/libfilemem.so.0" | awk '{ print $3 }' | sed 's/@.*//' |
        grep -v -e '^filemem_[a-z]' -e '^LIBFILEMEM_0$' || true)
[ -z "$others" ] || [ -n "$sanitize" ] || fail "exports more than the header: $others"

say "manual"
pages=$prefix/share/man/man3
functions=$(nm -D --defined-only "$libdir"/libfilemem*.so.0 | sed -n 's/.* T \(filemem_[a-z_]*\)@.*/\1/p' | sed 's/_sized$//')
[ "$(echo "$functions" | wc -l)" -gt 50 ] || fail "exports only: $functions"
for function in $functions; do
        [ -f "$pages/$function.3" ] || fail "no page for $function"
done
page=$pages/$(sed -n 's|^\.so man3/||p' "$pages/filemem_decref.3")
grep -q '^\.TH FILEMEM_INCREF 3' "$page" || fail "filemem_decref(3) is $page"

say "programs"
"$prefix/bin/filememctl" --version
code=0
"$prefix/bin/filememctl" --socket /nonexistent/filemem.sock ping || code=$?
[ "$code" = 3 ] || fail "filememctl exits with $code"
"$prefix/libexec/filemem/filemem-cksum" --help >/dev/null
code=0
"$prefix/libexec/filemem/filemem-cksum" --workers 1 2>/dev/null || code=$?
[ "$code" = 2 ] || fail "filemem-cksum exits with $code"
say "all well"
