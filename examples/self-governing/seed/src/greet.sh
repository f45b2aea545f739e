# shellcheck shell=sh
# greet NAME: says hello.
greet() {
    echo "Hello, $1!"
}
