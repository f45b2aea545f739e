#!/bin/sh
# What is there already works, and what was measured after tuning meets the target.
cd "$(dirname "$0")/.." || exit 1
if [ -f sim/cluster.conf ]; then
    sh sim/run.sh | grep -q '^rounds [0-9]' || exit 1
fi
if [ -f sim/clock.awk ]; then
    last=$(printf 'a send m\nb local\nb receive m\n' | awk -f sim/clock.awk | tail -n 1)
    [ "$last" = '2 b receive m' ] || exit 1
fi
if [ -f bench/tuned.txt ]; then
    [ "$(sed -n 's/^rounds //p' bench/tuned.txt)" -le 5 ] || exit 1
fi
