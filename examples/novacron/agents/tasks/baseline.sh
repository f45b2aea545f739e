# shellcheck shell=sh
# How long news takes now.
mkdir -p bench
sh sim/run.sh >bench/baseline.txt
remember 1 "{\"rounds\": $(rounds bench/baseline.txt)}"
hand_in 'Measure the cluster as it is' bench/baseline.txt
