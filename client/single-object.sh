#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: single-object.sh MAP OUTPUT LD OBJCOPY OBJECT...
#
# Makes one object of many, in which only the names are global that the version script MAP names: an
# archive of it exports what the shared library does, and no name of ours meets one of the program's.
set -eu
map=$1
output=$2
ld=$3
objcopy=$4
shift 4

sed -n 's/^ *\(filemem_[a-z_]*\);$/\1/p' "$map" >"$output.names"
[ -s "$output.names" ]
"$ld" -r -o "$output.whole" "$@"
"$objcopy" --keep-global-symbols="$output.names" "$output.whole" "$output"
rm -f "$output.whole" "$output.names"
