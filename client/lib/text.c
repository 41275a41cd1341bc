// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include "session.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The pointer alone could be that of a later session at the same address. */
static _Thread_local struct {
        const filemem_session *session;
        uint64_t id;
        char sentence[SESSION_TEXT_MAX];
} last;

static _Thread_local char open_sentence[SESSION_TEXT_MAX + 128];

void text_copy(char *target, size_t size, const char *source)
{
        size_t i = 0;

        if (!size)
                return;
        for (; source && source[i] && i < size - 1; i++) {
                unsigned char byte = (unsigned char)source[i];

                if (byte < ' ' || byte == 0x7f)
                        target[i] = '?';
                else
                        target[i] = source[i];
        }
        target[i] = '\0';
}

void text_clear(void)
{
        last.session = NULL;
}

int text_set(const filemem_session *session, int error, const char *sentence)
{
        last.session = session;
        last.id = session->id;
        text_copy(last.sentence, sizeof(last.sentence), sentence);
        return error;
}

const char *filemem_last_error(const filemem_session *session)
{
        if (!session || last.session != session || last.id != session->id)
                return "";
        return last.sentence;
}

void text_open_clear(void)
{
        open_sentence[0] = '\0';
}

int text_open_set(int error, const char *format, ...)
{
        char sentence[sizeof(open_sentence)];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(sentence, sizeof(sentence), format, arguments);
        va_end(arguments);
        text_copy(open_sentence, sizeof(open_sentence), sentence);
        return error;
}

const char *filemem_open_error(void)
{
        return open_sentence;
}

const char *filemem_strerror(const filemem_session *session, int error)
{
        const char *sentence = session ? filemem_last_error(session) : filemem_open_error();

        if (!sentence[0] && error != INT_MIN)
                sentence = strerrordesc_np(error < 0 ? -error : error);
        return sentence && sentence[0] ? sentence : "unknown error";
}
