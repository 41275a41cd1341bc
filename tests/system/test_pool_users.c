// SPDX-License-Identifier: Apache-2.0
/*
 * Who may do what, by user and group as the kernel knows them. Needs root, to be somebody else: its
 * children are, each for one errand.
 */
#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* Users and groups that nobody has. */
#define ALICE   60001
#define BOB     60002
#define CAROL   60003
#define MEMBERS 60100
#define READERS 60101
#define ADMINS  60102
#define OTHERS  60103

static struct daemon the_daemon;

static void start(void)
{
        daemon_start(&the_daemon, "[daemon]\nsocket_mode = 0666\nadmin_group = 60102\n"
                                  "[private]\njoin = 60001\ncapacity = 16M\n"
                                  "[pool default]\njoin = *\ncapacity = 16M\n"
                                  "[pool team]\ncapacity = 16M\njoin = 60001 @60100\n"
                                  "join_read_only = @60101\nadmin = 60003\n"
                                  "[pool closed]\ncapacity = 16M\n");
        ck_assert_int_eq(chmod(the_daemon.folder, 0711), 0);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* ---- being somebody -------------------------------------------------------------------------- */

struct person {
        uid_t uid;
        gid_t gid;
        gid_t group; /* a supplementary one; 0: none */
};

static void become(const struct person *person)
{
        if (setgroups(person->group ? 1 : 0, &person->group) < 0 || setgid(person->gid) < 0 ||
                setuid(person->uid) < 0)
                _exit(100);
}

/* Runs an errand as somebody; it returns an exit code. */
static int run_as(
        const struct person *person, int (*errand)(const void *argument), const void *argument)
{
        int status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (!child) {
                become(person);
                _exit(errand(argument));
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static Filemem__Hello hello_for(const char *pool)
{
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.pool = (char *)(uintptr_t)pool;
        return hello;
}

/* ---- joining --------------------------------------------------------------------------------- */

/* The status of the answer to a Hello; 0 for Welcome. */
static int greet(const void *argument)
{
        const Filemem__ToClient *answer;
        struct raw raw;

        raw_connect(&raw, the_daemon.socket);
        answer = raw_greet(&raw, argument);
        if (answer->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME)
                return 0;
        return (int)answer->goodbye->status;
}

static const struct join_row {
        const char *what;
        struct person person;
        const char *pool; /* NULL: a private one */
        bool read_only;
        int expected;
} join_rows[] = {
        {"root joins everything", {0, 0, 0}, "closed", false, 0},
        {"a pool without rules is closed", {ALICE, OTHERS, 0}, "closed", false, EPERM},
        {"the default pool is open", {BOB, OTHERS, 0}, "default", false, 0},
        {"by user", {ALICE, OTHERS, 0}, "team", false, 0},
        {"by group", {BOB, MEMBERS, 0}, "team", false, 0},
        {"by supplementary group", {BOB, OTHERS, MEMBERS}, "team", false, 0},
        {"who may write may read", {BOB, OTHERS, MEMBERS}, "team", true, 0},
        {"for reading", {BOB, OTHERS, READERS}, "team", true, 0},
        {"for reading is not for writing", {BOB, OTHERS, READERS}, "team", false, EPERM},
        {"somebody else", {BOB, OTHERS, 0}, "team", false, EPERM},
        {"a user is no group", {BOB, ALICE, 0}, "team", false, EPERM},
        {"a group is no user", {MEMBERS, OTHERS, 0}, "team", false, EPERM},
        {"who administers it is not in it", {CAROL, OTHERS, 0}, "team", false, EPERM},
        {"who administers all is in none", {BOB, ADMINS, 0}, "closed", false, EPERM},
        {"a private one", {ALICE, OTHERS, 0}, NULL, false, 0},
        {"a private one not", {BOB, OTHERS, 0}, NULL, false, EPERM},
};

START_TEST(rules_decide_who_joins)
{
        const struct join_row *row = &join_rows[_i];
        Filemem__Hello hello = hello_for(row->pool ? row->pool : "");

        hello.read_only = row->read_only;
        hello.private_pool = !row->pool;
        ck_assert_msg(run_as(&row->person, greet, &hello) == row->expected, "%s", row->what);
}
END_TEST

/* Who was root when it connected is so for the session, and who became somebody else before is not.
 */
START_TEST(what_counts_is_who_connected)
{
        Filemem__Hello hello = hello_for("closed");
        const struct person bob = {BOB, OTHERS, 0};
        struct raw raw;
        pid_t child;
        int status;

        raw_connect(&raw, the_daemon.socket);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                become(&bob);
                _exit(raw_greet(&raw, &hello)->body_case != FILEMEM__TO_CLIENT__BODY_WELCOME);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        raw_close(&raw);
        ck_assert_int_eq(run_as(&bob, greet, &hello), EPERM);
}
END_TEST

/* ---- reading, enforced by the kernel --------------------------------------------------------- */

static int attack_read_only(const void *argument)
{
        Filemem__Hello hello = hello_for("team");
        struct raw raw;
        char path[64];

        (void)argument;
        hello.read_only = true;
        raw_connect(&raw, the_daemon.socket);
        if (raw_greet(&raw, &hello)->body_case != FILEMEM__TO_CLIENT__BODY_WELCOME)
                return 1;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", raw.memfd);
        if (open(path, O_RDWR) >= 0 || errno != EACCES)
                return 2;
        if (open(path, O_WRONLY) >= 0 || open(path, O_RDONLY | O_TRUNC) >= 0)
                return 3;
        if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, raw.memfd, 0) != MAP_FAILED)
                return 4;
        if (fchmod(raw.memfd, 0666) == 0 || fchown(raw.memfd, BOB, OTHERS) == 0)
                return 5;
        if (fcntl(raw.memfd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0)
                return 6;
        if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, raw.memfd, 0) == MAP_FAILED)
                return 7;
        return 0;
}

