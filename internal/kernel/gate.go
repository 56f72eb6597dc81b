package kernel

// Gate is an activation function inside a recurrent cell. Its derivative is
// computed from its result.
type Gate struct {
	Of   func(out, x []float32)    // out may be x
	Grad func(out, y, g []float32) // g times the derivative where Of is y; out may be either
	name gateName
}

// gateName tells the gates that whole cells know.
type gateName int

const (
	sigmoidGate gateName = iota + 1
	tanhGate
)

// The usual gates.
var (
	SigmoidGate = Gate{Sigmoid, SigmoidGrad, sigmoidGate}
	TanhGate    = Gate{Tanh, TanhGrad, tanhGate}
	ReluGate    = Gate{Of: Relu, Grad: ReluGrad}
)

// NewGate makes a gate of a function and its derivative.
func NewGate(f func(x float64) float64, slope func(y float64) float64) Gate {
	return Gate{
		Of:   func(out, x []float32) { Map(out, x, f) },
		Grad: func(out, y, g []float32) { MapGrad(out, y, g, slope) },
	}
}
