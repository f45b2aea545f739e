#!/bin/sh
# Plays the auditor of the validation tier. It has approved nothing of what it looks at.
. agents/lib.sh

# count TYPE: how many events of this type there were in the last week.
count() {
    worknode events --type "$1" --since "$week" --json | wc -l | tr -d ' '
}

week=$(date -u -d '7 days ago' +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -v-7d +%Y-%m-%dT%H:%M:%SZ)
found="$(count task_completed) tasks completed, $(count task_rejected) submissions refused, \
$(count rule_violated) rules broken"
if sh build.sh; then
    found="$found; the base branch can be built"
else
    found="$found; the base branch CANNOT be built"
fi
# In its own namespace, where everybody can read it; and to whoever decides.
worknode memory set "auditor/$(date -u +%Y-%m-%d)" "$found"
worknode message send chief "$found"
