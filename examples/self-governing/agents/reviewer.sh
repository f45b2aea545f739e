#!/bin/sh
# Plays the reviewer: it sees what would land, on top of the base branch as it is now.
. agents/lib.sh

if sh build.sh; then
    worknode approve "$WORKNODE_TASK" --note 'read it, and built it'
else
    worknode reject "$WORKNODE_TASK" --reason 'it cannot be built'
fi
