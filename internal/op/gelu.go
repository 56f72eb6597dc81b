package op

import (
	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
)

// Gelu is x·Φ(x), where Φ is the distribution function of the normal
// distribution.
func Gelu(x *G.Node) (*G.Node, error) {
	return pointwise("Gelu", x, ofInput, kernel.Gelu, kernel.GeluGrad)
}

// GeluTanh is x/2·(1+tanh(√(2/π)·(x + 0.044715·x³))), which comes close to Gelu.
func GeluTanh(x *G.Node) (*G.Node, error) {
	return pointwise("GeluTanh", x, ofInput, kernel.GeluTanh, kernel.GeluTanhGrad)
}

// Erf is the error function.
func Erf(x *G.Node) (*G.Node, error) {
	return pointwise("Erf", x, ofInput, kernel.Erf, kernel.ErfGrad)
}
