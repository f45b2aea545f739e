#!/bin/sh
# Plays an agent that runs away: it takes its task, says nothing, makes nothing, does not
# listen, and has left a child behind that belongs to nobody. Only its time limit ends it. Then
# no process of it is left, and its task goes to somebody else.
#
# Even this one ends by itself some day, should nobody stop it.
. agents/lib.sh

trap '' HUP INT TERM
(sleep 300 &)
echo 'thinking about the page'
turns=0
while [ "$turns" -lt 300 ]; do
    pause 1
    turns=$((turns + 1))
    echo 'still thinking'
done
