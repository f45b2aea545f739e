#!/bin/sh
# Plays the chief of the executive tier: compares the work with the plan. It reads everything, and
# could not change a file of the repository.
. agents/lib.sh

worknode plan deviation

# Its clone is the base branch as it is now.
if ! sh build.sh; then
    echo 'the base branch cannot be built: what is blocked stays so'
    exit 0
fi
for task in $(tasks blocked); do
    worknode task retry "$task"
    worknode decision add "What about $task?" 'Try it again' \
        --because 'it was blocked by a build that is mended now'
done
