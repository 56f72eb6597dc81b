package onnxload

import (
	"fmt"
	"math"
	"strings"

	"finetune/internal/op"
)

// gates are the activations of all directions, from attribute activations and
// those that hold their parameters.
func (c *call) gates(def []string, directions int) ([]op.Gate, error) {
	var names []string
	for range directions {
		names = append(names, def...)
	}
	if given := c.Attrs.Strings("activations", nil); given != nil {
		if len(given) != len(names) {
			return nil, fmt.Errorf("%d activations, want %d", len(given), len(names))
		}
		names = given
	}
	alphas, betas := c.Attrs.Floats("activation_alpha", nil), c.Attrs.Floats("activation_beta", nil)
	var list []op.Gate
	for _, name := range names {
		g, err := newGate(name, &alphas, &betas)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, nil
}

// newGate makes an activation. Those with parameters take them from the front of
// the lists.
func newGate(name string, alphas, betas *[]float32) (op.Gate, error) {
	next := func(list *[]float32, def float64) float64 {
		if len(*list) == 0 {
			return def
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return float64(v)
	}
	switch strings.ToLower(name) {
	case "sigmoid":
		return op.SigmoidGate, nil
	case "tanh":
		return op.TanhGate, nil
	case "relu":
		return op.ReluGate, nil
	case "affine":
		a, b := next(alphas, 1), next(betas, 0)
		return op.NewGate(func(x float64) float64 { return a*x + b }, func(float64) float64 { return a }), nil
	case "leakyrelu":
		a := next(alphas, 0.01)
		return op.NewGate(func(x float64) float64 {
			if x < 0 {
				return a * x
			}
			return x
		}, func(y float64) float64 {
			if y < 0 {
				return a
			}
			return 1
		}), nil
	case "elu":
		a := next(alphas, 1)
		return op.NewGate(func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return a * math.Expm1(x)
		}, func(y float64) float64 {
			if y >= 0 {
				return 1
			}
			return y + a
		}), nil
	case "thresholdedrelu":
		a := next(alphas, 1)
		return op.NewGate(func(x float64) float64 {
			if x < a {
				return 0
			}
			return x
		}, func(y float64) float64 {
			if y == 0 {
				return 0
			}
			return 1
		}), nil
	case "scaledtanh":
		a, b := next(alphas, 1), next(betas, 1)
		return op.NewGate(func(x float64) float64 { return a * math.Tanh(b*x) },
			func(y float64) float64 { return b * (a - y*y/a) }), nil
	case "hardsigmoid":
		a, b := next(alphas, 0.2), next(betas, 0.5)
		return op.NewGate(func(x float64) float64 { return min(max(a*x+b, 0), 1) }, func(y float64) float64 {
			if y <= 0 || y >= 1 {
				return 0
			}
			return a
		}), nil
	case "softsign":
		return op.NewGate(func(x float64) float64 { return x / (1 + math.Abs(x)) },
			func(y float64) float64 { return (1 - math.Abs(y)) * (1 - math.Abs(y)) }), nil
	case "softplus":
		return op.NewGate(func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
			func(y float64) float64 { return -math.Expm1(-y) }), nil
	}
	return op.Gate{}, fmt.Errorf("no activation %q", name)
}
