#!/bin/sh
# Puts the log of a server aside and has it begin a new one: rotate.sh LOG [PIDFILE]
# The server can do that by itself: logfile_size_limit, logfile_max_num, logfile_max_age, logfile_compress.
set -eu
log=$1
pid=${2:-}
mv "$log" "$log.$(date +%Y%m%d-%H%M%S)"
# Until this returns, lines go on in the file that was put aside; none is lost. Compress it after that.
"${NATSD:-natsd}" signal reopen ${pid:+"$pid"} --wait
