package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"
)

// version of the program. Kept by hand with the CHANGELOG.
const version = "0.1.0"

var versionVerb = verb{
	name:  "version",
	short: "print the version and what it was built with",
	make:  func() command { return versionCommand{} },
}

type versionCommand struct{}

func (versionCommand) addFlags(*pflag.FlagSet) {}

func (versionCommand) run(_ context.Context, c *console, args []string) error {
	if err := noArguments("version", args); err != nil {
		return err
	}
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if c.json {
		return c.object(map[string]string{
			"version": version, "revision": revision, "go": runtime.Version(),
			"os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	c.printf("finetune %s (%s %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if revision != "" {
		c.printf(" revision %s", revision)
	}
	c.printf("\n")
	return nil
}
