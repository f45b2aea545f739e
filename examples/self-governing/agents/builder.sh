#!/bin/sh
# Plays the builder: builds the base branch, and tells what came of it. It is of the executive tier,
# because whoever works on a task tells of that task only.
. agents/lib.sh

if error=$(sh build.sh 2>&1); then
    worknode emit compilation_succeeded
else
    echo "$error"
    worknode emit compilation_failed "error=$error"
fi
