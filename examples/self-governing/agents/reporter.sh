#!/bin/sh
# Plays the reporter: writes what happened today, from what the runtime has recorded.
. agents/lib.sh

today=$(date -u +%Y-%m-%d)
count() {
    worknode events --type "$1" --since "${today}T00:00:00Z" --json | wc -l | tr -d ' '
}

mkdir -p reports
{
    echo "# $today"
    echo
    echo "$(count task_completed) tasks completed, $(count task_rejected) submissions refused,"
    echo "$(count run_exited) runs over, $(count trigger_fired) firings."
    echo
    echo '## Tasks'
    echo
    echo '| task | status |'
    echo '|---|---|'
    worknode task list --json | attribute status | sed 's/\(.*\) \(.*\)/| `\1` | \2 |/'
    echo
    echo '## Decided'
    echo
    worknode decision list | sed 's/^/    /; s/ *$//'
    echo
    echo '## Went wrong'
    echo
    worknode issue list | sed 's/^/    /; s/ *$//'
} >"reports/$today.md"
hand_in "Report $today" "reports/$today.md"