START_TEST(reader_cannot_get_around_it)
{
        const struct person reader = {BOB, OTHERS, READERS};

        ck_assert_int_eq(run_as(&reader, attack_read_only, NULL), 0);
}
END_TEST

/* Nor by way of a peer: the daemon made its socket, and that is no credential. */
static int attack_by_peer(const void *argument)
{
        Filemem__Hello hello = hello_for("default");
        struct raw_operation operation;
        struct raw raw, peer;

        (void)argument;
        raw_connect(&raw, the_daemon.socket);
        raw_greet(&raw, &hello);
        raw_open_peer(&operation, false, "");
        raw_do(&raw, &operation);
        raw_adopt(&peer, raw.peer);
        hello = hello_for("closed");
        return raw_greet(&peer, &hello)->body_case != FILEMEM__TO_CLIENT__BODY_GOODBYE;
}

START_TEST(peer_opens_no_other_pool)
{
        const struct person bob = {BOB, OTHERS, 0};

        ck_assert_int_eq(run_as(&bob, attack_by_peer, NULL), 0);
}
END_TEST

/* ---- administering --------------------------------------------------------------------------- */

enum deed { DESTROY_TEAM, DESTROY_DEFAULT, KICK, RELOAD, ASK_TEAM, COUNT_SESSIONS, COUNT_POOLS };

struct errand {
        enum deed deed;
        uint64_t session;
};

/* The status, or the count. */
static int administer(const void *argument)
{
        const struct errand *errand = argument;
        Filemem__Hello hello = hello_for("");
        struct raw_operation operation;
        const Filemem__Result *result;
        struct raw raw;

        hello.no_pool = true;
        raw_connect(&raw, the_daemon.socket);
        raw_greet(&raw, &hello);
        switch (errand->deed) {
        case DESTROY_TEAM:
                raw_destroy_pool(&operation, "team");
                break;
        case DESTROY_DEFAULT:
                raw_destroy_pool(&operation, "default");
                break;
        case KICK:
                raw_kick_session(&operation, errand->session);
                break;
        case RELOAD:
                raw_reload(&operation);
                break;
        case ASK_TEAM:
                raw_usage(&operation);
                operation.body.usage.pool = (char *)"team";
                break;
        case COUNT_SESSIONS:
                raw_sessions(&operation, 0, 0);
                break;
        case COUNT_POOLS:
                raw_pools(&operation, 0, 0);
                break;
        }
        result = raw_call(&raw, &operation);
        if (errand->deed == COUNT_SESSIONS)
                return (int)result->sessions->n_sessions;
        return errand->deed == COUNT_POOLS ? (int)result->pools->n_pools : (int)result->status;
}

