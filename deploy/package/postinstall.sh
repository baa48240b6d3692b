#!/bin/sh
# After an installation the service is there and does not run; after an upgrade it runs on, as the new version.
set -e
chown root:natsd /etc/natsd /etc/natsd/natsd.conf
chmod 0750 /etc/natsd
chmod 0640 /etc/natsd/natsd.conf
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# deb: "configure VERSION" is an upgrade. rpm: 2 or more is one.
	if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" -ge 2 ] 2>/dev/null; then
		systemctl try-restart natsd.service
	fi
fi
