// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "command.h"
#include "top.h"
#include "top_lines.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_POOLS 4
#define ESCAPE      27
#define BACKSPACE   127

struct screen {
        struct top *top;
        uint64_t count; /* of samples that are still to come */
        size_t first;   /* row that is shown first */
        bool paused;
        bool help;
        bool typing; /* the filter */
        bool enough;
        int signal; /* that ends us, or 0 */
};

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_line(int y, char *line, attr_t attributes)
{
        top_fit(line, (size_t)COLS);
        attr_set(attributes, 0, NULL);
        mvaddstr(y, 0, line);
        if (attributes & A_REVERSE)
                for (int x = getcurx(stdscr); x < COLS && getcury(stdscr) == y; x++)
                        mvaddch(y, x, ' ');
        attr_set(A_NORMAL, 0, NULL);
}

/* Returns the line below it. */
static int draw_head(const struct screen *screen)
{
        static top_line lines[TOP_HEAD_LINES(SHOWN_POOLS)];
        const struct top_sample *sample = top_sample_shown(screen->top);
        size_t pools = LINES >= 24 ? SHOWN_POOLS : 1, count;

        if (LINES < 16)
                return 0; /* sessions are what is looked for */
        count = top_write_head(sample, &screen->top->view, pools, lines);
        for (size_t i = 0; i < count; i++)
                draw_line((int)i, lines[i], i == 1 && sample->totals.stray ? A_BOLD : A_NORMAL);
        return (int)count;
}

static void draw_rows(struct screen *screen, int y)
{
        const struct top_view *view = &screen->top->view;
        size_t room = LINES > y + 2 ? (size_t)(LINES - y - 2) : 0;
        top_line line;

        if (screen->first + room > view->count)
                screen->first = view->count > room ? view->count - room : 0;
        top_write_header(line);
        draw_line(y, line, A_REVERSE);
        for (size_t i = 0; i < room && screen->first + i < view->count; i++) {
                const struct top_row *row = &view->rows[screen->first + i];

                top_write_row(row, line);
                draw_line(y + 1 + (int)i, line, row->growth > 0 ? A_BOLD : A_NORMAL);
        }
}

static void draw_help(void)
{
        static const char *const help[] = {
                "filememctl top: the sessions of filememd, and what they do",
                "",
                "  q      enough                   p, space  pause, and go on",
                "  h, ?   this, and back           /         only what has this in its label,",
                "  r      the other way round                pool or user",
                "  up, down, page up, page down, home, end   other sessions",
                "",
                "Sessions are sorted by",
                "  g  growth of what they hold     o  operations",
                "  m  memory that they hold        n  number of ranges",
                "  a  bytes allocated              i  number, which is their order of coming",
                "  f  bytes freed                  l  label",
                "",
                "GROWTH, ALLOC, FREE and OPS are a second: since the last time, and at first",
                "since the session was opened. Rows in bold grow. COMMIT is what the kernel",
                "stores of what is held, as of the last scan; STORED what it stores for the",
                "pool, now.",
        };
        top_line line;

        for (int i = 0; i < (int)(sizeof(help) / sizeof(help[0])) && i < LINES - 1; i++) {
                snprintf(line, sizeof(line), "%s", help[i]);
                draw_line(i, line, i == 0 ? A_BOLD : A_NORMAL);
        }
}

static void draw_foot(const struct screen *screen)
{
        const struct top *top = screen->top;
        const struct top_view *view = &top->view;
        top_line line;

        if (screen->typing)
                snprintf(line, sizeof(line), "only what has: %s_   (enter: good; escape: all)",
                        view->filter);
        else if (top->trouble[0])
                snprintf(line, sizeof(line), "trying again: %s", top->trouble);
        else
                snprintf(line, sizeof(line), "by %s%s%s%s%s, %zu of %zu; h help, q quit",
                        top_orders[view->order], view->reversed ? " (reversed)" : "",
                        screen->paused ? ", PAUSED" : "", view->filter[0] ? ", only " : "",
                        view->filter, view->count, top_sample_shown(top)->sessions_count);
        draw_line(LINES - 1, line,
                top->trouble[0] && !screen->typing ? A_REVERSE | A_BOLD : A_REVERSE);
}

