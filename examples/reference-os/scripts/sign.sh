#!/bin/bash
# sign.sh key DIR | sign.sh file DIR FILE: the signing key of locally built images.
# `key` makes it once and keeps it in DIR, never in the repository; `file` writes FILE.sig.
# gpg works in a home of its own that is gone afterwards, with its agent.
set -euo pipefail
what=${1:?} dir=${2:?}
# short on purpose: an agent's socket path may have 108 bytes
home=$(mktemp -d /tmp/refos-gpg.XXXXXX)
trap 'gpgconf --homedir "$home" --kill all; rm -rf "$home"' EXIT
gpg=(gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '')

case $what in
key)
    [[ ! -s $dir/public.gpg ]] || exit 0
    (umask 077 && mkdir -p "$dir")
    "${gpg[@]}" --quick-gen-key 'coreos-metal reference OS (made on this machine)' ed25519 sign never
    (umask 077 && "${gpg[@]}" --export-secret-keys >"$dir/secret.gpg")
    "${gpg[@]}" --export >"$dir/public.gpg.new"
    mv "$dir/public.gpg.new" "$dir/public.gpg"
    ;;
file)
    file=${3:?}
    "${gpg[@]}" --import "$dir/secret.gpg"
    "${gpg[@]}" --yes --detach-sign --output "$file.sig" "$file"
    ;;
*)
    echo "sign.sh: unknown command: $what" >&2
    exit 2
    ;;
esac
