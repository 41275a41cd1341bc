// SPDX-License-Identifier: Apache-2.0
/* filememctl map and gaps, with pools of the real daemon. */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <jansson.h>
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)

static struct daemon the_daemon;
static filemem_session *session;

static struct filemem_range allocate(uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;

        ck_assert_int_eq(filemem_allocate(session, length, kind, &range), 0);
        return range;
}

static void touch(struct filemem_range range)
{
        void *address;

        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, range.end - range.start);
}

static void await_reclaim(void)
{
        struct filemem_usage usage;

        for (int i = 0; i < 1000; i++) {
                ck_assert_int_eq(filemem_update_usage(session, &usage), 0);
                if (!usage.reclaimable)
                        return;
                usleep(10000);
        }
        ck_abort_msg("nothing is given back");
}

/*
 * In the first 64 KiB one cell of 4 KiB for each kind, a gap of two pages, and a range of four
 * pages of which the second half is committed; at 2 MiB a hugepage, half of it committed.
 */
static void start(void)
{
        const struct filemem_options how = {.size = sizeof(how), .label = "<us>"};
        struct filemem_range pages, hole, halves, large;

        daemon_start(&the_daemon, "[pool open]\ncapacity = 16M\njoin = *\n");
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        setenv("LC_ALL", "C", 1);
        setenv("COLUMNS", "80", 1);
        ck_assert_int_eq(filemem_open(NULL, &how, &session), 0);
        for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                pages = allocate(4 * K, (enum filemem_kind)kind);
                if (kind % 2)
                        touch(pages);
        }
        hole = allocate(8 * K, FILEMEM_TMPFS);
        halves = allocate(16 * K, FILEMEM_ANONYMOUS);
        touch((struct filemem_range){halves.start + 8 * K, halves.end});
        large = allocate(2 * M, FILEMEM_MAPPED);
        touch((struct filemem_range){large.start, large.start + 1 * M});
        ck_assert_int_eq(filemem_decref(session, hole), 0);
        await_reclaim();
}

static void stop(void)
{
        filemem_close(session);
        daemon_stop(&the_daemon);
}

/* What filememctl says, with "counted ... ago" made always the same. */
static const char *get(const char *line)
{
        char *counted, *ago;

        ctl_get(line);
        counted = strstr(ctl_output, "counted ");
        ago = counted ? strstr(counted, " ago") : NULL;
        if (ago) {
                counted[8] = 'X';
                memmove(counted + 9, ago, strlen(ago) + 1);
        }
        return ctl_output;
}

/* ck_assert_str_eq() has the text of its arguments in its message, for which there is a limit. */
static void assert_same(const char *is, const char *expected)
{
        ck_assert_msg(!strcmp(is, expected), "is\n%s\nand not\n%s", is, expected);
}

#define ROW(cell) cell cell cell cell cell cell cell cell cell cell cell cell cell cell cell cell
#define FREE_ROW  ROW("....") "   0%\n"

START_TEST(a_pool_is_drawn_with_letters)
{
        assert_same(get("map --no-header"),
                "      0 SRA............................................................"
                ".   3%\n"
                "     1M " FREE_ROW "     2M " ROW(
                        "MMMM") " 100%\n"
                                "     3M " ROW("mmmm") " 100%\n"
                                                       "     4M " FREE_ROW "     5M " FREE_ROW
                                                       "     6M " FREE_ROW "     7M " FREE_ROW
                                                       "     8M " FREE_ROW "     9M " FREE_ROW
                                                       "    10M " FREE_ROW "    11M " FREE_ROW
                                                       "    12M " FREE_ROW "    13M " FREE_ROW
                                                       "    14M " FREE_ROW "    15M " FREE_ROW);
}
END_TEST

