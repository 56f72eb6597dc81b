package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

var helpVerb = verb{
	name:  "help",
	args:  "[VERB or TOPIC]",
	short: "say how a verb is used",
	make:  func() command { return helpCommand{} },
}

type helpCommand struct{}

func (helpCommand) addFlags(*pflag.FlagSet) {}

func (helpCommand) run(_ context.Context, c *console, args []string) error {
	switch len(args) {
	case 0:
		c.printf("%s", overview())
		return nil
	case 1:
		if topic, ok := topics[args[0]]; ok {
			c.printf("%s", topic())
			return nil
		}
		v, err := findVerb(args[0])
		if err != nil {
			return noHelp(args[0])
		}
		c.printf("%s", verbHelp(v))
		return nil
	default:
		return &usageError{what: "help takes one verb or topic"}
	}
}

// topics are pages that are of no verb.
var topics = map[string]func() string{
	"selectors":  func() string { return selectorHelp },
	"optimizers": optimizerHelp,
	"schedules":  func() string { return scheduleHelp },
	"pruning":    func() string { return pruningHelp },
}

// noHelp is the error for a page that is not there.
func noHelp(name string) error {
	pages := slices.Sorted(maps.Keys(topics))
	for _, v := range verbs() {
		pages = append(pages, v.name)
	}
	e := &usageError{what: fmt.Sprintf("there is no help for %q", name), hints: didYouMean(name, pages)}
	e.hints = append(e.hints, "there is help for "+strings.Join(pages, ", "))
	return e
}

// overview is the front page.
func overview() string {
	var b strings.Builder
	b.WriteString(`finetune takes an ONNX model, fine-tunes it on your data, makes it sparse, and
writes ONNX back.

Usage: finetune VERB [arguments] [flags]

`)
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %-8s %s\n", v.name, v.short)
	}
	b.WriteString(`
Try it:
  finetune demo
  finetune inspect model.onnx
  finetune train model.onnx --data photos/ --l1 1e-5 --sparsity 0.9 -o small.onnx

` + "`finetune help VERB`" + ` tells more, ` + "`finetune help selectors`" + ` how parameters are
chosen, ` + "`finetune help optimizers`" + ` and ` + "`finetune help schedules`" + ` how they
are trained, ` + "`finetune help pruning`" + ` what becomes zero.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted with a checkpoint
saved.
`)
	return b.String()
}

// verbHelp is the page of one verb.
func verbHelp(v verb) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace("Usage: finetune "+v.name+" "+v.args) + "\n\n")
	if v.long != "" {
		b.WriteString(strings.TrimSpace(v.long) + "\n\n")
	} else {
		fmt.Fprintf(&b, "%s%s.\n\n", strings.ToUpper(v.short[:1]), v.short[1:])
	}
	flags := newFlagSet(v, v.make())
	new(console).addFlags(flags)
	usages := flagUsages(flags)
	if strings.Contains(usages, " VALUE") {
		b.WriteString("A VALUE is a number for all, or SELECTOR=NUMBER for those parameters that the\n" +
			"SELECTOR matches, as often as needed: see `finetune help selectors`. @SCHEDULE\n" +
			"may follow, as in 1e-4@cosine: see `finetune help schedules`.\n\n")
	}
	b.WriteString(strings.TrimPrefix(usages, "\n"))
	return b.String()
}

const selectorHelp = `Selectors choose parameters: in --train and --freeze, and before the "=" of each
flag that takes a VALUE, such as --lr, --l1, --weight-decay and --sparsity.

  features.*.weight    a glob on the name; * stands for any characters
  name:GLOB            the same, said aloud
  re:REGEXP            a regular expression on the name
  role:weight          what the parameter is for: weight, bias, scale, shift,
                       running, embedding, recurrent, constant
  op:Conv              the operator that reads it
  rank:4               its number of axes; also rank:>1 and rank:<2
  layer:fc*            a glob on the name of the node that reads it

Parts joined by a comma mean any of them; a part that starts with ! is taken
out: "role:weight,!layer:fc*" is every weight but those of layers fc….

Values are given as VALUE, or SELECTOR=VALUE, as often as needed; the last that
matches a parameter wins:

  --l1 1e-5 --l1 'layer:fc*=1e-4'    fc… gets 1e-4, other weights 1e-5

--l1, --l2, --weight-decay, --sparsity and --prune-threshold are for weights:
nothing of one axis, no bias, no normalisation, no embedding. A selector chooses
among the weights, and layer:fc* leaves the biases of these layers alone; a role
or a whole name reaches others too, and * everything: role:bias=1e-4,
fc1.bias=1e-4, *=1e-4. A selector that matches nothing is an error.

` + "`finetune params MODEL --why`" + ` shows what flags do to each parameter, and why.
`
