# shellcheck shell=bash disable=SC2034 # its variables are read by those who source it
# cache.sh, sourced by build.sh: stages whose results are kept by the hash of what they are made of.
# A stage builds in a directory of its own that gets its final name only when complete, and one
# lock admits one build at a time, so neither a killed nor a second build leaves half a result. The
# lock is open in all children too: what a killed build left running is waited for.
cache=${COREOS_METAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coreos-metal}/reference-os
declare -A stage_dir stage_seconds stage_cached

cache_open() {
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock --nonblock 9 || {
        echo "another build of the reference OS is running, waiting for it" >&2
        flock 9
    }
}

# Key of a stage: a hash over the words $@ and, from stdin, the names and contents of files.
cache_key() {
    {
        printf '%s\n' "$@"
        LC_ALL=C sort | xargs --no-run-if-empty -d '\n' sha256sum
    } | sha256sum | cut -c 1-16
}

# stage NAME KEY COMMAND...: runs COMMAND with an empty directory as its last argument, unless the
# result of an earlier run under KEY is there. Keeps the five results of NAME used last.
stage() {
    local name=$1 key=$2 dir=$cache/$1/$2 start
    shift 2
    mkdir -p "$cache/$name"
    find "$cache/$name" -mindepth 1 -maxdepth 1 -name '.new.*' -exec rm -rf --one-file-system {} +
    stage_cached[$name]=true
    if [[ ! -d $dir ]]; then
        stage_cached[$name]=false
        echo "reference-os: $name ($key)" >&2
        start=$(date +%s.%N)
        local new
        new=$(mktemp -d "$cache/$name/.new.XXXXXX")
        "$@" "$new"
        awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f\n", b - a }' >"$new/seconds"
        mv -T "$new" "$dir"
    fi
    touch "$dir"
    stage_dir[$name]=$dir
    stage_seconds[$name]=$(<"$dir/seconds")
    find "$cache/$name" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +6 |
        cut -d ' ' -f 2- | xargs --no-run-if-empty -d '\n' rm -rf --one-file-system
}
