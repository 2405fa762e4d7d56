#!/bin/sh
# Prints, as one line of JSON, what this machine is on this boot. `make demo` reads that line
# from the serial console and compares it with what the config asks for.
set -eu

count=/var/lib/demo/boots
mkdir -p "${count%/*}"
boot=$(($(cat "$count" 2>/dev/null || echo 0) + 1))
echo "$boot" >"$count"

firstboot=false
if grep -qw ignition.firstboot /proc/cmdline; then firstboot=true; fi

printf 'demo-machine: {"boot":%d,"firstboot":%s,"ignition-lines":%d,"user":"%s","ssh-keys":"%s","file":"%s","unit":"%s"}\n' \
    "$boot" "$firstboot" \
    "$(journalctl --boot --quiet --identifier=ignition --output=cat | wc -l)" \
    "$(getent passwd demo || true)" \
    "$(cut -d ' ' -f 3 /home/demo/.ssh/authorized_keys.d/ignition || true)" \
    "$(stat --format='%a %U:%G' /etc/demo/greeting || true) $(cat /etc/demo/greeting || true)" \
    "$(systemctl is-enabled demo-machine.service || true)"
