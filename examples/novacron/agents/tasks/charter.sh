# shellcheck shell=sh
# What is wanted.
mkdir -p docs
cat >docs/charter.md <<'END'
# Charter

News reaches every node of a cluster of 16 in at most 5 rounds: `rounds <= 5`, measured by `sh sim/run.sh`.
END
remember 0 '{"nodes": 16, "rounds": 5}'
hand_in 'Write down the mission' docs/charter.md
