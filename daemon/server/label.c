// SPDX-License-Identifier: Apache-2.0
#include "server/label.h"

#include "proto/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads one character. Returns its length in bytes, 0 if it is no valid UTF-8. */
static size_t read_character(const unsigned char *text, uint32_t *ret)
{
        static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t length;
        uint32_t value;

        if (text[0] < 0x80) {
                *ret = text[0];
                return 1;
        }
        length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
        if (text[0] < 0xc0 || text[0] >= 0xf8)
                return 0;
        value = text[0] & (0xffu >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((text[i] & 0xc0) != 0x80) /* the terminating zero is none either */
                        return 0;
                value = value << 6 | (text[i] & 0x3f);
        }
        if (value < lowest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
                return 0;
        *ret = value;
        return length;
}

static bool is_printable(uint32_t character)
{
        static const struct {
                uint32_t first, last;
        } unprintable[] = {
                {0, 0x1f},          /* control characters */
                {0x7f, 0x9f},       /* the same, and delete */
                {0x200b, 0x200f},   /* zero width, marks of direction */
                {0x2028, 0x202e},   /* separators of lines, overrides of direction */
                {0x2060, 0x206f},   /* invisible operators, isolates */
                {0xfeff, 0xfeff},   /* byte order mark */
                {0xfff9, 0xfffb},   /* annotations */
                {0xe0000, 0xe0fff}, /* tags */
        };

        for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++) {
                if (character >= unprintable[i].first && character <= unprintable[i].last)
                        return false;
        }
        return (character & 0xfffe) != 0xfffe;
}

bool label_is_valid(const char *label)
{
        const unsigned char *text = (const unsigned char *)label;

        if (strlen(label) > WIRE_LABEL_MAX)
                return false;
        while (*text) {
                uint32_t character = 0;
                size_t length = read_character(text, &character);

                if (!length || !is_printable(character))
                        return false;
                text += length;
        }
        return true;
}
