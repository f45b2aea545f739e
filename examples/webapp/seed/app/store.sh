# shellcheck shell=sh
# The entries of the guestbook. Nothing is kept yet.

# store_list: prints all entries, oldest first: time, name and message with tabs between them.
store_list() {
    :
}
