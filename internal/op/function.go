package op

import (
	"math"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Function is a function of one number, for Map to apply to each element. It is
// computed in float64. NaN stays NaN.
type Function struct {
	name string
	of   func(x float64) float64

	// slope is the derivative, computed from the argument or from the result, as
	// fromInput says. Without one no gradient flows: it is 0 wherever it exists.
	slope     func(v float64) float64
	fromInput bool

	ints func(x int64) int64 // the function for int64, if there is one

	// Kernels for the functions that have them.
	run  func(out, x []float32)
	grad func(out, from, g []float32)
}

// Map is f of each element of x.
func Map(f Function, x *G.Node) (*G.Node, error) {
	if x.Dtype() == tensor.Int64 && f.ints != nil {
		return mapInts(f.name, x, f.ints)
	}
	if err := needFloat(f.name, x); err != nil {
		return nil, err
	}
	run, grad := f.run, f.grad
	if run == nil {
		run = func(out, x []float32) { kernel.Map(out, x, f.of) }
	}
	if f.slope != nil {
		grad = func(out, from, g []float32) { kernel.MapGrad(out, from, g, f.slope) }
	}
	if grad == nil {
		return apply(Op{
			Name: f.name, Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First,
			Run: func(c *Call) error {
				run(c.Out.F, c.In[0].F)
				return nil
			},
		}, x)
	}
	return pointwise(f.name, x, f.fromInput, run, grad)
}

// Functions without parameters. Abs, Neg and Sign are for int64 as well.
var (
	Abs        = Function{name: "Abs", of: math.Abs, slope: sign, fromInput: true, ints: func(x int64) int64 { return max(x, -x) }}
	Neg        = Function{name: "Neg", of: func(x float64) float64 { return -x }, slope: func(float64) float64 { return -1 }, ints: func(x int64) int64 { return -x }}
	Sign       = Function{name: "Sign", of: sign, ints: func(x int64) int64 { return int64(sign(float64(x))) }}
	Floor      = Function{name: "Floor", of: math.Floor}
	Ceil       = Function{name: "Ceil", of: math.Ceil}
	Round      = Function{name: "Round", of: math.RoundToEven} // halves to the even neighbour
	Sqrt       = Function{name: "Sqrt", of: math.Sqrt, slope: func(y float64) float64 { return 0.5 / y }}
	Reciprocal = Function{name: "Reciprocal", of: func(x float64) float64 { return 1 / x }, slope: func(y float64) float64 { return -y * y }}

	Exp = Function{name: "Exp", run: kernel.Exp, grad: kernel.ExpGrad}
	Log = Function{name: "Log", of: math.Log, slope: func(x float64) float64 { return 1 / x }, fromInput: true}

	Sin  = Function{name: "Sin", of: math.Sin, slope: math.Cos, fromInput: true}
	Cos  = Function{name: "Cos", of: math.Cos, slope: func(x float64) float64 { return -math.Sin(x) }, fromInput: true}
	Tan  = Function{name: "Tan", of: math.Tan, slope: func(y float64) float64 { return 1 + y*y }}
	Asin = Function{name: "Asin", of: math.Asin, slope: func(x float64) float64 { return 1 / math.Sqrt(1-x*x) }, fromInput: true}
	Acos = Function{name: "Acos", of: math.Acos, slope: func(x float64) float64 { return -1 / math.Sqrt(1-x*x) }, fromInput: true}
	Atan = Function{name: "Atan", of: math.Atan, slope: func(x float64) float64 { return 1 / (1 + x*x) }, fromInput: true}

	Sinh  = Function{name: "Sinh", of: math.Sinh, slope: math.Cosh, fromInput: true}
	Cosh  = Function{name: "Cosh", of: math.Cosh, slope: math.Sinh, fromInput: true}
	Asinh = Function{name: "Asinh", of: math.Asinh, slope: func(x float64) float64 { return 1 / math.Sqrt(x*x+1) }, fromInput: true}
	Acosh = Function{name: "Acosh", of: math.Acosh, slope: func(x float64) float64 { return 1 / math.Sqrt(x*x-1) }, fromInput: true}
	Atanh = Function{name: "Atanh", of: math.Atanh, slope: func(x float64) float64 { return 1 / (1 - x*x) }, fromInput: true}

	Softplus = Function{name: "Softplus", of: softplus, slope: func(y float64) float64 { return -math.Expm1(-y) }}
	Softsign = Function{name: "Softsign", of: func(x float64) float64 { return x / (1 + math.Abs(x)) },
		slope: func(y float64) float64 { return (1 - math.Abs(y)) * (1 - math.Abs(y)) }}
	Mish = Function{name: "Mish", of: func(x float64) float64 { return x * math.Tanh(softplus(x)) }, slope: mishSlope, fromInput: true}
)

// Elu is x where x > 0, otherwise alpha·(exp(x) - 1).
func Elu(alpha float64) Function { return selu("Elu", alpha, 1, 1) }

// Selu is gamma times Elu.
func Selu(alpha, gamma float64) Function { return selu("Selu", alpha, gamma, 1) }

// Celu is x where x > 0, otherwise alpha·(exp(x/alpha) - 1).
func Celu(alpha float64) Function { return selu("Celu", alpha, 1, alpha) }

// selu is gamma·x where x > 0, otherwise gamma·alpha·(exp(x/width) - 1).
func selu(name string, alpha, gamma, width float64) Function {
	return Function{
		name: name,
		of: func(x float64) float64 {
			if x > 0 {
				return gamma * x
			}
			return gamma * alpha * math.Expm1(x/width)
		},
		slope: func(x float64) float64 {
			if x > 0 {
				return gamma
			}
			return gamma * alpha / width * math.Exp(x/width)
		},
		fromInput: true,
	}
}

// Swish is x/(1 + exp(-alpha·x)).
func Swish(alpha float64) Function {
	return Function{
		name: "Swish",
		of:   func(x float64) float64 { return x * logistic(alpha*x) },
		slope: func(x float64) float64 {
			s := logistic(alpha * x)
			return s + alpha*x*s*(1-s)
		},
		fromInput: true,
	}
}

// HardSigmoid is alpha·x + beta, held to [0, 1].
func HardSigmoid(alpha, beta float64) Function {
	return Function{
		name: "HardSigmoid",
		of:   func(x float64) float64 { return min(max(alpha*x+beta, 0), 1) },
		slope: func(x float64) float64 {
			if v := alpha*x + beta; v < 0 || v > 1 {
				return 0
			}
			return alpha
		},
		fromInput: true,
	}
}

// HardSwish is x·HardSigmoid(1/6, 1/2).
var HardSwish = Function{
	name: "HardSwish",
	of:   func(x float64) float64 { return x * min(max(x/6+0.5, 0), 1) },
	slope: func(x float64) float64 {
		switch {
		case x < -3:
			return 0
		case x > 3:
			return 1
		}
		return x/3 + 0.5
	},
	fromInput: true,
}

// ThresholdedRelu is x where x > alpha, otherwise 0.
func ThresholdedRelu(alpha float64) Function {
	return Function{
		name: "ThresholdedRelu",
		of: func(x float64) float64 {
			if x <= alpha {
				return 0
			}
			return x
		},
		slope: func(x float64) float64 {
			if x <= alpha {
				return 0
			}
			return 1
		},
		fromInput: true,
	}
}

// Shrink is x + bias where x < -lambd, x - bias where x > lambd, otherwise 0.
func Shrink(lambd, bias float64) Function {
	return Function{
		name: "Shrink",
		of: func(x float64) float64 {
			switch {
			case x < -lambd:
				return x + bias
			case x > lambd:
				return x - bias
			case math.IsNaN(x):
				return x
			}
			return 0
		},
		slope: func(x float64) float64 {
			if x < -lambd || x > lambd {
				return 1
			}
			return 0
		},
		fromInput: true,
	}
}

// Rounding is a function that makes numbers coarser. No gradient flows through
// it.
func Rounding(f func(x float64) float64) Function { return Function{name: "Rounding", of: f} }

// Straight is a function that makes numbers coarser, through which gradients flow
// as if it were not there (Bengio et al., Estimating or Propagating Gradients
// Through Stochastic Neurons, 2013).
func Straight(f func(x float64) float64) Function {
	return Function{name: "Straight", of: f, slope: func(float64) float64 { return 1 }}
}

// Saturate is x held to [low, high]. Other than that of Clip, its gradient passes
// at the limits, where rounded numbers often are.
func Saturate(low, high float64) Function {
	return Function{
		name: "Saturate",
		of:   func(x float64) float64 { return min(max(x, low), high) },
		slope: func(x float64) float64 {
			if x < low || x > high {
				return 0
			}
			return 1
		},
		fromInput: true,
	}
}

// sign is -1, 0 or 1; NaN stays.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0, or NaN
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1 + exp(x)), without overflow.
func softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}

// mishSlope: with t = tanh(softplus(x)), the derivative is t + x·(1-t²)·logistic(x).
func mishSlope(x float64) float64 {
	t := math.Tanh(softplus(x))
	return t + x*(1-t*t)*logistic(x)
}
