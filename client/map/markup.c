// SPDX-License-Identifier: Apache-2.0
#include "map/markup.h"

void markup_xml(FILE *where, const char *text)
{
        for (; *text; text++) {
                switch (*text) {
                case '<':
                        fputs("&lt;", where);
                        break;
                case '>':
                        fputs("&gt;", where);
                        break;
                case '&':
                        fputs("&amp;", where);
                        break;
                case '"':
                        fputs("&quot;", where);
                        break;
                case '\'':
                        fputs("&#39;", where);
                        break;
                default: /* XML has no way to write a control character */
                        fputc((unsigned char)*text < ' ' ? '?' : *text, where);
                }
        }
}
