package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

var demoVerb = verb{
	name:  "demo",
	args:  "[-o OUT.onnx]",
	short: "fine-tune and prune a small model that comes with the program",
	long: `
Takes a small network that reads clean digits, fine-tunes it to digits in
another hand (rotated, noisy, inverted) with L1, sets 90 % of its weights to
zero on the way, and writes digits-pruned.onnx. Model and digits come with the
program; nothing is needed and nothing is fetched. It takes less than a minute.`,
	make: func() command { return new(demoCommand) },
}

type demoCommand struct {
	outputFlags
	seed uint64
}

func (d *demoCommand) addFlags(flags *pflag.FlagSet) {
	d.outputFlags.addFlags(flags)
	flags.Lookup("output-file").DefValue = demoOutput
	d.out = demoOutput
	flags.Uint64Var(&d.seed, "seed", 1, "`N` decides which digits are drawn, and their order")
}

const (
	demoOutput   = "digits-pruned.onnx"
	demoTraining = 10000
	demoHeld     = 2000
)

func (d *demoCommand) run(ctx context.Context, c *console, args []string) error {
	if err := noArguments("demo", args); err != nil {
		return err
	}
	d.force = d.force || madeByDemo(d.out)
	if err := d.check(""); err != nil {
		return err
	}
	m, err := onnxload.Parse(models.DigitsONNX(), "")
	if err != nil {
		return err
	}
	if !c.json && !c.quiet {
		c.printf("digits.onnx was trained on digits like these:\n\n%s\n", sketch(models.Clean, d.seed))
		c.printf("and shall learn to read these:\n\n%s\n", sketch(models.Rough, d.seed))
	}
	training, err := d.digits(d.seed, demoTraining)
	if err != nil {
		return err
	}
	held, err := d.digits(d.seed+1, demoHeld)
	if err != nil {
		return err
	}
	cfg := train.DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.Seed = 4, 64, d.seed
	cfg.BatchNorm = onnxload.BatchNormTrain
	cfg.Optim.LR, cfg.Optim.L1 = optim.Set(4e-3), optim.Set(1e-5)
	cfg.Prune.Sparsity, cfg.Prune.Global = optim.Set(0.9), true
	p := newProgress(c)
	cfg.Observe = p.observe
	start := time.Now()
	result, err := train.Run(ctx, m, training, held, cfg)
	p.close()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: nothing was written", err)
	}
	if err != nil {
		return err
	}
	c.notef("trained %d steps on %s digits in %.1f s", result.Steps, thousands(demoTraining), time.Since(start).Seconds())
	return finish(c, d.outputFlags, m, cfg, result)
}

// digits are n digits in the hand to learn.
func (d *demoCommand) digits(seed uint64, n int) (*data.Loader, error) {
	return data.NewLoader(dataset.Digits(models.Rough, seed, n), data.LoaderOptions{Scale: 1.0 / 255})
}

// madeByDemo reports whether the file at path is what an earlier demo wrote, and
// may therefore be replaced.
func madeByDemo(path string) bool {
	m, err := onnxload.Open(path)
	if err != nil {
		return false
	}
	for _, p := range m.Proto.MetadataProps {
		if p.GetKey() == "finetune.verb" && p.GetValue() == "demo" {
			return true
		}
	}
	return false
}

// sketch draws the first digits of a style with characters, at half their size.
func sketch(style models.Style, seed uint64) string {
	const count, half = 5, models.Side / 2
	shades := []rune(" ·-+x#")
	digits := models.Digits{Style: style, Seed: seed}
	pages := make([][]uint8, count)
	for i := range pages {
		pages[i] = make([]uint8, models.Side*models.Side)
		digits.Draw(i, pages[i])
	}
	var b strings.Builder
	for row := 0; row < half; row++ {
		var line strings.Builder
		for _, page := range pages {
			for column := 0; column < half; column++ {
				at := 2*row*models.Side + 2*column
				grey := int(page[at]) + int(page[at+1]) + int(page[at+models.Side]) + int(page[at+models.Side+1])
				line.WriteRune(shades[grey*(len(shades)-1)/(4*255)])
			}
			line.WriteString("  ")
		}
		b.WriteString(strings.TrimRight("  "+line.String(), " ") + "\n")
	}
	return b.String()
}
