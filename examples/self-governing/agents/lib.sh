# shellcheck shell=sh
# What the scripted agents share. They are agents like any others to Worknode: each is a process
# in a clone of the repository, and has a brief to read.
set -eu

# attribute NAME: prints this attribute of each task in the JSON that it reads, one line each, as
# TASK VALUE.
attribute() {
    { tr -d '\n'; echo; } | tr '{' '\n' | sed -n "s/.*\"key\": *\"\([^\"]*\)\".*\"$1\": *\"\([^\"]*\)\".*/\1 \2/p"
}

# tasks STATUS: prints the names of the tasks that stand there.
tasks() {
    worknode task list --json | attribute status | sed -n "s/ $1\$//p"
}

# hand_in MESSAGE FILE...: commits these files and hands them in.
hand_in() {
    message=$1
    shift
    git add -- "$@"
    git commit --quiet --no-gpg-sign -m "$message"
    worknode task submit
}
