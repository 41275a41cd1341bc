// SPDX-License-Identifier: Apache-2.0
#include "service/service_log.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where in the source a line is from is of no use to who reads the journal. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define FIELDS_MAX 9

static const char identifier[] = "SYSLOG_IDENTIFIER=filememd";

struct fields {
        struct iovec vectors[FIELDS_MAX];
        char numbers[4][48];
        int count;
        int numbers_count;
};

static void add(struct fields *fields, const char *text, size_t length)
{
        fields->vectors[fields->count++] =
                (struct iovec){.iov_base = (char *)(uintptr_t)text, .iov_len = length};
}

static void add_number(struct fields *fields, const char *name, unsigned long long value)
{
        char *text = fields->numbers[fields->numbers_count++];
        int n = snprintf(text, sizeof(fields->numbers[0]), "%s=%llu", name, value);

        add(fields, text, (size_t)n);
}

static void add_about(struct fields *fields, const struct log_about *about)
{
        if (about->session)
                add_number(fields, "FILEMEM_SESSION", about->session);
        if (about->uid != LOG_NO_UID)
                add_number(fields, "FILEMEM_UID", about->uid);
        if (about->pid)
                add_number(fields, "FILEMEM_PID", (unsigned long long)about->pid);
}

/* Texts are bounded: what does not fit into its buffer is cut. */
static void add_text(
        struct fields *fields, char *buffer, size_t size, const char *name, const char *text)
{
        int n = snprintf(buffer, size, "%s=%s", name, text);

        add(fields, buffer, (size_t)n < size ? (size_t)n : size - 1);
}

static bool send_record(const struct log_record *record)
{
        char message[1100], id[64], event[64], pool[128];
        struct fields fields = {.count = 0};

        add_text(&fields, message, sizeof(message), "MESSAGE", record->message);
        add(&fields, identifier, sizeof(identifier) - 1);
        add_number(&fields, "PRIORITY", (unsigned long long)record->level);
        add_text(&fields, id, sizeof(id), "MESSAGE_ID", record->id);
        add_text(&fields, event, sizeof(event), "FILEMEM_EVENT", record->event);
        if (record->about.pool)
                add_text(&fields, pool, sizeof(pool), "FILEMEM_POOL", record->about.pool);
        add_about(&fields, &record->about);
        return sd_journal_sendv(fields.vectors, fields.count) >= 0;
}

bool service_log_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char here[64];
        struct stat info;

        if (!stream || fstat(STDERR_FILENO, &info) < 0)
                return false;
        snprintf(here, sizeof(here), "%llu:%llu", (unsigned long long)info.st_dev,
                (unsigned long long)info.st_ino);
        return strcmp(stream, here) == 0;
}

void service_log_start(void)
{
        log_set_sink(send_record);
}
