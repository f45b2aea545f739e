#!/bin/sh
# Builds the program. Here that means: sh can read every file of it.
cd "$(dirname "$0")" || exit 1
broken=0
for file in src/*.sh; do
    sh -n "$file" || broken=1
done
exit "$broken"