START_TEST(a_part_is_drawn_larger)
{
        assert_same(get("map --range 0-0x10000"),
                "Pool default: 0 to 64K of 64G, a cell is 4K\n"
                "\n"
                "      0 sApTrM..aaAA....                                                  62%\n"
                "\n"
                "  Ss System     4K held, 0B committed\n"
                "  Aa Anonymous  20K held, 12K committed\n"
                "  Pp PageCache  4K held, 0B committed\n"
                "  Tt Tmpfs      4K held, 4K committed\n"
                "  Rr Ramdiskfs  4K held, 0B committed\n"
                "  Mm Mapped     4K held, 4K committed\n"
                "  .  free       24K\n"
                "Capital letters: half of it or more is committed.\n"
                "At the end of a row: how much of it is held. Committed was counted X ago.\n"
                "\n"
                "Of 24K free, this much can be allocated as\n"
                "  single pages     24K  100%\n"
                "  64K each          0B    0%\n"
                "  2M each           0B    0%\n"
                "  one range        16K   66%\n"
                "Gaps by size; the largest of 2 is 16K at 0xc000\n"
                "  below 64K        24K  in 2\n");
        /* What is in between pages belongs to it. */
        ck_assert_ptr_nonnull(strstr(get("map --range 4097-8191"), "Pool default: 4K to 8K"));
}
END_TEST

START_TEST(colours_come_where_they_are_wanted)
{
        setenv("LC_ALL", "C.UTF-8", 1);
        assert_same(get("map --range 0-64K --color=always --no-header"),
                "      0 \033[38;5;244m░\033[38;5;32m█\033[38;5;214m░\033[38;5;36m█\033[38;5;175m░"
                "\033[38;5;75m█\033[m··\033[38;5;32m░░██\033[m····"
                "                                                  62%\n");
        assert_same(get("map --range 0-64K --no-header"),
                "      0 sApTrM··aaAA····"
                "                                                  62%\n");
}
END_TEST

/* Columns of the longest line. */
static size_t width_of(const char *text)
{
        size_t most = 0;

        for (; *text; text += strcspn(text, "\n") + 1)
                if (strcspn(text, "\n") > most)
                        most = strcspn(text, "\n");
        return most;
}

START_TEST(a_picture_is_as_wide_as_there_is_room)
{
        static const struct {
                const char *columns;
                size_t width;
        } wide[] = {{"80", 77}, {"81", 77}, {"200", 189}, {"40", 29}, {"5", 21}, {"x", 77}};

        for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
                setenv("COLUMNS", wide[i].columns, 1);
                ck_assert_uint_eq(width_of(get("map --no-header")), wide[i].width);
        }
}
END_TEST

/* What a terminal of 60 columns shows. */
START_TEST(a_terminal_says_how_wide_it_is)
{
        struct winsize size = {.ws_row = 24, .ws_col = 60};
        static char text[1 << 16];
        size_t used = 0;
        ssize_t n;
        int fd, status;
        pid_t child;

        unsetenv("COLUMNS");
        setenv("NO_COLOR", "1", 1);
        child = forkpty(&fd, NULL, NULL, &size);
        ck_assert_int_ge(child, 0);
        if (!child) {
                execl(FILEMEM_CTL, FILEMEM_CTL, "map", "--no-header", NULL);
                _exit(127);
        }
        while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
                used += (size_t)n;
        close(fd);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        text[used] = 0;
        ck_assert_ptr_null(strchr(text, '\033'));
        ck_assert_uint_eq(width_of(text), 8 + 32 + 5 + 1 /* the carriage return */);
}
END_TEST

/* ---- for programs ---------------------------------------------------------------------------- */

static uint64_t number(const json_t *row, const char *key)
{
        const json_t *value = json_object_get(row, key);

        ck_assert_msg(json_is_integer(value), "%s is no number", key);
        return (uint64_t)json_integer_value(value);
}

START_TEST(json_has_every_cell)
{
        json_t *root = json_loads(get("map --json --rows 2"), JSON_REJECT_DUPLICATES, NULL), *row;
        uint64_t held = 0, committed = 0, end = 0;
        size_t i;

        ck_assert_ptr_nonnull(root);
        json_array_foreach(json_object_get(root, "map"), i, row)
        {
                ck_assert_uint_eq(number(row, "start"), end);
                end = number(row, "end");
                held += number(row, "allocated");
                committed += number(row, "committed");
                ck_assert_uint_eq(
                        number(row, "allocated") + number(row, "free") + number(row, "freed"),
                        128 * K);
                ck_assert_uint_eq(number(row, "stray"), 0);
        }
        ck_assert_uint_eq(i, 128);
        ck_assert_uint_eq(end, 16 * M);
        ck_assert_uint_eq(held, 2 * M + 40 * K);
        ck_assert_uint_eq(committed, 1 * M + 20 * K);
        json_decref(root);
}
END_TEST

