#!/bin/sh
# Plays the emergency agent: a deadline is near. It puts its task before all others and says so.
. agents/lib.sh

task=$(sed -n 's/ *\([a-z0-9-]*\) is due in six hours.*/\1/p' "$WORKNODE_BRIEF" | head -n 1)
worknode task show "$task"
worknode plan change "$task" --priority 100
worknode decision add "What about the deadline of $task?" 'It goes before everything else' \
    --because 'six hours are left'
