#!/bin/sh
# install.sh DESTDIR [COREOS-LIVE]
# Installs into an OS root everything that makes it live-bootable and installable: the coreos-live
# program (default: the release build of this workspace), the dracut module, units and generators.
# Run it before dracut; run it again after a change.
set -eu

dest=${1:?usage: install.sh DESTDIR [COREOS-LIVE]}
here=$(cd "$(dirname "$0")" && pwd)
program=${2:-$here/../target/release/coreos-live}
[ -x "$program" ] || { echo "install.sh: no program at $program; build it with: cargo build --release -p live" >&2; exit 1; }

module=$dest/usr/lib/dracut/modules.d/35coreos-metal
units=$dest/usr/lib/systemd/system
generators=$dest/usr/lib/systemd/system-generators

install -D -m 0755 "$program" "$dest/usr/libexec/coreos-live"
install -d -m 0755 "$module" "$units" "$generators"
ln -sf ../../../libexec/coreos-live "$generators/coreos-boot-generator"
install -m 0644 "$here"/units/system/*.service "$here"/units/system/*.target "$units"
install -m 0755 "$here"/dracut/35coreos-metal/module-setup.sh "$here"/dracut/35coreos-metal/setfiles "$module"
install -m 0644 "$here"/dracut/35coreos-metal/00-core.ign "$here"/units/initrd/*.service \
    "$here"/units/system/coreos-failure.service "$module"

# Debian's Ignition reads the policy's name from here, whether there is a policy or not.
if [ ! -e "$dest/etc/selinux/config" ]; then
    install -d -m 0755 "$dest/etc/selinux"
    printf 'SELINUX=disabled\nSELINUXTYPE=none\n' > "$dest/etc/selinux/config"
fi
