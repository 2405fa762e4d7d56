#!/usr/bin/env bash
# Writes the reference pages from the programs' own --help, so that no fact is typed twice.
# usage: docs/gen.sh [OUT]   (default docs/src/reference). A test compares OUT with what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-docs/src/reference}
bin=target/release
mkdir -p "$out"

# describe HEADING PROGRAM [SUBCOMMAND...]: a section for the command and for each below it.
describe() {
    local heading=$1
    shift
    local help
    help=$("$bin/$1" "${@:2}" --help)
    # shellcheck disable=SC2016  # the backquotes are Markdown's
    printf '%s %s\n\n```text\n%s\n```\n\n' "$heading" "$*" "$help"
    local sub
    while read -r sub; do
        describe "$heading#" "$@" "$sub"
    done < <(awk '/^Commands:/{on=1;next} /^[^ ]/{on=0} on && /^  [a-z]/ && $1 != "help" {print $1}' <<<"$help")
}

for program in coreos-installer iso-builder pxe-server; do
    COLUMNS=80 describe '#' "$program" | sed 's/[[:space:]]*$//' | cat -s >"$out/$program.md"
done
