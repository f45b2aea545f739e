#!/bin/sh
# Plays whoever works. What a task needs is in agents/tasks/, so that somebody in reserve can do it as
# well as whoever the plan had in mind.
. agents/lib.sh

case $WORKNODE_TASK in
    final-report-*) . agents/tasks/final-report.sh ;;
    *) . "agents/tasks/$WORKNODE_TASK.sh" ;;
esac
