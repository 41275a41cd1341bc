// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Places where bpftrace, perf and systemtap can look in (USDT): an instruction that does nothing,
 * and a note of where the arguments are. Where the header of systemtap-sdt-dev was not there when
 * the daemon was built there is nothing at all. docs/observability.md has their names and
 * arguments: numbers of 64 bits, and texts by their address.
 */
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE4(name, a, b, c, d) DTRACE_PROBE4(filememd, name, a, b, c, d)
#else
#define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif
