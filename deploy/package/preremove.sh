#!/bin/sh
# Before the program goes, the service stops; first its socket, which would start it again. An upgrade leaves both alone.
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
	systemctl disable --now natsd.socket || true
	systemctl disable --now natsd.service || true
fi
