package op

import (
	"fmt"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Dropout sets each element to 0 with probability ratio, in [0, 1), and
// multiplies the others by 1/(1-ratio): the form for training. What is dropped
// follows from seed and the step of the Call alone, in the gradient as well, so
// every Dropout of a graph needs a seed of its own. With ratio 0, x itself is
// returned.
func Dropout(x *G.Node, ratio float32, seed uint64) (*G.Node, error) {
	if err := needFloat("Dropout", x); err != nil {
		return nil, err
	}
	if !(ratio >= 0 && ratio < 1) {
		return nil, fmt.Errorf("Dropout: ratio %v, want at least 0 and less than 1", ratio)
	}
	if ratio == 0 {
		return x, nil
	}
	return apply(Op{
		Name: "Dropout", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First, Diff: []bool{true},
		Run: func(c *Call) error {
			kernel.Dropout(c.Out.F, c.In[0].F, ratio, seed, c.Step)
			return nil
		},
		Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := Dropout(g, ratio, seed)
			return G.Nodes{dx}, err
		},
	}, x)
}
