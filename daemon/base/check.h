// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Invariants. A daemon that holds other people's memory and finds that it no longer knows what it
 * holds must not go on: check() stays on in every build, says where, and aborts. It is for what
 * cannot be false unless filemem itself is wrong; nothing that a client, the kernel or the operator
 * does may reach it.
 *
 * debug_check() is for what costs too much to ask always, and is on with FILEMEM_DEBUG_CHECKS.
 */

__attribute__((noreturn, cold)) void check_failed(
        const char *condition, const char *file, int line, const char *function);

#define check(condition)                                                                           \
        do {                                                                                       \
                if (__builtin_expect(!(condition), 0))                                             \
                        check_failed(#condition, __FILE__, __LINE__, __func__);                    \
        } while (0)

#ifdef FILEMEM_DEBUG_CHECKS
#define debug_check(condition) check(condition)
#else
#define debug_check(condition) ((void)sizeof(condition))
#endif
