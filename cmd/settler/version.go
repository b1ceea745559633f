package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

// build is what the Go toolchain wrote into the program.
type build struct {
	Version  string // of the module: a tag, a pseudo-version, or (devel)
	Revision string // of version control; "unknown" when the build did not record it
	Go       string
}

func readBuild() build {
	b := build{Version: "unknown", Revision: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		b.Revision += " (modified)"
	}
	if b.Version == "" { // of a test binary
		b.Version = "(devel)"
	}
	return b
}

// Run prints one fact a line.
func (cmd *versionCmd) Run(_ context.Context, std *streams) error {
	b := readBuild()
	_, err := fmt.Fprintf(std.Out, "settler  %s\nrevision %s\ngo       %s\n", b.Version, b.Revision, b.Go)
	return err
}
