#!/bin/sh
# Plays the backend developer: the store, and the routes that use it.
#
# At its first task it also leaves a note that the plan does not name. The plan gate refuses
# that; the second attempt reads the finding in its brief and takes the note away again.
. agents/lib.sh

# What docs/design.md calls the routes.
post=$(design Routes | awk '$1 == "POST" { print $2; exit }')
json=$(design Routes | awk '$2 ~ /[.]json$/ { print $2; exit }')

write_store() {
    cat >app/store.sh <<'EOF'
# shellcheck shell=sh
# The entries of the guestbook: one line of a file for each.

store_file=${GUESTBOOK_DATA:-$app/../data}/entries.tsv

# store_add NAME MESSAGE: keeps an entry.
store_add() {
    mkdir -p "${store_file%/*}"
    printf '%s\t%s\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" >>"$store_file"
}

# store_list: prints all entries, oldest first: time, name and message with tabs between them.
store_list() {
    [ ! -f "$store_file" ] || cat "$store_file"
}
EOF
}

# Takes each field with its limit from the design.
write_post() {
    echo '# shellcheck shell=sh'
    echo '# Keeps an entry.'
    echo 'read_form'
    design Fields | while read -r field most; do
        cat <<EOF
$field=\$(field $field)
valid $field $most "\$$field"
EOF
    done
    cat <<'EOF'
store_add "$name" "$message"
redirect /
EOF
}

write_json() {
    cat <<'EOF'
# shellcheck shell=sh
# All entries as JSON.
answer '200 OK' application/json
store_list | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk -F '\t' '
    BEGIN { printf "[" }
    { printf "%s{\"time\":\"%s\",\"name\":\"%s\",\"message\":\"%s\"}", comma, $1, $2, $3; comma = "," }
    END { print "]" }'
EOF
}

case $WORKNODE_TASK in
    store)
        progress 20 "keeping entries for POST $post"
        pause 2
        write_store
        write_post >"$(route_file POST "$post")"
        if [ "$(attempt)" = 1 ]; then
            echo 'next: the list as JSON' >NOTES.txt
            git add NOTES.txt
        fi
        refused_files plan.outside | while read -r file; do
            progress 70 "taking $file away: the plan does not name it"
            git rm -q --force --ignore-unmatch -- "$file"
        done
        commit 'Keep entries' app/store.sh "$(route_file POST "$post")"
        ;;
    api)
        progress 20 "listing entries at GET $json"
        pause 1
        write_json >"$(route_file GET "$json")"
        commit 'List entries as JSON' "$(route_file GET "$json")"
        ;;
    *)
        worknode task block "backend.sh does not know the task $WORKNODE_TASK"
        exit 0
        ;;
esac
progress 90 'handing in'
worknode task submit
