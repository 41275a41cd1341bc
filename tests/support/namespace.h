// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

/* The exit code of a child that did not become what it should. */
#define NAMESPACE_FAILED 97

/*
 * fork(), but the child is in a user namespace of its own, where it is root, and outside it is whom
 * it was; and in other new namespaces (CLONE_NEW...). Works with the sanitizers, which have threads
 * and so cannot unshare(2). A child that this cannot be done for ends with NAMESPACE_FAILED.
 */
pid_t namespace_fork(int namespaces);