static void draw(struct screen *screen)
{
        erase();
        if (screen->help)
                draw_help();
        else if (top_has_sample(screen->top))
                draw_rows(screen, draw_head(screen));
        draw_foot(screen);
        refresh();
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void take_letter(struct screen *screen, int key)
{
        char *filter = screen->top->view.filter;
        size_t length = strlen(filter);

        switch (key) {
        case '\n':
        case '\r':
        case KEY_ENTER:
                screen->typing = false;
                break;
        case ESCAPE:
                filter[0] = 0;
                screen->typing = false;
                break;
        case KEY_BACKSPACE:
        case BACKSPACE:
        case '\b':
                /* All bytes of a letter. */
                while (length && ((unsigned char)filter[--length] & 0xc0) == 0x80)
                        ;
                filter[length] = 0;
                break;
        default:
                if (key < ' ' || key > 0xff || length + 1 >= sizeof(screen->top->view.filter))
                        break;
                filter[length] = (char)key;
                filter[length + 1] = 0;
        }
}

static bool take_order(struct top_view *view, int key)
{
        static const char keys[] = "gmafonil"; /* as in enum top_order */
        const char *found = key > 0 && key < 0x80 ? strchr(keys, key) : NULL;

        if (!found)
                return false;
        view->order = (enum top_order)(found - keys);
        view->reversed = false;
        return true;
}

static void scroll_to(struct screen *screen, int key)
{
        size_t page = LINES > 4 ? (size_t)LINES / 2 : 1;

        switch (key) {
        case KEY_DOWN:
                screen->first++;
                break;
        case KEY_UP:
                screen->first -= screen->first > 0;
                break;
        case KEY_NPAGE:
                screen->first += page;
                break;
        case KEY_PPAGE:
                screen->first -= screen->first < page ? screen->first : page;
                break;
        case KEY_HOME:
                screen->first = 0;
                break;
        case KEY_END:
                screen->first = screen->top->view.count;
                break;
        default:
                break;
        }
}

static void take_key(struct screen *screen, int key)
{
        if (screen->typing) {
                take_letter(screen, key);
                return;
        }
        if (take_order(&screen->top->view, key))
                return;
        switch (key) {
        case 'q':
                screen->enough = true;
                break;
        case 'h':
        case '?':
                screen->help = !screen->help;
                break;
        case ESCAPE:
                screen->help = false;
                break;
        case 'p':
        case ' ':
                screen->paused = !screen->paused;
                break;
        case 'r':
                screen->top->view.reversed = !screen->top->view.reversed;
                break;
        case '/':
                screen->typing = true;
                screen->help = false;
                break;
        default:
                scroll_to(screen, key);
        }
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Takes all keys that were pressed. Returns 0 or -ENOMEM. */
static int take_keys(struct screen *screen)
{
        bool any = false;
        int key;

        while ((key = getch()) != ERR) {
                any = true;
                take_key(screen, key);
        }
        return any ? top_again(screen->top) : 0;
}

/*
 * Waits for a key, a signal, or the time. Returns the signal, SIGHUP where the terminal is gone, or
 * 0. Signals that ncurses handles itself (a new size, a stop) only end the waiting.
 */
static int wait_for(int signals, uint64_t until)
{
        struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
        uint64_t now = clock_now(), left = until > now ? until - now : 0;
        struct timespec time = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        struct signalfd_siginfo info;

        if (ppoll(fds, 2, &time, NULL) <= 0)
                return 0;
        if (fds[1].revents && read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                return (int)info.ssi_signo;
        return fds[0].revents & (POLLHUP | POLLERR | POLLNVAL) ? SIGHUP : 0;
}

/* Returns 0 or a negative errno. */
static int loop(struct screen *screen, int signals)
{
        uint64_t next = clock_now();

        for (;;) {
                uint64_t now = clock_now();
                int r = 0;

                if (!screen->paused && now >= next) {
                        if (!screen->count--)
                                return 0;
                        r = top_refresh(screen->top);
                        if (r == 0 && screen->top->trouble[0] && !top_has_sample(screen->top))
                                r = -ECONNRESET;
                        next = now + screen->top->delay;
                }
                if (r < 0)
                        return r;
                draw(screen);
                screen->signal =
                        wait_for(signals, screen->paused ? now + UINT64_C(3600000000000) : next);
                if (screen->signal)
                        return 0;
                r = take_keys(screen);
                if (r < 0 || screen->enough)
                        return r;
        }
}

static int run_curses(struct screen *screen, int signals)
{
        SCREEN *terminal = newterm(NULL, stdout, stdin);
        int r;

        if (!terminal) {
                fputs("filememctl: top knows nothing of this kind of terminal: set $TERM, or say "
                      "--batch\n",
                        stderr);
                return EXIT_CODE_REFUSED;
        }
        set_escdelay(25);
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        curs_set(0);
        r = loop(screen, signals);
        endwin();
        delscreen(terminal);
        return r;
}

/* The signal that we were to end with: after the terminal is as it was. */
static void end_with(int number, const sigset_t *mask)
{
        signal(number, SIG_DFL);
        raise(number);
        sigprocmask(SIG_SETMASK, mask, NULL);
}

int top_screen_run(struct top *top, uint64_t count)
{
        struct screen screen = {.top = top, .count = count};
        sigset_t wanted, before;
        int signals, r;

        sigemptyset(&wanted);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGHUP);
        sigaddset(&wanted, SIGQUIT);
        sigprocmask(SIG_BLOCK, &wanted, &before);
        signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
        r = signals < 0 ? -errno : run_curses(&screen, signals);
        if (signals >= 0)
                close(signals);
        /* Who presses ^C has had enough; who sends another signal wants to see that it ended us. */
        if (screen.signal && screen.signal != SIGINT)
                end_with(screen.signal, &before);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}
