# shellcheck shell=sh
# What it costs.
fanout=$(sed -n 's/^The least fanout that meets the target: //p' docs/findings.md)
one=$(sh sim/run.sh 1 | sed -n 's/^messages //p')
more=$(sh sim/run.sh "$fanout" | sed -n 's/^messages //p')
printf '# Costs\n\nA fanout of %s sends %s messages, a fanout of 1 sends %s.\n' "$fanout" "$more" "$one" >docs/costs.md
remember 4 "{\"messages\": {\"before\": $one, \"after\": $more}}"
hand_in 'Say what it costs' docs/costs.md
