# shellcheck shell=sh
# What tests need. A test begins with `. tests/lib.sh` and makes checks.
set -eu
LC_ALL=C
export LC_ALL

# request METHOD PATH [FORM]: asks the guestbook. Its answer is in $answer, the status in $status.
request() {
    form=${3-}
    answer=$(printf '%s' "$form" |
        REQUEST_METHOD=$1 PATH_INFO=$2 CONTENT_LENGTH=${#form} sh app/guestbook.cgi)
    # shellcheck disable=SC2034 # the tests use it
    status=$(printf '%s\n' "$answer" | sed -n 's/^Status: \([0-9]*\).*/\1/p')
}

# is NAME WANTED FOUND: checks that both are the same.
is() {
    if [ "$2" = "$3" ]; then
        echo "ok $1"
    else
        echo "not ok $1: wanted '$2', found '$3'"
    fi
}

# has NAME TEXT: checks that the answer has this text in it.
has() {
    case $answer in
        *"$2"*) echo "ok $1" ;;
        *) echo "not ok $1: no '$2' in: $answer" ;;
    esac
}
