#!/bin/sh
# Plays the frontend developer: the page and its style. The page was another agent's task
# first, which ran away with it; see runaway.sh.
. agents/lib.sh

write_page() {
    post=$(design Routes | awk '$1 == "POST" { print $2; exit }')
    cat <<EOF
# shellcheck shell=sh
# The page: a form, and all entries below it.
answer '200 OK' text/html
cat <<HTML
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<link rel="stylesheet" href="\${SCRIPT_NAME:-}/static/guestbook.css">
<h1>Guestbook</h1>
<form method="post" action="\${SCRIPT_NAME:-}$post">
EOF
    design Fields | while read -r field most; do
        echo "<label>$field <input name=\"$field\" maxlength=\"$most\" required></label>"
    done
    cat <<'EOF'
<button>Sign</button> <output></output>
</form>
<ul>
HTML
store_list | escape | awk -F '\t' '{ printf "<li><b>%s</b> %s</li>\n", $2, $3 }'
cat <<HTML
</ul>
<script src="${SCRIPT_NAME:-}/static/guestbook.js"></script>
</html>
HTML
EOF
}

write_script() {
    cat <<'EOF'
// Shows how much may still be written.
const output = document.querySelector("output");
document.querySelector("form").addEventListener("input", (event) => {
  output.value = `${event.target.maxLength - event.target.value.length} left`;
});
EOF
}

write_style() {
    cat <<'EOF'
body { font: 1.1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
form { display: grid; gap: 0.5rem; margin-bottom: 2rem; }
input { width: 100%; box-sizing: border-box; font: inherit; }
li { margin: 0.25rem 0; overflow-wrap: anywhere; }
EOF
}

mkdir -p app/static
case $WORKNODE_TASK in
    page)
        progress 20 'building the form from the fields of the design'
        pause 2
        page=$(route_file GET /)
        write_page >"$page"
        write_script >app/static/guestbook.js
        commit 'Show the page' "$page" app/static/guestbook.js
        ;;
    style)
        progress 20 'choosing a style'
        pause 1
        write_style >app/static/guestbook.css
        commit 'Give the page a style' app/static/guestbook.css
        ;;
    *)
        worknode task block "frontend.sh does not know the task $WORKNODE_TASK"
        exit 0
        ;;
esac
progress 90 'handing in'
worknode task submit
