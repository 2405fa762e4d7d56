# shellcheck shell=bash
# publish.sh, sourced by build.sh: copy the stages' results to OUT and describe them in stream.json
# (upstream's stream metadata) and build.json. Files appear in OUT complete or not at all, the two
# descriptions last. Uses: out, version, sector, base_url, xz, cache, stage_*, here.
# shellcheck disable=SC2154

# A format of the metal image as stream metadata has it; $1 = raw.zst or raw.xz.
stream_format() {
    local file=metal.$1 name=$1 image=${stage_dir[image]}
    [[ $sector == 512 ]] || name=4k.$1
    printf '"%s": {"disk": {"location": "%s", "signature": "%s", "sha256": "%s", "uncompressed-sha256": "%s"}}' \
        "$name" "$base_url$file" "$base_url$file.sig" \
        "$(<"$image/$file.sha256")" "$(<"$image/metal.raw.sha256")"
}

write_stream() {
    local formats
    formats=$(stream_format raw.zst)
    [[ $xz == no ]] || formats+=", $(stream_format raw.xz)"
    cat <<EOF
{
  "stream": "reference",
  "metadata": {"last-modified": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "generator": "coreos-metal reference-os"},
  "architectures": {"x86_64": {"artifacts": {"metal": {
    "release": "$version",
    "formats": {$formats}
  }}}}
}
EOF
}

# One line a file: name, size, bytes on disk.
write_files() {
    local file comma=''
    for file in "$1"/*; do
        printf '%s\n    "%s": {"size": %s, "on-disk": %s}' "$comma" "$(basename "$file")" \
            "$(stat -c %s "$file")" "$(($(stat -c '%b * %B' "$file")))"
        comma=,
    done
}

write_stages() {
    local name comma=''
    for name in root tree image; do
        printf '%s\n    "%s": {"key": "%s", "seconds": %s, "cached": %s}' "$comma" "$name" \
            "$(basename "${stage_dir[$name]}")" "${stage_seconds[$name]}" "${stage_cached[$name]}"
        comma=,
    done
}

write_build() {
    cat <<EOF
{
  "version": "$version",
  "architecture": "x86_64",
  "kernel": "$(<"${stage_dir[tree]}/kernel-version")",
  "files": {$(write_files "$1")
  },
  "stages": {$(write_stages)
  }
}
EOF
}

publish() {
    local new build stream image=${stage_dir[image]} tree=${stage_dir[tree]}
    [[ -z $base_url || $base_url == */ ]] || base_url+=/
    mkdir -p "$out"
    new=$(mktemp -d "$out/.new.XXXXXX")
    # shellcheck disable=SC2064 # this very directory
    trap "rm -rf '$new'" EXIT
    cp --reflink=auto "$image"/metal.raw.zst{,.sig} "$tree/vmlinuz" "$tree/initramfs.img" "$new"
    [[ $xz == no ]] || cp --reflink=auto "$image"/metal.raw.xz{,.sig} "$new"
    cp "$cache/key/public.gpg" "$new/signing-key.gpg"
    "$here/scripts/cloud.sh" "$image/metal.raw" "$sector" "$new/qemu.raw"
    chmod 644 "$new"/*
    build=$(write_build "$new")
    stream=$(write_stream)
    echo "$build" >"$new/build.json"
    echo "$stream" >"$new/stream.json"
    rm -f "$out"/{stream,build}.json
    find "$new" -type f -not -name '*.json' -exec mv -t "$out" {} +
    mv -t "$out" "$new/build.json" "$new/stream.json"
}
