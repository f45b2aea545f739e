#!/bin/sh
# prepare.sh DIR [DRIVER]: makes a repository in DIR with the team in it. Scripts play the agents,
# unless a driver is named, as in claude-code: then they are real.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
cp -R "$here/worknode.toml" "$here/plan.toml" "$here/agents" "$here/agent-profiles" "$here/seed/." .
printf '.worknode/\n' >.gitignore
if [ "$#" -gt 1 ]; then
    for profile in agent-profiles/*.toml; do
        sed "s/^driver = \"scripted\"/driver = \"$2\"/" "$profile" >profile.new
        mv profile.new "$profile"
    done
    # A model is not as quick as a script.
    sed 's/^estimate = "1s"/estimate = "2h"/' plan.toml >plan.new
    mv plan.new plan.toml
fi
git init --quiet --initial-branch=main
git add --all
git -c user.name=novacron -c user.email=novacron@example.invalid \
    commit --quiet --no-gpg-sign --message 'The cluster as it is found'
