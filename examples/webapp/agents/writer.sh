#!/bin/sh
# Plays the technical writer: says how the guestbook is used, with the routes of the design.
#
# At its first attempt it crashes in the middle of its work, as a process does that the kernel
# kills for its memory. It is started again after a moment, gets its task again, and does it.
#
# It exits with 0 after its commit instead of saying `worknode task submit`.
. agents/lib.sh

progress 20 'collecting routes'
pause 1
mkdir -p docs
{
    echo '# How to use the guestbook'
    echo
    # shellcheck disable=SC2016 # the backticks are Markdown
    echo 'Run `app/guestbook.cgi` behind a web server that speaks CGI. It answers these requests:'
    echo
    design Routes | while read -r method path status; do
        case $method in
            POST) options=" -d '$(design Fields | awk '{ printf "%s%s=...", between, $1; between = "&" }')'" ;;
            *) options= ;;
        esac
        echo "- \`$method $path\`, status $status: \`curl$options http://localhost/guestbook.cgi$path\`"
    done
    echo
    echo 'A new entry has these fields:'
    echo
    design Fields | while read -r field most; do
        echo "- \`$field\`, at most $most bytes"
    done
} >docs/usage.md

if [ "$(attempt)" = 1 ]; then
    echo 'crashing' >&2
    kill -9 $$
fi

grep -q docs/usage.md README.md || printf '\nHow to use it: [docs/usage.md](docs/usage.md).\n' >>README.md
progress 80 'the routes of the design are explained'
commit 'Explain how to use it' docs/usage.md README.md
