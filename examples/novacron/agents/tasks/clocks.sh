# shellcheck shell=sh
# In which order things happened.

# The one whom the plan had in mind does not live to do it.
if [ "$WORKNODE_AGENT" = synchroniser ]; then
    worknode task progress --percent 10 'something is wrong with me'
    kill -KILL $$
fi
cat >sim/clock.awk <<'END'
# Lamport's clocks. Reads `NODE local`, `NODE send MESSAGE`, `NODE receive MESSAGE`; prints each line
# with its time in front.
{
    if ($2 == "receive" && sent[$3] > clock[$1]) clock[$1] = sent[$3]
    clock[$1]++
    if ($2 == "send") sent[$3] = clock[$1]
    print clock[$1], $0
}
END
remember 3 '{"clocks": "sim/clock.awk"}'
hand_in 'Give events an order' sim/clock.awk
