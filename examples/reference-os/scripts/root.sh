#!/bin/bash
# root.sh OUT.tar LIST...: bootstrap the Debian 12 root tree of the reference OS with the packages
# in the files LIST.
# Packages come from the mirrors that the host's own apt is configured for, or
# from Debian's default one when the host is no Debian 12. Knows nothing of
# CoreOS: what makes the tree a CoreOS-style system is tree.sh's part.
set -euo pipefail
out=${1:?usage: root.sh OUT.tar LIST...}
shift

# Trees that no boot, install or test of a reference machine reads.
excluded=(
    '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' '/usr/share/doc/*'
    '/usr/share/i18n/*' '/usr/share/zoneinfo/right/*' '/usr/share/zoneinfo/posix/*'
    '/usr/sbin/xfs_scrub*'
    # a hook for ifupdown, which is not there: it fails at every address change
    '/etc/NetworkManager/dispatcher.d/01-ifupdown'
    # names of hardware makers, compiled into hwdb.bin
    '/lib/udev/hwdb.d/20-*'
)
for tree in lib/test_'*' net/bluetooth net/mac80211 net/wireless sound \
    fs/ceph fs/gfs2 fs/jfs fs/nfsd fs/ocfs2 fs/reiserfs fs/smb \
    drivers/bluetooth drivers/comedi drivers/gpu drivers/hwmon drivers/i2c/busses drivers/iio \
    drivers/infiniband drivers/input/{joystick,misc,tablet,touchscreen} drivers/isdn drivers/media \
    drivers/mtd drivers/net/can drivers/nfc drivers/platform drivers/powercap \
    drivers/scsi/{bfa,lpfc,qla2xxx} drivers/staging drivers/target drivers/video drivers/watchdog \
    drivers/net/ethernet/{cavium,chelsio,mellanox,netronome,qlogic,sfc} \
    drivers/net/{fddi,hamradio,wireless,wwan}; do
    excluded+=("/lib/modules/*/kernel/$tree*")
done

# One-line apt sources of the host's Debian 12 mirrors; nothing if it has none.
host_sources() {
    # shellcheck disable=SC2016 # apt expands these, not the shell
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $3 ~ /^bookworm(-updates|-security)?$/ { print "deb", $2, $3, $4 }' |
        sort -u
}

packages=$(sed 's/#.*//' "$@" | xargs | tr ' ' ',')
# Of all this, xfs_scrub and ostree alone need ICU, whose tables are a tenth of the root.
[[ ",$packages," == *,ostree,* ]] || excluded+=('/usr/lib/x86_64-linux-gnu/libicu*')
options=(
    --variant=minbase --include="$packages"
    # without it Debian picks the package usrmerge, and with it all of perl
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr
    --aptopt='APT::Install-Recommends "false"'
    --dpkgopt='force-unsafe-io'
)
for pattern in "${excluded[@]}"; do options+=(--dpkgopt="path-exclude=$pattern"); done
options+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')
# The host's own terms for fetching do not reach mmdebstrap by themselves.
while read -r setting; do
    options+=(--aptopt="$setting")
done < <(apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-(Valid-Until|Date)) ' || :)

# The signed boot loaders are wanted as two files, not as packages with their dependencies.
# shellcheck disable=SC2016 # expanded by mmdebstrap's shell
options+=(--customize-hook='
    set -eu
    mkdir -p "$1/usr/lib/efi" "$1/var/tmp/loaders"
    cd "$1/var/tmp/loaders"
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download shim-signed grub-efi-amd64-signed
    for deb in *.deb; do dpkg-deb --extract "$deb" .; done
    mv usr/lib/shim/shimx64.efi.signed "$1/usr/lib/efi/shimx64.efi"
    mv usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed "$1/usr/lib/efi/grubx64.efi"
    cd / && rm -rf "$1/var/tmp/loaders"')

# Debian's dracut kernel hook would build a generic gzip -9 initrd twice: minutes for nothing.
export INITRD=No DEBIAN_FRONTEND=noninteractive
sources=$(host_sources)
if [[ $sources == *" bookworm "* ]]; then
    mmdebstrap "${options[@]}" bookworm "$out" - <<<"$sources"
else
    mmdebstrap "${options[@]}" bookworm "$out"
fi
