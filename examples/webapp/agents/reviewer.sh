#!/bin/sh
# Plays the reviewer. It sees only what the gates let pass, on top of the base branch, and looks
# for itself: what differs, whether shell can read it, whether the tests pass.
. agents/lib.sh

reject() {
    echo "rejecting $WORKNODE_TASK: $1"
    worknode reject "$WORKNODE_TASK" --reason "$1"
    exit 0
}

# The brief has the command that shows what would land: git diff BASE CANDIDATE
# shellcheck disable=SC2016 # the backticks are Markdown
range=$(sed -n 's/.*`git diff \([0-9a-f]\{40,64\} [0-9a-f]\{40,64\}\)`.*/\1/p' "$WORKNODE_BRIEF" | head -n 1)
# shellcheck disable=SC2086 # two words are meant
set -- ${range:-HEAD^ HEAD}
git --no-pager diff --stat "$1" "$2"

for file in $(git diff --name-only --diff-filter=d "$1" "$2"); do
    case $file in
        *.sh | *.cgi) sh -n "$file" || reject "$file cannot be read by sh" ;;
    esac
done
sh tests/run.sh || reject 'the tests fail; run sh tests/run.sh'

worknode approve "$WORKNODE_TASK" --note 'read it, and ran the tests'
