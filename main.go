// Command natsd is a message broker that speaks the NATS protocol. Run "natsd help" for its commands.
package main

import (
	"os"

	"github.com/natsd/natsd/cmd"
	"github.com/natsd/natsd/internal/iostreams"
)

func main() {
	os.Exit(cmd.Main(cmd.HideSecrets(os.Args), os.Environ(), iostreams.System()))
}
