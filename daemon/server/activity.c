// SPDX-License-Identifier: Apache-2.0
#include "server/activity.h"

void activity_note(struct activity *activity, const Filemem__Operation *operation, int result)
{
        activity->operations++;
        if (result)
                activity->refusals++;
        else if (operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE)
                activity->allocated += operation->allocate->length;
        else if (operation->body_case == FILEMEM__OPERATION__BODY_DECREF)
                activity->released += operation->decref->end - operation->decref->start;
}
