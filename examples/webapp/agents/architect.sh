#!/bin/sh
# Plays the architect: writes the design that all others read.
. agents/lib.sh

progress 20 'naming routes and fields'
pause 1
mkdir -p docs
cat >docs/design.md <<'EOF'
# Design of the guestbook

An entry is one line of a file: time, name and message with tabs between them. Whatever a
visitor wrote is escaped where it is shown, not where it is kept.

## Routes

| method | path | status | what it does |
|---|---|---|---|
| `GET` | `/` | `200` | the page: a form, and all entries below it |
| `POST` | `/entries` | `303` | keeps an entry, then leads back to the page |
| `GET` | `/entries.json` | `200` | all entries as JSON |
| `GET` | `/health` | `200` | says that the program runs |

## Fields

| field | bytes at most | what it is |
|---|---|---|
| `name` | `40` | who writes |
| `message` | `280` | what they say |

A field that is missing or too long is answered with status 400.
EOF
pause 1
progress 90 'the design names 4 routes and 2 fields'
commit 'Design the guestbook' docs/design.md
worknode task submit
