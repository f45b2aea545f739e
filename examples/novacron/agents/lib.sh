# shellcheck shell=sh
# What the scripted agents share.
set -eu

# columns KEY NAME: of each object in the JSON that it reads, one line with the values of KEY and,
# behind it, NAME. Both are texts.
columns() {
    { tr -d '\n'; echo; } | tr '{' '\n' |
        sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*\"$2\": *\"\([^\"]*\)\".*/\1 \2/p"
}

# remember PHASE JSON: leaves something for the others.
remember() {
    worknode memory set "swarm/$WORKNODE_AGENT/phase$1" "$2"
}

# hand_in MESSAGE FILE...: commits these files and hands them in.
hand_in() {
    message=$1
    shift
    git add -- "$@"
    git commit --quiet --no-gpg-sign -m "$message"
    worknode task submit
}

# rounds FILE: the number of rounds in what sim/run.sh printed.
rounds() {
    sed -n 's/^rounds //p' "$1"
}
