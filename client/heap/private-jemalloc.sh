#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: private-jemalloc.sh ARCHIVE OUTPUT LD NM OBJCOPY
#
# Makes one object of jemalloc whose names all begin with filemem_je_, so that it is nobody's malloc
# but ours, and without its constructor: it starts when it is first used.
set -eu
archive=$1
output=$2
ld=$3
nm=$4
objcopy=$5

"$ld" -r -o "$output.whole" -u mallocx -u mallctl "$archive"
"$nm" --defined-only --extern-only "$output.whole" |
        awk 'NF == 3 { print $3, "filemem_je_" $3 }' >"$output.names"
grep -q '^mallocx ' "$output.names"
"$objcopy" --redefine-syms="$output.names" --remove-section=.init_array --remove-section=.rela.init_array \
        --remove-section=.ctors --remove-section=.rela.ctors "$output.whole" "$output"
rm -f "$output.whole" "$output.names"
