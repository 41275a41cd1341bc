// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Every kind of line that the daemon logs: its name, its level, who causes it, and its MESSAGE_ID
 * in the journal. What a client can cause is limited, see log.h. Ids are for ever; a new kind gets
 * one from `systemd-id128 new`, an entry in systemd/filemem.catalog and one in
 * docs/operations.md, and a test asks for these.
 */
#define LOG_EVENTS(X)                                                                              \
        X(START_FAILED, ERROR, DAEMON, "122ccbf3a6c64b30b50b6e1ea809306d")                         \
        X(INVARIANT_BROKEN, ERROR, DAEMON, "4405826b43db49e58cf62d59a48fe9cc")                     \
        X(PUNCH_FAILED, ERROR, DAEMON, "b05aa5a9533542c4aae0263067976226")                         \
        X(ZERO_FAILED, ERROR, DAEMON, "27ffe4229bb84b199c1523d01c43f731")                          \
        X(RETIRE_FAILED, ERROR, DAEMON, "b123dd50b7a04e54b66696622ee6eee5")                        \
        X(RELOAD_FAILED, ERROR, DAEMON, "ccd39d47aa2b4fe69737a491dfd43ba5")                        \
        X(THREAD_STUCK, ERROR, DAEMON, "4e3193a52ba24e19840423b3a476d5dd")                         \
        X(JOURNAL_DAMAGED, ERROR, DAEMON, "0ce5a681e18645e4b81cadbed4a32e23")                      \
        X(JOURNAL_FULL, ERROR, DAEMON, "947265a4e1ff41668f3fd36689ced557")                         \
        X(POOL_LOST, ERROR, DAEMON, "d203173edd5947ffb2a34ede4d6f5045")                            \
        X(THREAD_GOES_ON, WARNING, DAEMON, "c8957a89b884405b810a0f1ec48e2cf2")                     \
        X(POOL_UNCHANGED, WARNING, DAEMON, "7497b4f5b6504a6eb36a502c0cdeda2e")                     \
        X(DAEMON_UNCHANGED, WARNING, DAEMON, "6be945c882d14a44adc2597105f432d9")                   \
        X(FILES_LIMITED, WARNING, DAEMON, "06e7f48c460d4cc396f23623683a5f0b")                      \
        X(EXEC_UNPREPARED, WARNING, DAEMON, "8686710745694e749f015af0fb050f8a")                    \
        X(REPLIES_UNREAD, WARNING, DAEMON, "86fd07eca70449309f7be2b2e78df67c")                     \
        X(ACCEPT_FAILED, WARNING, CLIENT, "13e84940c9f24782890e98885bd0cf68")                      \
        X(CONNECTION_REFUSED, WARNING, CLIENT, "48f72bd55fc9451a8d0f28479e82e4fe")                 \
        X(SESSION_ENDED, WARNING, CLIENT, "7673d3d5b3c54d04a565ef7df65db9be")                      \
        X(LINES_LEFT_OUT, WARNING, DAEMON, "33c5944180444d84ba836e35bf1a24c0")                     \
        X(STORE_FAILED, WARNING, DAEMON, "b316a3a42785415cadd121769381ccb0")                       \
        X(NOT_KEPT, WARNING, CLIENT, "838d65e028254118800fdbb8969d738d")                           \
        X(SERVING, INFO, DAEMON, "3a435f3afc274a098b2d576a6e132003")                               \
        X(STOPPING, INFO, DAEMON, "9ceec82c391f4ea78518765430f69979")                              \
        X(RELOADED, INFO, DAEMON, "1515cd10bed84578a49156785f233fdd")                              \
        X(RELOAD_ASKED, INFO, CLIENT, "94377283ca904b9db88c5870667b9de8")                          \
        X(POOL_DRAINED, INFO, DAEMON, "f4df00ea1de64949bc8a56559bbe9a41")                          \
        X(POOL_DESTROYED, INFO, CLIENT, "7fefda583e5841ffbc8d48614f1f8c2e")                        \
        X(SESSION_KICKED, INFO, CLIENT, "66eebe915f074ea5a60b42f682cded96")                        \
        X(RESUMED, INFO, DAEMON, "2f66ec3305324796bc99e03a9ec48370")                               \
        X(STORE_DROPPED, INFO, DAEMON, "5c8ad07e05f2448db64b6d1ebefba5e0")                         \
        X(JOURNAL_WHOLE, INFO, DAEMON, "6513c6758b8d44a9be7e498603dd8459")                         \
        X(PROCESS_DIED, DEBUG, CLIENT, "e77cdea3cde6466cac49d45e69345138")
