#!/bin/sh
# First and only process of a guest: update the system on one disk while dm-log-writes writes down, on another, all
# that is written to it.
set -eu
trap 'status=$?; sync; echo "log-writes: exit status $status"; echo o >/proc/sysrq-trigger; sleep 60' EXIT
export PATH=/usr/sbin:/usr/bin HOME=/root TMPDIR=/run
export CONTAINERS_REGISTRIES_CONF=/etc/log-writes-registries.conf
# Nothing here answers device mapper's questions to udev.
export DM_DISABLE_UDEV=1

modprobe virtio_net
modprobe dm-log-writes
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up

image=$(cat /etc/log-writes-image)
system=/dev/vdb log=/dev/vdc
mark() { echo "log-writes: $1"; dmsetup message logged 0 mark "$1"; }
snap() { container-snap --sysroot /run/system "$@"; }

dmsetup create logged --table "0 $(blockdev --getsz $system) log-writes $system $log"
mkdir -p /run/system
mount /dev/mapper/logged /run/system
mount -o subvol=@var /dev/mapper/logged /run/system/var
mark pull
snap pull "$image"
mark deploy
id=$(snap deploy "$image")
mark activate
snap activate "$id"
mark unmount
umount --recursive /run/system
# Ends the log: what no flush has covered so far is added to it.
dmsetup remove logged
