#!/bin/sh
# Makes the user that the service runs as.
set -e
if ! getent group natsd >/dev/null 2>&1; then
	if command -v groupadd >/dev/null 2>&1; then groupadd --system natsd; else addgroup -S natsd; fi
fi
if ! getent passwd natsd >/dev/null 2>&1; then
	if command -v useradd >/dev/null 2>&1; then
		useradd --system --gid natsd --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin natsd
	else
		adduser -S -D -H -h /nonexistent -s /sbin/nologin -G natsd natsd
	fi
fi
