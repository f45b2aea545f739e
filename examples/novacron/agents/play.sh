#!/bin/sh
# Plays whichever agent it is started as.
case $WORKNODE_AGENT in
    queen*) exec sh agents/queen.sh ;;
    *) exec sh agents/worker.sh ;;
esac
