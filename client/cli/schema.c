// SPDX-License-Identifier: Apache-2.0
#include "command.h"

static const char *type_name(enum column_type type)
{
        switch (type) {
        case COLUMN_TEXT:
                return "string";
        case COLUMN_BOOL:
                return "boolean";
        default:
                return "integer";
        }
}

static const char *unit_name(enum column_type type)
{
        switch (type) {
        case COLUMN_BYTES:
        case COLUMN_OFFSET:
                return ", in bytes";
        case COLUMN_TIME:
                return ", in ns";
        case COLUMN_PERMILLE:
                return ", in thousandths";
        default:
                return "";
        }
}

/* The sentences of the tables have quotes and nothing else that JSON would not take. */
static void print_text(const char *text)
{
        for (; *text; text++)
                printf(*text == '"' ? "\\%c" : "%c", *text);
}

static void print_column(const struct column *column, bool last)
{
        printf("          \"%s\": {\n            \"type\": ", column->key);
        printf(column->maybe ? "[\"%s\", \"null\"]" : "\"%s\"", type_name(column->type));
        fputs(",\n            \"description\": \"", stdout);
        print_text(column->help);
        printf("%s\"\n          }%s\n", unit_name(column->type), last ? "" : ",");
}

static void print_schema(const struct command *command)
{
        const struct columns *columns = command->columns;

        printf("{\n"
               "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
               "  \"title\": \"filememctl %s --json\",\n"
               "  \"description\": \"%s\",\n"
               "  \"type\": \"object\",\n"
               "  \"required\": [\"%s\"],\n"
               "  \"properties\": {\n"
               "    \"%s\": {\n"
               "      \"type\": \"array\",\n"
               "%s"
               "      \"items\": {\n"
               "        \"type\": \"object\",\n"
               "        \"required\": [",
                command->name, command->help, command->name, command->name,
                columns->record ? "      \"minItems\": 1,\n      \"maxItems\": 1,\n" : "");
        for (size_t i = 0; i < columns->count; i++)
                printf("%s\"%s\"", i ? ", " : "", columns->list[i].key);
        fputs("],\n        \"properties\": {\n", stdout);
        for (size_t i = 0; i < columns->count; i++)
                print_column(&columns->list[i], i + 1 == columns->count);
        fputs("        }\n      }\n    }\n  }\n}\n", stdout);
}

int schema_run(const struct options *options)
{
        print_schema(command_find(options->word));
        return 0;
}
