// SPDX-License-Identifier: Apache-2.0
#include "server/turns.h"

bool turns_take(struct turns *turns, struct turns_share *share, struct turns_mark *mark)
{
        if (mark->turn >= turns->number)
                turns->number = mark->turn + 1;
        mark->turn = turns->number;
        if (share->turn != turns->number) {
                if (!share->left_out)
                        share->round++;
                share->turn = turns->number;
                share->spent = 0;
                share->left_out = false;
        }
        if (mark->round == share->round)
                return false; /* there are others to go first */
        if (share->spent >= TURNS_SHARE) {
                share->left_out = true;
                return false;
        }
        mark->round = share->round;
        return true;
}

void turns_spend(struct turns_share *share, uint64_t spent)
{
        share->spent += spent;
}
