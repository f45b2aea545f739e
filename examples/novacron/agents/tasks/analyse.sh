# shellcheck shell=sh
# What would make it faster.
least=
mkdir -p docs
{
    echo '# Findings'
    echo
    echo '| fanout | rounds | messages |'
    echo '|---|---|---|'
} >docs/findings.md
for fanout in 1 2 3 4 5 6; do
    sh sim/run.sh "$fanout" >tried
    echo "| $fanout | $(rounds tried) | $(sed -n 's/^messages //p' tried) |" >>docs/findings.md
    if [ -z "$least" ] && [ "$(rounds tried)" -le 5 ]; then
        least=$fanout
    fi
done
rm tried
printf '\nThe least fanout that meets the target: %s\n' "$least" >>docs/findings.md
remember 2 "{\"fanout\": $least}"
hand_in 'Find what would meet the target' docs/findings.md
