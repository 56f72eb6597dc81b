package train

import (
	"context"
	"fmt"
	"math"
	"strings"

	"finetune/optim"
)

// DivergedError is a run that came to numbers that are not finite, which no
// further step can mend. Parameters of the model may hold such numbers then; the
// last checkpoint does not.
type DivergedError struct {
	What string // what is not finite: the loss, a gradient, a parameter
	Step int    // the update that was being made, from 1; 0 while measuring
	// Node and Op name the first operation that made such a number, or the
	// parameter or input that holds one; Op is empty for those.
	Node, Op string
}

// Error says what happened and where.
func (e *DivergedError) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	if e.Step > 0 {
		fmt.Fprintf(&b, " at step %d", e.Step)
	}
	switch {
	case e.Op != "":
		fmt.Fprintf(&b, ": node %q (%s) is the first to make a number that is not finite", e.Node, e.Op)
	case e.Node != "":
		fmt.Fprintf(&b, ": %q holds a number that is not finite", e.Node)
	}
	return b.String()
}

// checkFinite looks at what a pass came to.
func (n *network) checkFinite(ctx context.Context, p *pass, step int, loss float64) error {
	switch {
	case math.IsNaN(loss) || math.IsInf(loss, 0):
		return n.blame(ctx, p, &DivergedError{Step: step, What: fmt.Sprintf("the loss is %v", loss)})
	case n.training && !n.gradientsFinite():
		return n.blame(ctx, p, &DivergedError{Step: step, What: "a gradient is not finite"})
	}
	return nil
}

// blame runs the pass again to find the first operation to blame for e.
func (n *network) blame(ctx context.Context, p *pass, e *DivergedError) error {
	node, err := p.machine.FirstNonFinite(ctx)
	if err != nil {
		return err
	}
	if node != nil {
		e.Node = p.name(node)
		if node.Op() != nil {
			e.Op = node.Op().String()
		}
	}
	return e
}

func (n *network) gradientsFinite() bool {
	for _, p := range n.trainable {
		if !optim.Finite(p.Grad) {
			return false
		}
	}
	return true
}

// checkParameters finds an update that went beyond what a float32 holds.
func (r *run) checkParameters() error {
	for _, p := range r.changing {
		if (p.Trainable || p.Role == optim.Running) && !optim.Finite(p.Value) {
			return &DivergedError{What: "a parameter is not finite", Step: r.at.Step, Node: p.Name}
		}
	}
	return nil
}
