package main

import (
	"context"

	"github.com/spf13/pflag"
)

var demoVerb = verb{
	name:  "demo",
	short: "fine-tune and prune a small model that comes with the program",
	make:  func() command { return new(demoCommand) },
}

type demoCommand struct{}

func (demoCommand) addFlags(*pflag.FlagSet) {}

func (demoCommand) run(ctx context.Context, c *console, args []string) error { return nil }
