// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <filemem/filemem.h>
#include <stdio.h>
#include <string.h>

/* There is no daemon at that path, and the library says so. */
int main(void)
{
        filemem_session *session = NULL;
        int r = filemem_open("/nonexistent/filemem.sock", NULL, &session);

        printf("%s: %s\n", strerror(-r), filemem_open_error());
        return r == -ENOENT && !filemem_close(session) ? 0 : 1;
}
