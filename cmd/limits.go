package cmd

import (
	"errors"
	"log/slog"
	"math"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// memoryShare is how much of the memory that a container may use Go may use: the rest is for the stacks of threads, for the
// buffers of sockets, and for what comes in between two collections.
const memoryShare = 0.9

// envMemoryLimit is the variable with the limit that Go takes by itself.
const envMemoryLimit = "GOMEMLIMIT"

// limitMemory makes Go collect garbage sooner when the control group of the process has a memory limit, unless GOMEMLIMIT says what to
// do, and logs it. Without it a server with much pending would be killed where a collection would do.
func limitMemory(logger *zerolog.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithProvider(memlimit.FromCgroup), memlimit.WithLogger(slog.New(slog.DiscardHandler)))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup) || errors.Is(err, memlimit.ErrCgroupsNotSupported) || errors.Is(err, memlimit.ErrNoLimit):
	case err != nil:
		logger.Debug().Msgf("The memory limit of the control group cannot be read: %v", err)
	case limit > 0 && limit != math.MaxInt64:
		from := "the control group"
		if _, given := os.LookupEnv(envMemoryLimit); given { // then nobody has looked at the group
			from = envMemoryLimit
		}
		logger.Info().Msgf("Memory limit %s, from %s", size(float64(limit)), from)
	}
}

// spareFiles is how many files a server opens besides the sockets of its clients, and some to spare.
const spareFiles = 64

// checkOpenFiles warns if the limit of open files, which Go has raised as far as it may be, is too small for max_connections.
func checkOpenFiles(c *config.Config, logger *zerolog.Logger) {
	limit := openFileLimit()
	most := c.Limits.MaxConnections
	if limit == 0 || most < 0 && limit >= 1<<20 {
		return
	}
	level := zerolog.WarnLevel
	if c.Limits.MaxConnections == broker.DefaultMaxConnections {
		level = zerolog.DebugLevel // nobody has asked for that many
	}
	if most < 0 || uint64(most)+spareFiles > limit {
		logger.WithLevel(level).Msgf("Open files are limited to %d, too few for max_connections of %d; raise it (LimitNOFILE=, ulimit -n), or lower max_connections", limit, most)
	}
}
