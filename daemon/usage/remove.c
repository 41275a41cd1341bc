// SPDX-License-Identifier: Apache-2.0
#include "usage/usage_tree.h"

#include "base/check.h"
#include "usage/node.h"

/*
 * Removing what was freed and is now given back. Freed entries are taken lowest first, so that
 * several of them lie in one leaf: it is looked up, closed up and summed up once for all of these.
 */
static bool remove_each(struct usage_entry *entry, void *argument)
{
        (void)argument;
        check(!entry->refs);
        return false;
}

/*
 * Marks the entries of the leaf, from place i on, that are the first extents, up to `max`. Ends
 * before an extent that is only a part of an entry, which has merged with what was freed since.
 */
static size_t find_whole(const struct leaf *leaf, unsigned i, const struct usage_extent *extents,
        size_t max, uint8_t *places)
{
        size_t found = 0;

        for (; found < max && i < leaf->node.count; i++) {
                if (leaf->end[i] <= extents[found].start)
                        continue;
                if (leaf->start[i] != extents[found].start || leaf->end[i] != extents[found].end)
                        break;
                places[found++] = (uint8_t)i;
        }
        return found;
}

static void close_up(
        struct usage_tree *tree, struct leaf *leaf, const uint8_t *places, size_t count)
{
        unsigned to = places[0];

        for (size_t n = 0; n < count; n++) {
                struct usage_entry entry = leaf_get(leaf, places[n]);
                unsigned from = places[n] + 1u;
                unsigned next = n + 1 < count ? places[n + 1] : leaf->node.count;

                check(!entry.refs);
                totals_remove(&tree->totals, &entry);
                leaf_move(leaf, to, from, next - from);
                to += next - from;
        }
        node_set_count(&leaf->node, to);
        tree->totals.entries -= count;
}

size_t usage_tree_remove_freed(
        struct usage_tree *tree, const struct usage_extent *extents, size_t count)
{
        uint8_t places[NODE_LEAF_MAX];
        struct usage_path path;
        struct leaf *leaf;
        unsigned least;
        size_t found;

        path_seek(tree, extents[0].start, &path);
        leaf = node_leaf(path.node[0]);
        least = tree->height ? node_minimum(tree->nodes, 0) : 1;
        if (leaf->node.count <= least)
                count = 0;
        else if (count > leaf->node.count - least)
                count = leaf->node.count - least;
        found = find_whole(leaf, path.index[0], extents, count, places);
        if (!found) {
                /* A part of an entry, or the leaf has to be joined with another one. */
                usage_tree_change(tree, extents[0].start, extents[0].end, remove_each, NULL);
                return 1;
        }
        close_up(tree, leaf, places, found);
        summary_propagate(tree, &path, 0);
        return found;
}
