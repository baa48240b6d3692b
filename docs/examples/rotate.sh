#!/bin/sh
# Puts the log of a server aside and has it begin a new one: rotate.sh LOG [PIDFILE]
# The server can do that by itself: logfile_size_limit, logfile_max_num, logfile_max_age, logfile_compress.
set -eu
log=$1
pid=${2:-}
aside=$log.$(date +%Y%m%d-%H%M%S)
n=1
while [ -e "$aside" ]; do # twice within a second
	aside=$log.$(date +%Y%m%d-%H%M%S)-$n
	n=$((n + 1))
done
mv "$log" "$aside"
# Until this returns, lines go on in the file that was put aside; none is lost. Compress it after that.
"${NATSD:-natsd}" signal reopen ${pid:+"$pid"} --wait
