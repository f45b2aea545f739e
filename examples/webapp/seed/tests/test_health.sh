# The program answers, and lets nobody out of its folder.
. tests/lib.sh

request GET /health
is 'GET /health' 200 "$status"
has 'it says ok' ok

request GET /nowhere
is 'a page that does not exist' 404 "$status"

request GET /static/../store.sh
is 'a path that leads elsewhere' 404 "$status"
