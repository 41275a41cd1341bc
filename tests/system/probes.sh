#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon has the probes that docs/observability.md tells of, and those alone, with four arguments each.
#
#   probes.sh DAEMON DOCUMENT
set -euo pipefail
daemon=$1 document=$2

found=$(readelf --notes --wide "$daemon" | awk '
        /Provider:/ { provider = $NF }
        $1 == "Name:" { name = $2 }
        $1 == "Arguments:" { if (provider == "filememd") print name, NF - 1 }' | sort -u)
# shellcheck disable=SC2016 # these are no expressions, but a table in Markdown
told=$(sed -n 's/^| `filememd:\([a-z]*\)` |.*/\1 4/p' "$document" | sort -u)

if [ -z "$told" ] || [ "$found" != "$told" ]; then
        printf 'in the daemon:\n%s\nin the document:\n%s\n' "$found" "$told"
        exit 1
fi
