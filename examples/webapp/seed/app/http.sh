# shellcheck shell=sh
# What every route needs: answers, forms, and text that is safe inside HTML.

# answer STATUS TYPE: the head of an answer. Its body is what is printed next.
answer() {
    printf 'Status: %s\nContent-Type: %s; charset=utf-8\n\n' "$1" "$2"
}

# redirect PATH: sends the browser to another page.
redirect() {
    printf 'Status: 303 See Other\nLocation: %s\n\n' "${SCRIPT_NAME:-}$1"
}

# fail STATUS MESSAGE: answers and ends.
fail() {
    answer "$1" text/plain
    printf '%s\n' "$2"
    exit 0
}

# send_file FILE: answers with a file.
send_file() {
    [ -f "$1" ] || fail '404 Not Found' 'there is no such file'
    case $1 in
        *.css) answer '200 OK' text/css ;;
        *.js) answer '200 OK' text/javascript ;;
        *) answer '200 OK' text/plain ;;
    esac
    cat "$1"
}

# escape: turns text into HTML that shows this text.
escape() {
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' \
        -e 's/"/\&quot;/g' -e "s/'/\\&#39;/g"
}

# read_form: reads the form of a POST, once.
read_form() {
    case ${CONTENT_LENGTH:-0} in
        *[!0-9]* | ??????*) fail '413 Content Too Large' 'this form is too large' ;;
    esac
    form=$(dd bs=1 count="${CONTENT_LENGTH:-0}" 2>/dev/null | tr '&\t\r\n' '\n   ')
}

# field NAME: prints one field of the form, decoded, on one line. Control characters become
# spaces: an entry is one line, with tabs between its parts.
field() {
    printf '%s\n' "$form" | awk -v want="$1" '
        function hex(c) { return c == "" ? -1 : index("0123456789abcdef", tolower(c)) - 1 }
        index($0, want "=") == 1 {
            text = substr($0, length(want) + 2)
            gsub(/[+]/, " ", text)
            while ((at = index(text, "%")) > 0) {
                high = hex(substr(text, at + 1, 1))
                low = hex(substr(text, at + 2, 1))
                code = high * 16 + low
                out = out substr(text, 1, at - 1)
                if (high < 0 || low < 0) { out = out "%"; text = substr(text, at + 1); continue }
                out = out (code < 32 || code == 127 ? " " : sprintf("%c", code))
                text = substr(text, at + 3)
            }
            print out text
            exit
        }'
}

# valid NAME MOST VALUE: ends with 400 unless the value has 1 to MOST bytes.
valid() {
    [ -n "$3" ] || fail '400 Bad Request' "$1 is missing"
    [ "${#3}" -le "$2" ] || fail '400 Bad Request' "$1 is longer than $2 bytes"
}
