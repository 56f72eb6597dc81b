package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CrossEntropy is the mean over rows of log Σexp(row) - row[label], a scalar,
// for logits of shape (N, C) and int64 labels of shape (N): the negative log
// likelihood of the labels under Softmax. The sum is accumulated in float64. A
// label outside [0, C) is an error when the graph runs.
func CrossEntropy(logits, labels *G.Node) (*G.Node, error) {
	if err := needFloat("CrossEntropy", logits); err != nil {
		return nil, err
	}
	if labels.Dtype() != tensor.Int64 {
		return nil, fmt.Errorf("CrossEntropy: labels are %v, want int64", labels.Dtype())
	}
	s := logits.Shape()
	if len(s) != 2 || labels.Dims() != 1 || labels.Shape()[0] != s[0] || s.TotalSize() == 0 {
		return nil, fmt.Errorf("CrossEntropy: logits %v and labels %v, want (N, C) and (N)", s, labels.Shape())
	}
	n, classes := s[0], s[1]
	return apply(Op{
		Name: "CrossEntropy", Shape: tensor.Shape{}, Dtype: tensor.Float32, Diff: []bool{true, false},
		Run: func(c *Call) error {
			if err := checkLabels(c.In[1].I, classes); err != nil {
				return err
			}
			c.Out.F[0] = float32(kernel.CrossEntropy(c.In[0].F, c.In[1].I, n, classes) / float64(n))
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := crossEntropyGrad(in[0], in[1], g)
			return G.Nodes{dx, nil}, err
		},
	}, logits, labels)
}

func crossEntropyGrad(logits, labels, g *G.Node) (*G.Node, error) {
	n, classes := logits.Shape()[0], logits.Shape()[1]
	return apply(Op{
		Name: "CrossEntropyGrad", Shape: logits.Shape(), Dtype: tensor.Float32, InPlace: First,
		Run: func(c *Call) error {
			if err := checkLabels(c.In[1].I, classes); err != nil {
				return err
			}
			kernel.CrossEntropyGrad(c.Out.F, c.In[0].F, c.In[1].I, n, classes, c.In[2].F[0]/float32(n))
			return nil
		},
	}, logits, labels, g)
}

func checkLabels(labels []int64, classes int) error {
	if i := kernel.OutOfRange(labels, 0, int64(classes)); i >= 0 {
		return fmt.Errorf("label %d of row %d is outside [0, %d]", labels[i], i, classes-1)
	}
	return nil
}

// MSE is the mean of (y - target)² over all elements, a scalar. The sum is
// accumulated in float64.
func MSE(y, target *G.Node) (*G.Node, error) {
	if err := needFloat("MSE", y, target); err != nil {
		return nil, err
	}
	if !slices.Equal(y.Shape(), target.Shape()) {
		return nil, fmt.Errorf("MSE: shapes %v and %v differ", y.Shape(), target.Shape())
	}
	n := y.Shape().TotalSize()
	if n == 0 {
		return nil, fmt.Errorf("MSE: no elements in shape %v", y.Shape())
	}
	return apply(Op{
		Name: "MSE", Shape: tensor.Shape{}, Dtype: tensor.Float32, Diff: []bool{true, true},
		Run: func(c *Call) error {
			c.Out.F[0] = float32(kernel.SquaredError(c.In[0].F, c.In[1].F) / float64(n))
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dy, err := mseGrad(in[0], in[1], g)
			if err != nil {
				return nil, err
			}
			dt, err := mseGrad(in[1], in[0], g)
			return G.Nodes{dy, dt}, err
		},
	}, y, target)
}

// mseGrad is the gradient of MSE with respect to a.
func mseGrad(a, b, g *G.Node) (*G.Node, error) {
	factor := float32(2 / float64(a.Shape().TotalSize()))
	return apply(Op{
		Name: "MSEGrad", Shape: a.Shape(), Dtype: tensor.Float32, InPlace: First,
		Run: func(c *Call) error {
			kernel.SquaredErrorGrad(c.Out.F, c.In[0].F, c.In[1].F, factor*c.In[2].F[0])
			return nil
		},
	}, a, b, g)
}
