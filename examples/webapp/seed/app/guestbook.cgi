#!/bin/sh
# The guestbook, as a CGI program: any web server that speaks CGI can run it.
#
# GET /entries.json is answered by app/routes/get_entries.json.sh, GET / by
# app/routes/get_index.sh, GET /static/NAME by the file app/static/NAME.
set -eu
LC_ALL=C
export LC_ALL

app=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=app/http.sh
. "$app/http.sh"
# shellcheck source=app/store.sh
. "$app/store.sh"

method=${REQUEST_METHOD:-GET}
path=${PATH_INFO:-/}

# The path becomes the name of a file, so it may hold nothing that leads elsewhere.
case $path in
    *..* | *[!A-Za-z0-9._/-]*) fail '404 Not Found' 'there is no such page' ;;
esac

case $path in
    /) route=$method/index ;;
    *) route=$method$path ;;
esac
handler=$app/routes/$(printf '%s' "$route" | tr 'A-Z/' 'a-z_').sh

case "$method $path" in
    'GET /static/'*) send_file "$app/static/${path#/static/}" ;;
    *)
        [ -f "$handler" ] || fail '404 Not Found' 'there is no such page'
        # shellcheck disable=SC1090
        . "$handler"
        ;;
esac
