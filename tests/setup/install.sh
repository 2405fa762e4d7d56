#!/bin/sh
# Installs what building, testing and the demo need on Debian 12: says what is missing and why,
# then installs just that, or unpacks it into target/debian if it would start a service. Does
# nothing, and needs no root, when nothing is missing.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    printf 'error: %s\ncause: %s\nhint:  %s\n' "$1" "$2" "$3" >&2
    exit 1
}

installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Whether the version $1 is at least $2.
at_least() {
    dpkg --compare-versions "$1" ge "$2"
}

command -v dpkg-query >/dev/null ||
    fail 'cannot install what is needed' 'this is no Debian system' \
        'install the packages of tests/setup/packages.txt by hand'

missing=
add() {
    case " $missing " in *" $1 "*) return ;; esac
    missing="$missing $1"
    printf '  %-20s %s\n' "$1" "$2"
}

report=$(mktemp)
trap 'rm -f "$report"' EXIT
{
    while read -r package reason; do
        case $package in '' | '#'*) continue ;; esac
        installed "$package" || add "$package" "$reason"
    done <tests/setup/packages.txt
    while read -r package _; do
        case $package in '' | '#'*) continue ;; esac
        installed "$package" || add "$package" 'builds the reference OS'
    done <examples/reference-os/packages-host.txt

    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
    if [ -z "$found" ] || ! at_least "$found" "$wanted"; then
        add rustc-web "Rust compiler >= $wanted (found: ${found:-none})"
        add cargo-web 'its build tool'
    fi
} >"$report"

unpack=
while read -r package _; do
    case $package in '' | '#'*) continue ;; esac
    [ -d "target/debian/usr/share/doc/$package" ] || unpack="$unpack $package"
done <tests/setup/unpacked.txt

if [ -z "$missing$unpack" ]; then
    echo 'setup: everything that is needed is installed'
    exit 0
fi

if [ -n "$missing" ]; then
    echo 'setup: will install these Debian packages:'
    cat "$report"
fi
[ -z "$unpack" ] || echo "setup: will unpack into target/debian:$unpack"

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
        fail 'cannot install packages' 'this is not root, and there is no sudo' 'run the same command as root'
    sudo=sudo
fi
log=$(mktemp)
packages=$(mktemp -d)
trap 'rm -rf "$report" "$log" "$packages"' EXIT

get() {
    $sudo apt-get update || return
    # shellcheck disable=SC2086  # lists of words on purpose
    if [ -n "$missing" ]; then
        $sudo env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends $missing || return
    fi
    # shellcheck disable=SC2086
    if [ -n "$unpack" ]; then
        (cd "$packages" && apt-get download $unpack) || return
        for package in "$packages"/*.deb; do
            dpkg-deb --extract "$package" target/debian || return
        done
    fi
}

mkdir -p target/debian
if ! get >"$log" 2>&1; then
    fail 'cannot install packages' "$(grep -E '^(E|W):' "$log" | tail -n 3 | tr '\n' ' ')" \
        'run apt-get install with the packages named above to see what is wrong'
fi
echo 'setup: done'
