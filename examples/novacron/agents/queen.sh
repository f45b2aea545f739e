#!/bin/sh
# Plays the queen. What calls her is in her brief.
. agents/lib.sh

# called_for WHAT: the name that the brief calls lost, or late.
called_for() {
    sed -n "s/.*\`\([a-z0-9-]*\)\` is $1\..*/\1/p" "$WORKNODE_BRIEF" | head -n 1
}

# in_reserve: the first of the reserve to whom the plan gives nothing yet, else the first that is idle.
in_reserve() {
    named=" $(worknode plan show --json | columns key agent | cut -d ' ' -f 2 | tr '\n' ' ') "
    idle=$(worknode ps --json | columns name status | sed -n 's/^\(reserve-[0-9]*\) idle$/\1/p')
    for one in $idle; do
        case $named in
            *" $one "*) ;;
            *) echo "$one"; return ;;
        esac
    done
    echo "$idle" | head -n 1
}

# that_are STATUS...: the tasks that stand there, in one line with a space around each.
that_are() {
    wanted=" $* "
    echo " $(worknode task list --json | columns key status | while read -r task status; do
        case $wanted in *" $status "*) echo "$task" ;; esac
    done | tr '\n' ' ')"
}

# give TASK WHY: gives a task to somebody in reserve.
give() {
    reserve=$(in_reserve)
    worknode plan change "$1" --agent "$reserve" --reason "$2"
    worknode decision add "Who does $1?" "$reserve does" --because "$2"
}

replace_lost() {
    left=$(that_are pending ready claimed in_progress)
    for task in $(worknode plan show --json | columns key agent | sed -n "s/ $1\$//p"); do
        case $left in
            *" $task "*) give "$task" "the worker $1 is lost" ;;
        esac
    done
}

replace_late() {
    worked_on=$(that_are claimed in_progress)
    for task in $(worknode task list --json | columns key phase | sed -n "s/ $1\$//p"); do
        case $worked_on in
            *" $task "*) ;;
            *) continue ;;
        esac
        holder=$(worknode task show "$task" --json | columns key agent | cut -d ' ' -f 2)
        give "$task" "the phase $1 is late"
        worknode kill "$holder" --reason "the phase $1 is late"
    done
}

# number KEY: prints a number of the team's status.
number() {
    worknode status --json | sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" | head -n 1
}

bring_together() {
    found=$(for place in $(worknode memory list swarm/ | sed -n 's/^\(swarm\/[a-z0-9-]*\).*/\1/p'); do
        [ "$place" = swarm/queen ] || worknode memory list "$place"
    done | sed -n 's/ *$//; s/^ *\(swarm\/.*\)/\1/p')
    worknode memory set swarm/queen/synthesis "$found"
    if [ "$(rounds bench/tuned.txt)" -le 5 ]; then
        answer='Yes'
    else
        answer='No'
    fi
    worknode decision add 'Is the mission fulfilled?' "$answer" \
        --because "$(rounds bench/tuned.txt) rounds where $(rounds bench/baseline.txt) were, and 5 are the target"
    worknode emit mission_synthesised "answer=$answer"
}

lost=$(called_for lost)
late=$(called_for late)
if [ -n "$lost" ]; then
    replace_lost "$lost"
elif [ -n "$late" ]; then
    replace_late "$late"
elif grep -q 'swarm/queen/synthesis' "$WORKNODE_BRIEF"; then
    bring_together
else
    worknode memory set swarm/queen/status \
        "{\"completed\": $(number completed), \"of\": $(number total), \"at\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}"
fi
