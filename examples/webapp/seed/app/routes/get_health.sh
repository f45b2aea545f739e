# shellcheck shell=sh
# Says that the program runs.
answer '200 OK' text/plain
echo ok
