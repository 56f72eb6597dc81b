package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"finetune/train"
)

// progress tells how training goes: a bar on a terminal, a line per epoch, or for
// some of them if there are many, and with --json an object for each.
type progress struct {
	console *console
	bar     *progressbar.ProgressBar
	opening func() string // what there is to say before any work is done; may be nil
	saved   string        // the checkpoint, once there is one
}

// epochLines is how many epochs are told of at the most.
const epochLines = 50

func newProgress(c *console) *progress { return &progress{console: c} }

func (p *progress) observe(e train.Event) {
	switch e.Kind {
	case train.Ready:
		if p.opening != nil {
			p.line("%s", p.opening())
		}
	case train.Started:
		p.startBar(e)
		if e.Held != nil {
			p.line("before training: %s", metricsText(*e.Held))
		}
	case train.Stepped:
		if p.bar != nil {
			p.bar.Describe(fmt.Sprintf("epoch %d/%d loss %s", e.Epoch, e.Epochs, lossText(e.Loss)))
			_ = p.bar.Set(e.Step)
		}
	case train.EpochDone:
		if every := (e.Epochs + epochLines - 1) / epochLines; e.Epoch%every == 0 || e.Epoch == e.Epochs {
			p.line("%s", epochText(e))
		}
		if p.console.json {
			_ = p.console.object(e)
		}
	case train.Saved:
		if p.saved == "" {
			p.line("the state of the run is saved in %s from time to time", e.Text)
		}
		p.saved = e.Text
	case train.Noted:
		p.line("%s", e.Text)
	case train.Warned:
		p.clear()
		p.console.warnf("%s", e.Text)
	}
}

func (p *progress) startBar(e train.Event) {
	if !p.console.terminal || p.console.quiet {
		return
	}
	p.bar = progressbar.NewOptions(e.Steps,
		progressbar.OptionSetWriter(p.console.err),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
}

// line writes above the bar.
func (p *progress) line(format string, args ...any) {
	p.clear()
	p.console.notef(format, args...)
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

func epochText(e train.Event) string {
	s := fmt.Sprintf("epoch %d/%d: loss %s", e.Epoch, e.Epochs, lossText(e.Loss))
	for _, term := range []struct {
		name  string
		value float64
	}{{"l1", e.L1}, {"l2", e.L2}, {"group lasso", e.Group}, {"l1-sp", e.L1SP}, {"l2-sp", e.L2SP}} {
		if term.value > 0 {
			s += fmt.Sprintf(" + %s %.4g", term.name, term.value)
		}
	}
	if e.Held != nil {
		s += ", held out: " + metricsText(*e.Held)
	}
	if e.Sparsity > 0 {
		s += fmt.Sprintf(", %s zeros", percent(e.Sparsity))
	}
	return s + fmt.Sprintf(" (%s)", e.Elapsed.Round(100*time.Millisecond))
}

func metricsText(m train.Metrics) string {
	s := "loss " + lossText(m.Loss)
	if m.Accuracy != nil {
		s += fmt.Sprintf(", accuracy %s", percent(*m.Accuracy))
	}
	return s
}

// lossText is a loss with four decimals, or where these would hide it or are out of
// place with four digits.
func lossText(v float64) string {
	if v != 0 && (v < 0.01 || v >= 1e5) {
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%.4f", v)
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
