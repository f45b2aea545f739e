#!/bin/sh
# run.sh [FANOUT]: how many rounds news takes to reach every node, and how many messages that are.
# Each round, whoever knows it tells so many neighbours.
cd "$(dirname "$0")" || exit 1
nodes=$(sed -n 's/^nodes=//p' cluster.conf)
fanout=${1:-$(sed -n 's/^fanout=//p' cluster.conf)}
awk -v nodes="$nodes" -v fanout="$fanout" '
    BEGIN {
        known = 1
        while (known < nodes) {
            rounds++
            messages += known * fanout
            known += fanout
        }
        print "rounds " rounds + 0
        print "messages " messages + 0
    }'
