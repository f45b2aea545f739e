# shellcheck shell=sh
# The report, from what happened.
mkdir -p reports
{
    worknode report
    printf '\n## Synthesis\n\n'
    worknode memory get swarm/queen/synthesis | sed 's/^/    /; s/ *$//'
} >reports/final.md
hand_in 'Write the final report' reports/final.md
