#!/bin/sh
# Plays the debugger: asks whether somebody has seen the error before, mends it, and leaves the
# solution for the next one who asks.
. agents/lib.sh

error=$(sh build.sh 2>&1) && {
    worknode task block 'the build is sound: there is nothing to mend'
    exit 0
}
echo "$error" | worknode issue search -
worknode task progress --percent 30 "looking at: $error"

file=$(echo "$error" | sed -n 's/^\(src\/[a-z]*\.sh\):.*/\1/p' | head -n 1)
# A loop that nobody closed.
for end in done fi; do
    cp "$file" "$file.before"
    echo "$end" >>"$file"
    if sh -n "$file" 2>/dev/null; then
        break
    fi
    mv "$file.before" "$file"
done
rm -f "$file.before"
sh build.sh

worknode issue add "$error" --file "$file" --cause 'a loop was not closed' --fix "add the missing \`$end\`"
hand_in 'Mend the build' "$file"
# It would look around for more; `auto_terminate` ends it.
sleep 600
