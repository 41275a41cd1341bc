#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: abi.sh SHARED ARCHIVE HEADER[:HEADER]... RELEASED DOCS [--update]
#
# What a library promises: it exports what its headers declare and nothing else, under the versions
# that it had when they were released, as an archive too; it does nothing before it is called; and it
# is as large and needs what the docs say.
#
# RELEASED lists what was exported when the last version was released: none of it may go, or change
# its version. --update writes it anew, which belongs to a release.
set -eu
shared=$1
archive=$2
headers=$3
released=$4
docs=$5
update=${6:-}

name=$(basename "$shared" | sed 's/\.so.*//')
folder=$(mktemp -d -t filemem-abi.XXXXXX)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() {
        echo "FAILED: $name: $*" >&2
        failed=1
}

# ---- names --------------------------------------------------------------------------------------
nm -D --with-symbol-versions --defined-only "$shared" | awk '$2 != "A" { print $3 }' |
        sed 's/@@/@/' | LC_ALL=C sort >"$folder/exported"
sed 's/@.*//' "$folder/exported" >"$folder/names"
echo "$headers" | tr ':' '\n' | xargs cat | tr '\n' ' ' | grep -oE 'FILEMEM_API [^;(]*\(' | grep -oE 'filemem_[a-z0-9_]+\($' |
        tr -d '(' | LC_ALL=C sort >"$folder/declared"
[ -s "$folder/declared" ] || fail "no functions in $headers"
diff -u "$folder/declared" "$folder/names" >"$folder/diff" || {
        cat "$folder/diff" >&2
        fail "what it exports (+) is not what the headers declare (-)"
}

nm --defined-only --extern-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' | LC_ALL=C sort >"$folder/archive"
diff -u "$folder/declared" "$folder/archive" >"$folder/diff" || {
        cat "$folder/diff" >&2
        fail "the archive has other global names (+) than the headers declare (-)"
}

if [ "$update" = --update ]; then
        { echo "# Exported by $name when it was last released; see abi.sh."; cat "$folder/exported"; } >"$released"
fi
grep -v '^#' "$released" | LC_ALL=C sort >"$folder/released"
gone=$(LC_ALL=C comm -23 "$folder/released" "$folder/exported")
[ -z "$gone" ] || fail "what was released is gone, or has another version: $gone"

# ---- nothing of ours runs by itself -------------------------------------------------------------
readelf -SW "$archive" | grep -E ' \.(init_array|fini_array|preinit_array|ctors|dtors)' &&
        fail "the archive has constructors or destructors"
# The compiler's own start files have one of each.
for section in init_array fini_array; do
        size=$(readelf -SW "$shared" | sed -n "s/.* \.$section  *[A-Z_]* *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p")
        [ "$((0x${size:-0}))" -le 8 ] || fail ".$section has $((0x$size)) bytes"
done

# ---- what the docs say: | `libNAME` | soname | at most N KiB | `needs`, `needs` | ----------------
row=$(grep -F "| \`$name\` |" "$docs") || fail "$docs has no row for it"
soname=$(readelf -d "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
echo "$row" | grep -qF "| \`$soname\` |" || fail "its soname is $soname"
limit=$(echo "$row" | sed -n 's/.*| \([0-9]*\) KiB |.*/\1/p')
size=$(size "$shared" | awk 'NR == 2 { print int(($1 + $2 + 1023) / 1024) }')
[ "$size" -le "${limit:-0}" ] || fail "it has $size KiB, the docs say ${limit:-nothing}"
# The loader is needed for what is thread-local, or not, as the compiler likes.
# shellcheck disable=SC2016 # these backticks are Markdown
readelf -d "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/`\1`/p' | grep -v '^`ld-linux' | LC_ALL=C sort >"$folder/needed"
# shellcheck disable=SC2016
echo "$row" | sed 's/.* KiB |//' | grep -oE '`[^`]+`' | LC_ALL=C sort >"$folder/documented"
diff -u "$folder/documented" "$folder/needed" >"$folder/diff" || {
        cat "$folder/diff" >&2
        fail "what it needs (+) is not what the docs say (-)"
}
[ $failed = 0 ] && echo "$name: $(wc -l <"$folder/names") functions, $size KiB"
