// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdio.h>

/*
 * Text of somebody else's in XML, within quotation marks or not: what has a meaning there is
 * written so that it has none.
 */
void markup_xml(FILE *where, const char *text);
