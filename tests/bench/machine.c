// SPDX-License-Identifier: Apache-2.0
#include "bench/machine.h"

#include "bench/floor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BUILD "with sanitizers: the times mean nothing"
#elif defined(FILEMEM_DEBUG_CHECKS)
#define BUILD "with debug checks: the times mean nothing"
#else
#define BUILD "release"
#endif

/*
 * What a file of /proc or /sys says behind `key` and a colon, or the first line if key is "".
 * Without characters that JSON would have to escape.
 */
static void read_text(const char *path, const char *key, char *text, size_t size)
{
        FILE *file = fopen(path, "re");
        char line[256];

        snprintf(text, size, "unknown");
        if (!file)
                return;
        while (fgets(line, sizeof(line), file)) {
                char *value = *key ? strchr(line, ':') : line;

                if (strncmp(line, key, strlen(key)) != 0 || !value)
                        continue;
                value += *key ? 1 : 0;
                value += strspn(value, " \t");
                value[strcspn(value, "\n\"\\")] = 0;
                snprintf(text, size, "%s", value);
                break;
        }
        fclose(file);
}

void machine_print(FILE *stream, bool json)
{
        const uint64_t memory =
                (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        char processor[128], huge[64], source[64];
        struct utsname name;

        if (uname(&name) < 0)
                memset(&name, 0, sizeof(name));
        read_text("/proc/cpuinfo", "model name", processor, sizeof(processor));
        read_text("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "", huge, sizeof(huge));
        read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", source,
                sizeof(source));
        fprintf(stream,
                json ? "{\"processor\": \"%s\", \"cores\": %ld, \"memory_mib\": %lu, "
                       "\"kernel\": \"%s %s %s\", \"shmem_huge_pages\": \"%s\", \"build\": \"%s\", "
                       "\"clock\": \"%s\", \"clock_ns\": %.1f, \"lock_ns\": %.1f}\n"
                     : "# %s, %ld cores, %lu MiB; %s %s %s; huge pages of shmem: %s\n"
                       "# build: %s; reading the clock (%s), which is in each p50 and p99: %.1f ns;"
                       " an uncontended lock: %.1f ns\n",
                processor, cores, (unsigned long)memory, name.sysname, name.release, name.machine,
                huge, BUILD, source, floor_clock(), floor_lock());
}

/* For page tables, and for whoever else runs here. */
#define SPARE (UINT64_C(256) << 20)

int machine_check_memory(uint64_t bytes)
{
        char available[64];

        read_text("/proc/meminfo", "MemAvailable", available, sizeof(available));
        return strtoull(available, NULL, 10) * 1024 < bytes + SPARE ? -ENOMEM : 0;
}
