#!/bin/sh
# Plays an agent that was started in case it is needed, and is not. It waits until somebody
# stops it: see coordinator.sh.
. agents/lib.sh

echo 'waiting for something to do'
turns=0
while [ "$turns" -lt 300 ]; do
    pause 1
    turns=$((turns + 1))
done
