#!/bin/sh
# Makes a changed configuration count, if there is nothing wrong with it: reload.sh CONFIG [PIDFILE]
# The exit code is 0 only when the server has it.
set -eu
config=$1
pid=${2:-}
natsd=${NATSD:-natsd}
"$natsd" config check "$config"
"$natsd" signal reload ${pid:+"$pid"} --wait
