// SPDX-License-Identifier: Apache-2.0
#include "server/goodbye.h"

#include "base/check.h"
#include "base/error.h"
#include "proto/status.h"
#include "server/limits.h"

/* A Goodbye is a sentence and four numbers, the envelope included. */
#define GOODBYE_MAX (WIRE_TEXT_MAX + 40)

void goodbye_send(struct channel *channel, int result)
{
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Goodbye goodbye = FILEMEM__GOODBYE__INIT;
        uint8_t buffer[GOODBYE_MAX];
        char text[WIRE_TEXT_MAX + 1];
        size_t size;

        if (channel_blocked(channel))
                return;
        goodbye.status = status_from_errno(error_status(result));
        goodbye.text = (char *)(uintptr_t)charge_text(channel->charge, result, text);
        if (result == OUTCOME_VERSION) {
                goodbye.supported_major_min = WIRE_MAJOR;
                goodbye.supported_major_max = WIRE_MAJOR;
        }
        message.body_case = FILEMEM__TO_CLIENT__BODY_GOODBYE;
        message.goodbye = &goodbye;
        size = filemem__to_client__get_packed_size(&message);
        check(size <= sizeof(buffer));
        filemem__to_client__pack(&message, buffer);
        (void)channel_send(channel, buffer, size, -1);
}
