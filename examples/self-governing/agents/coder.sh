#!/bin/sh
# Plays the coder. It hands nothing in that cannot be built, and does not mend what is not its task.
. agents/lib.sh

worknode task progress --percent 20 'writing src/farewell.sh'
sed 's/greet/farewell/g; s/Hello/Goodbye/g; s/hello/goodbye/g' src/greet.sh >src/farewell.sh
if ! error=$(sh build.sh 2>&1); then
    worknode task block "the build is broken before my change: $error"
    exit 0
fi
hand_in 'Say goodbye' src/farewell.sh