START_TEST(cells_are_a_table_with_columns)
{
        assert_same(get("map --range 0-64K --rows 1 --columns start,content,committed,refs"),
                " START CONTENT   COMMITTED REFS\n"
                "     0 System           0B    1\n"
                "0x1000 Anonymous        4K    1\n"
                "0x2000 PageCache        0B    1\n"
                "0x3000 Tmpfs            4K    1\n"
                "0x4000 Ramdiskfs        0B    1\n"
                "0x5000 Mapped           4K    1\n"
                "0x6000 free             0B    0\n"
                "0x7000 free             0B    0\n"
                "0x8000 Anonymous        0B    1\n"
                "0x9000 Anonymous        0B    1\n"
                "0xa000 Anonymous        4K    1\n"
                "0xb000 Anonymous        4K    1\n"
                "0xc000 free             0B    0\n"
                "0xd000 free             0B    0\n"
                "0xe000 free             0B    0\n"
                "0xf000 free             0B    0\n");
}
END_TEST

START_TEST(gaps_are_numbers)
{
        assert_same(get("gaps --raw --no-header"),
                "default 0 16777216 14639104 3 12582912 4194304 14614528 12582912 12582912 "
                "1 8192 1 2048000 1 12582912 0 0 0 0 0 0\n");
}
END_TEST

/* ---- SVG ------------------------------------------------------------------------------------- */

static const char *check_svg(const char *path)
{
        static char text[1 << 14];
        char command[512];
        FILE *pipe;
        size_t size;

        snprintf(command, sizeof(command), "python3 %s %s 2>&1", FILEMEM_CHECK_SVG, path);
        pipe = popen(command, "re"); /* NOLINT(cert-env33-c): the command is the test's own */
        ck_assert_ptr_nonnull(pipe);
        size = fread(text, 1, sizeof(text) - 1, pipe);
        text[size] = 0;
        ck_assert_msg(pclose(pipe) == 0, "%s", text);
        return text;
}

/* A line of what check_svg.py prints: a cell that is all of one range. */
static void expect(char *text, size_t size, const char *start, const char *end, const char *what)
{
        size_t used = strlen(text);

        snprintf(text + used, size - used,
                "0x%s to 0x%s, 4K; %s; 1 range, at most 1 reference; held by session %llu "
                "<us> "
                "(pid %d) 4K\n",
                start, end, what, (unsigned long long)filemem_session_id(session), (int)getpid());
}

START_TEST(svg_has_a_tooltip_for_each_cell)
{
        static char expected[1 << 13];
        char line[256], path[128];

        strcpy(expected, "16\n");
        expect(expected, sizeof(expected), "0", "1000", "System: 4K held, 0B committed");
        expect(expected, sizeof(expected), "1000", "2000", "Anonymous: 4K held, 4K committed");
        expect(expected, sizeof(expected), "2000", "3000", "PageCache: 4K held, 0B committed");
        expect(expected, sizeof(expected), "3000", "4000", "Tmpfs: 4K held, 4K committed");
        expect(expected, sizeof(expected), "4000", "5000", "Ramdiskfs: 4K held, 0B committed");
        expect(expected, sizeof(expected), "5000", "6000", "Mapped: 4K held, 4K committed");
        expect(expected, sizeof(expected), "8000", "9000", "Anonymous: 4K held, 0B committed");
        expect(expected, sizeof(expected), "9000", "a000", "Anonymous: 4K held, 0B committed");
        expect(expected, sizeof(expected), "a000", "b000", "Anonymous: 4K held, 4K committed");
        expect(expected, sizeof(expected), "b000", "c000", "Anonymous: 4K held, 4K committed");
        snprintf(path, sizeof(path), "%s/map.svg", the_daemon.folder);
        snprintf(line, sizeof(line), "map --svg %s --range 0-64K", path);
        ck_assert_str_eq(ctl_get(line), "");
        assert_same(check_svg(path), expected);
        unlink(path);
}
END_TEST

