// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>

/*
 * Bytes of a part of a memfd that the kernel stores, in RAM or swap: asked of the kernel with the
 * descriptor of a session, which may be for reading only. cachestat(2) where it is allowed (Linux
 * 6.5; later ones want a descriptor for writing, or the file's owner), else SEEK_DATA. Returns that
 * or a negative errno.
 */
int64_t map_stored_bytes(int fd, struct filemem_range range);
