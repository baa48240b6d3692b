#!/bin/sh
# Restarts the servers of a cluster on this machine one after the other, without losing a client for long:
#
#   rolling-restart.sh CONFIG PIDFILE MONITOR [CONFIG PIDFILE MONITOR]...
#
# Each is checked, taken out of service in lame duck mode, started again in the background, and waited for until it takes clients and its
# routes are there (/readyz says both). A fault stops everything: the other servers run on. MONITOR is host:port; START says how to start one (its
# configuration is $1) where that is not `natsd serve -c CONFIG`.
set -eu
natsd=${NATSD:-natsd}

start() {
	if [ -n "${START:-}" ]; then
		sh -c "$START" start "$1"
	else
		"$natsd" serve -c "$1" >/dev/null 2>&1 &
	fi
}

# await COMMAND... tries a command for half a minute.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || { echo "rolling-restart: gave up waiting for: $*" >&2; exit 1; }
		sleep 0.1
	done
}

while [ $# -ge 3 ]; do
	config=$1 pidfile=$2 monitor=$3
	shift 3
	echo "rolling-restart: $config"
	"$natsd" config check "$config"
	"$natsd" signal ldm "$pidfile" --wait
	start "$config"
	await "$natsd" healthcheck "http://$monitor/readyz"
done