START_TEST(a_cell_names_those_who_hold_most_of_it)
{
        const struct filemem_options other = {.size = sizeof(other), .label = "other"};
        struct filemem_range page = {0, 4 * K}, more = {0x8000, 0xc000};
        filemem_session *others[4];
        char line[256], path[128];
        const char *text;

        for (unsigned i = 0; i < 4; i++) {
                ck_assert_int_eq(filemem_open(NULL, &other, &others[i]), 0);
                ck_assert_int_eq(filemem_incref(others[i], page), 0);
        }
        ck_assert_int_eq(filemem_incref(others[3], more), 0);
        snprintf(path, sizeof(path), "%s/map.svg", the_daemon.folder);
        snprintf(line, sizeof(line), "map --svg %s --range 0-1M --rows 1", path);
        ctl_get(line);
        text = check_svg(path);
        snprintf(line, sizeof(line),
                "held by session %llu <us> (pid %d) 16K, session %llu other (pid %d) 4K, session",
                (unsigned long long)filemem_session_id(session), (int)getpid(),
                (unsigned long long)filemem_session_id(others[0]), (int)getpid());
        ck_assert_msg(strstr(text, line) != NULL, "%s", text);
        ck_assert_msg(
                strstr(text, " other (pid ") && strstr(text, " 4K, and 2 more\n"), "%s", text);
        unlink(path);
        for (unsigned i = 0; i < 4; i++)
                filemem_close(others[i]);
}
END_TEST

START_TEST(svg_goes_to_standard_output_too)
{
        ck_assert_int_eq(strncmp(ctl_get("map open --svg -"), "<?xml", 5), 0);
        ck_assert_str_eq(ctl_fail(1, "map --svg /proc/nothing"),
                "map: cannot write /proc/nothing: No such file or directory: say another file");
        ck_assert_str_eq(ctl_fail(1, "map --svg /dev/full"),
                "map: cannot write /dev/full: No space left on device: say another file");
}
END_TEST

/* ---- stray ----------------------------------------------------------------------------------- */

static atomic_bool seen;

static void *scribble(void *address)
{
        while (!atomic_load(&seen))
                memset(address, 1, 4 * K);
        return NULL;
}

/* The daemon punches them: so somebody goes on writing until one is seen, and where it is. */
START_TEST(stray_pages_are_where_they_are)
{
        struct filemem_range mistake = allocate(4 * K, FILEMEM_ANONYMOUS);
        char place[32];
        pthread_t writer;
        void *address;

        snprintf(place, sizeof(place), "%#llx stray", (unsigned long long)mistake.start);
        ck_assert_int_eq(filemem_map(session, mistake, PROT_READ | PROT_WRITE, &address), 0);
        ck_assert_int_eq(filemem_decref(session, mistake), 0);
        await_reclaim();
        ck_assert_int_eq(pthread_create(&writer, NULL, scribble, address), 0);
        for (int i = 0; i < 500 && !atomic_load(&seen); i++) {
                get("map --range 0-64K --rows 1 --columns start,content");
                atomic_store(&seen, strstr(ctl_output, place) != NULL);
        }
        ck_assert_msg(atomic_exchange(&seen, true), "never seen: %s", ctl_output);
        pthread_join(writer, NULL);
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------- */

START_TEST(mistakes_are_told)
{
        ck_assert_str_eq(ctl_fail(2, "map --range 64G-65G"),
                "--range 64G-65G has nothing of the pool: 'filememctl pools' says how far that "
                "goes");
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, "map --range 8K"), "say from where to where"));
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, "map --rows 0"), "from 1 to 1000"));
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, "map --svg ''"), "say which file"));
        ck_assert_str_eq(ctl_fail(1, "map nowhere"),
                "map: there is no pool of that name: 'filememctl "
                "pools' lists those that you may know of");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli map");
        TCase *tests = harness_case(suite, "picture", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, a_pool_is_drawn_with_letters);
        tcase_add_test(tests, a_part_is_drawn_larger);
        tcase_add_test(tests, colours_come_where_they_are_wanted);
        tcase_add_test(tests, a_picture_is_as_wide_as_there_is_room);
        tcase_add_test(tests, a_terminal_says_how_wide_it_is);
        tcase_add_test(tests, json_has_every_cell);
        tcase_add_test(tests, cells_are_a_table_with_columns);
        tcase_add_test(tests, gaps_are_numbers);
        tcase_add_test(tests, svg_has_a_tooltip_for_each_cell);
        tcase_add_test(tests, a_cell_names_those_who_hold_most_of_it);
        tcase_add_test(tests, svg_goes_to_standard_output_too);
        tcase_add_test(tests, stray_pages_are_where_they_are);
        tcase_add_test(tests, mistakes_are_told);
        return harness_run(suite);
}
