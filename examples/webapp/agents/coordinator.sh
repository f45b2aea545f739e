#!/bin/sh
# Plays the coordinator: watches the team, and stops the agent that is there for nothing. It is
# of the executive tier, so it may; it could not change a file of the repository.
. agents/lib.sh

on_call=helper
enough=5

# is_idle AGENT: is it running without a task? With one line for each object of the JSON, the
# agent's own comes first, and then that of its run.
is_idle() {
    worknode ps --json | tr -d ' \n' | tr '{' '\n' | awk -v agent="\"name\":\"$1\"" '
        own && /"status":"running"/ && /"task":null/ { idle = 1 }
        { own = index($0, agent) }
        END { exit !idle }'
}

# number KEY: prints a number of the team's status.
number() {
    worknode status --json | sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" | head -n 1
}

looks=0
idle_for=0
while [ "$idle_for" -lt "$enough" ]; do
    looks=$((looks + 1))
    if [ "$looks" -gt 100 ]; then
        echo "$on_call is not idle; leaving it alone"
        exit 0
    fi
    pause 2
    echo "$(number completed) of $(number total) tasks are completed"
    if is_idle "$on_call"; then
        idle_for=$((idle_for + 1))
    else
        idle_for=0
    fi
done

echo "$on_call was idle at $enough looks in a row: stopping it"
worknode kill "$on_call" --reason idle
echo 'nothing more to do'
