#!/bin/sh
# Plays the tester: checks that the routes do what the design says.
#
# At first it guesses what a POST answers, so its test fails and the tests gate refuses it. The
# second attempt finds the gate's finding in its brief, and looks it up.
#
# It does not say `worknode task submit`: it commits and exits with 0, and its last commit is
# handed in.
. agents/lib.sh

if refused tests.failed; then
    progress 30 'the tests failed: looking up in the design what a POST answers'
    wanted=$(design Routes | awk '$1 == "POST" { print $3; exit }')
else
    progress 30 'writing tests'
    wanted=200
fi
post=$(design Routes | awk '$1 == "POST" { print $2; exit }')
most=$(design Fields | awk '$1 == "name" { print $2; exit }')
json=$(design Routes | awk '$2 ~ /[.]json$/ { print $2; exit }')
pause 2

{
    echo '# Every route of docs/design.md answers as it says there.'
    echo '. tests/lib.sh'
    design Routes | while read -r method path status; do
        [ "$method" = GET ] || continue
        echo
        echo "request GET $path"
        echo "is 'GET $path' $status \"\$status\""
    done
} >tests/test_routes.sh

cat >tests/test_entries.sh <<EOF
# An entry is kept and shown; one that cannot be is refused.
. tests/lib.sh

request POST $post 'name=Ada+%26+Co&message=%3Cb%3E%22hi%22%3C%2Fb%3E%0Athere'
is 'an entry is taken' $wanted "\$status"

request GET /
has 'the page shows it, escaped' '<b>Ada &amp; Co</b> &lt;b&gt;&quot;hi&quot;&lt;/b&gt; there'

request GET $json
has 'the list has it' '"name":"Ada & Co","message":"<b>\\"hi\\"</b> there"'

request POST $post 'name=Ada'
is 'an entry without a message' 400 "\$status"

long=\$(printf '%0$((most + 1))d' 0)
request POST $post "name=\$long&message=hi"
is 'a name of $((most + 1)) bytes' 400 "\$status"

request GET /static/guestbook.css
is 'the style' 200 "\$status"
EOF

progress 90 'handing in'
commit 'Test the routes' tests/test_routes.sh tests/test_entries.sh
