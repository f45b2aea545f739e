# shellcheck shell=sh
# What there is.
printf 'nodes=16\nfanout=1\n' >sim/cluster.conf
remember 0 '{"nodes": 16, "fanout": 1}'
hand_in 'Describe the cluster' sim/cluster.conf
