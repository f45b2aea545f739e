# shellcheck shell=sh
# What the scripted agents share.
#
# These scripts play agents, so that the demo needs no model. To Worknode they are agents like
# any others: a process in a private clone of the repository, with a brief to read, that commits
# what it made and hands it in. Task and epoch are in the environment; `worknode` takes them
# from there.
set -eu

# pause SECONDS: work takes time. Here it takes just enough to be watched.
pause() {
    sleep "$1"
}

# progress PERCENT MESSAGE: says how far the task is. Nobody fails because this was not heard.
progress() {
    echo "$2"
    worknode task progress --percent "$1" "$2" || :
}

# attempt: prints which attempt this is, from 1.
attempt() {
    sed -n 's/.*[Aa]ttempt \([0-9][0-9]*\) of.*/\1/p' "$WORKNODE_BRIEF" | head -n 1
}

# refused RULE: was the last submission refused by this rule? The brief lists each finding
# as: - `RULE` in `FILE`: what is wrong
refused() {
    grep -q "^- \`$1\`" "$WORKNODE_BRIEF"
}

# refused_files RULE: prints the files that broke this rule.
refused_files() {
    sed -n "s/^- \`$1\` in \`\([^\`]*\)\`.*/\1/p" "$WORKNODE_BRIEF"
}

# commit MESSAGE FILE...: commits these files and what is staged already. Empty is allowed:
# what was there may be right as it is.
commit() {
    message=$1
    shift
    git add -- "$@"
    git commit --quiet --allow-empty --no-gpg-sign -m "$message"
}

# design SECTION: prints the rows of a table in docs/design.md, one line each, without the
# column for people.
#   Routes: METHOD PATH STATUS     Fields: FIELD BYTES
design() {
    awk -F '|' -v want="## $1" '
        /^## / { inside = ($0 == want) }
        inside && /^\| `/ {
            gsub(/`/, "")
            for (i = 2; i < NF - 1; i++) { gsub(/ /, "", $i); printf "%s ", $i }
            print ""
        }' docs/design.md
}

# route_file METHOD PATH: prints the file that answers this route.
route_file() {
    case $2 in
        /) name=$1/index ;;
        *) name=$1$2 ;;
    esac
    printf 'app/routes/%s.sh\n' "$(printf '%s' "$name" | tr 'A-Z/' 'a-z_')"
}
