#!/bin/sh
# A purge removes what the service has made, and its user.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf /var/log/natsd
	if command -v userdel >/dev/null 2>&1; then userdel natsd || true; fi
	if command -v groupdel >/dev/null 2>&1; then groupdel natsd 2>/dev/null || true; fi
fi
