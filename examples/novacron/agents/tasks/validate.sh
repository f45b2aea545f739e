# shellcheck shell=sh
# Somebody else looks whether it is so.
sh sim/run.sh >bench/tuned.txt
before=$(rounds bench/baseline.txt)
after=$(rounds bench/tuned.txt)
if [ "$after" -le 5 ]; then met=true; else met=false; fi
printf '# Validation\n\n| before | after | target |\n|---|---|---|\n| %s | %s | 5 |\n' "$before" "$after" >docs/validation.md
remember 5 "{\"met\": $met, \"rounds\": $after}"
hand_in 'Measure again, and compare' bench/tuned.txt docs/validation.md
