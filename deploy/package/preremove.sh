#!/bin/sh
# Before the program goes, the service stops. An upgrade leaves it alone.
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
	systemctl disable --now natsd.service || true
fi
