#!/bin/bash
# build.sh [-o OUT] [--xz] [--base-url URL] [--without-live] [--ostree] [--sector-size BYTES] --bin DIR:
# build the reference OS into OUT.
# Needs root (bootstrap and chroot) and the packages of packages-host.txt; DIR holds the programs
# coreos-live and coreos-installer. Everything is cached by the hash of what it is made of.
# Files in OUT: README.md beside this script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/cache.sh
source "$here/scripts/cache.sh"

usage() {
    echo "usage: build.sh [-o OUT] [--xz] [--base-url URL] [--without-live] [--ostree] [--sector-size 512|4096] --bin DIR" >&2
    exit 2
}

fail() { # error, cause, hint
    printf 'error: %s\ncause: %s\nhint:  %s\n' "$@" >&2
    exit 1
}

out='' bin='' xz=no live=yes ostree=no sector=512 base_url=''
while (($#)); do
    case $1 in
    -o | --out | --bin | --base-url | --sector-size) (($# > 1)) || usage ;;&
    -o | --out) out=$2 && shift ;;
    --bin) bin=$2 && shift ;;
    --base-url) base_url=$2 && shift ;;
    --sector-size) sector=$2 && shift ;;
    --xz) xz=yes ;;
    --without-live) live=no ;;
    --ostree) ostree=yes ;;
    *) usage ;;
    esac
    shift
done
[[ -n $bin && $sector =~ ^(512|4096)$ ]] || usage

((EUID == 0)) || fail "the reference OS cannot be built" "a bootstrap and a chroot need root" \
    "run build.sh with sudo"
for program in coreos-live coreos-installer; do
    [[ -x $bin/$program ]] || fail "the reference OS cannot be built" "$bin has no $program" \
        "build the programs first: cargo build --release"
done
missing=$(grep -v '^#' "$here/packages-host.txt" | while read -r package; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
done | xargs)
[[ -z $missing ]] || fail "the reference OS cannot be built" "packages are not installed: $missing" \
    "apt-get install $missing"

packages() {
    echo packages-root.txt
    [[ $ostree == no ]] || echo packages-ostree.txt
}
root_files() {
    packages
    echo scripts/root.sh
}
tree_files() {
    printf '%s\n' scripts/tree.sh "$cache/key/public.gpg"
    find overlay -type f
    [[ $live == no ]] || live_files
    [[ $ostree == no ]] || printf '%s\n' scripts/ostree.sh boot/kargs
}
live_files() {
    find ../../live -type f -not -path '*/src/*' -not -path '*/tests/*' -not -name Cargo.toml
    printf '%s\n' "$bin/coreos-live" "$bin/coreos-installer"
}
image_files() {
    find boot -type f
    printf '%s\n' scripts/{image,grub-bios,pack,sign}.sh
}

bin=$(realpath "$bin")
out=$(realpath -m "${out:-$PWD/reference-os}")
cache_open
cd "$here"
"$here/scripts/sign.sh" key "$cache/key"

root_key=$(root_files | cache_key root)
tree_key=$(tree_files | cache_key tree "$root_key" "$live" "$ostree")
image_key=$(image_files | cache_key image "$tree_key" "$sector")
version=12.${tree_key:0:8}.${image_key:0:4}

build_root() { packages | xargs "$here/scripts/root.sh" "$1/root.tar"; }
build_tree() {
    "$here/scripts/tree.sh" "${stage_dir[root]}/root.tar" "$bin" "$cache/key/public.gpg" \
        "12.${tree_key:0:8}" "$live" "$ostree" "$1"
}
build_image() { "$here/scripts/pack.sh" "${stage_dir[tree]}" "$cache/key" "$sector" "$1"; }

stage root "$root_key" build_root
stage tree "$tree_key" build_tree
stage image "$image_key" build_image
[[ $xz == no ]] || "$here/scripts/pack.sh" xz "$cache/key" "${stage_dir[image]}"

# shellcheck source=scripts/publish.sh
source "$here/scripts/publish.sh"
publish
echo "reference-os: $version in $out" >&2
