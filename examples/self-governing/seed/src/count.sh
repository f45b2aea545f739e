# shellcheck shell=sh disable=SC1073,SC1061,SC1062,SC1072
# Says a word five times. Somebody has forgotten the end of the loop.
for i in 1 2 3 4 5; do
    echo "word $i"
