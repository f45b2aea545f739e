#!/bin/sh
# Runs tests/test_*.sh, each in a shell and a data folder of its own. Exits 1 when a check fails.
set -u
cd "$(dirname "$0")/.." || exit 1

# A place to write: the system's, or where that is closed to us, this folder.
scratch=${TMPDIR:-/tmp}/guestbook-tests.$$
mkdir -m 700 "$scratch" 2>/dev/null || {
    scratch=$PWD/.scratch.$$
    mkdir -m 700 "$scratch" || exit 1
}
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

broken=0
for test in tests/test_*.sh; do
    [ -f "$test" ] || continue
    echo "# $test"
    # `|| …` notices a test that broke off before it could say so.
    GUESTBOOK_DATA=$scratch/${test##*/} sh "$test" >"$scratch/out" 2>&1 || broken=$((broken + 1))
    cat "$scratch/out"
    cat "$scratch/out" >>"$scratch/all"
done

[ -f "$scratch/all" ] || { echo 'no tests'; exit 0; }
passed=$(grep -c '^ok ' "$scratch/all")
failed=$(grep -c '^not ok ' "$scratch/all")
echo "$passed passed, $failed failed, $broken test files ended badly"
[ "$failed" -eq 0 ] && [ "$broken" -eq 0 ]