static const struct admin_row {
        const char *what;
        struct person person;
        enum deed deed;
        int expected;
} admin_rows[] = {
        {"nobody destroys", {BOB, OTHERS, 0}, DESTROY_TEAM, EPERM},
        {"a member does not destroy", {ALICE, MEMBERS, 0}, DESTROY_TEAM, EPERM},
        {"the pool's administrator does", {CAROL, OTHERS, 0}, DESTROY_TEAM, 0},
        {"and no other pool", {CAROL, OTHERS, 0}, DESTROY_DEFAULT, EPERM},
        {"the daemon's does, by group", {BOB, ADMINS, 0}, DESTROY_DEFAULT, 0},
        {"by supplementary group", {BOB, OTHERS, ADMINS}, DESTROY_TEAM, 0},
        {"nobody kicks", {BOB, OTHERS, 0}, KICK, EPERM},
        {"the pool's administrator kicks", {CAROL, OTHERS, 0}, KICK, 0},
        {"the same user kicks", {ALICE, OTHERS, 0}, KICK, 0},
        {"the daemon's administrator kicks", {BOB, OTHERS, ADMINS}, KICK, 0},
        {"nobody reloads", {BOB, OTHERS, 0}, RELOAD, EPERM},
        {"nor the administrator of a pool", {CAROL, OTHERS, 0}, RELOAD, EPERM},
        {"the daemon's does", {BOB, ADMINS, 0}, RELOAD, 0},
        {"nobody asks about a pool", {BOB, OTHERS, 0}, ASK_TEAM, EPERM},
        {"who may read it does", {BOB, READERS, 0}, ASK_TEAM, 0},
        {"and its administrator", {CAROL, OTHERS, 0}, ASK_TEAM, 0},
        /* There are one of alice in the team's pool, one of root, and the own one. */
        {"nobody sees the others'", {BOB, OTHERS, 0}, COUNT_SESSIONS, 1},
        {"the same user sees its own", {ALICE, OTHERS, 0}, COUNT_SESSIONS, 2},
        {"an administrator sees its pool's", {CAROL, OTHERS, 0}, COUNT_SESSIONS, 2},
        {"the daemon's sees all", {BOB, ADMINS, 0}, COUNT_SESSIONS, 3},
        {"nobody sees what is closed", {BOB, OTHERS, 0}, COUNT_POOLS, 1},
        {"a member sees more", {ALICE, OTHERS, 0}, COUNT_POOLS, 2},
        {"an administrator sees all", {BOB, ADMINS, 0}, COUNT_POOLS, 3},
};

/* A session of alice in the team's pool, until the pipe is closed. Tells its identity. */
static pid_t open_as_alice(int *ret_pipe, uint64_t *ret_session)
{
        const struct person alice = {ALICE, OTHERS, 0};
        Filemem__Hello hello = hello_for("team");
        int ends[2], answer[2];
        pid_t child;

        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(pipe(answer), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                struct raw raw;
                char byte;

                close(ends[1]);
                become(&alice);
                raw_connect(&raw, the_daemon.socket);
                raw_greet(&raw, &hello);
                if (write(answer[1], &raw.session, sizeof(raw.session)) < 0)
                        _exit(1);
                _exit(read(ends[0], &byte, 1) != 0);
        }
        close(ends[0]);
        close(answer[1]);
        ck_assert_int_eq(read(answer[0], ret_session, sizeof(*ret_session)), sizeof(*ret_session));
        close(answer[0]);
        *ret_pipe = ends[1];
        return child;
}

START_TEST(rules_decide_who_administers)
{
        const struct admin_row *row = &admin_rows[_i];
        struct errand errand = {.deed = row->deed};
        struct raw observer;
        int pipe, status;
        pid_t alice;

        alice = open_as_alice(&pipe, &errand.session);
        raw_open(&observer, the_daemon.socket, "");
        ck_assert_msg(run_as(&row->person, administer, &errand) == row->expected, "%s", row->what);
        close(pipe);
        ck_assert_int_eq(waitpid(alice, &status, 0), alice);
        ck_assert_int_eq(status, 0);
        raw_close(&observer);
}
END_TEST

#define ROWS(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
        Suite *suite = suite_create("pool users");
        TCase *tests = harness_case(suite, "pool users", 60);

        if (geteuid() != 0) {
                puts("skipped: only root can be somebody else");
                return 77;
        }
        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_loop_test(tests, rules_decide_who_joins, 0, ROWS(join_rows));
        tcase_add_test(tests, what_counts_is_who_connected);
        tcase_add_test(tests, reader_cannot_get_around_it);
        tcase_add_test(tests, peer_opens_no_other_pool);
        tcase_add_loop_test(tests, rules_decide_who_administers, 0, ROWS(admin_rows));
        return harness_run(suite);
}
