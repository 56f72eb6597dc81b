package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Det is the determinant of each matrix in the last two axes of x. Its gradient
// is made of the determinants of what is left of a matrix without a row and a column,
// which serves matrices without an inverse too, and is slow beyond a few rows.
func Det(x *G.Node) (*G.Node, error) {
	if err := needFloat("Det", x); err != nil {
		return nil, err
	}
	s := x.Shape()
	r := len(s)
	if r < 2 || s[r-1] != s[r-2] {
		return nil, fmt.Errorf("Det: input %v, want square matrices", s)
	}
	n := s[r-1]
	return apply(Op{
		Name: "Det", Shape: s[:r-2], Dtype: tensor.Float32, Diff: []bool{true},
		Run: func(c *Call) error {
			for i := range c.Out.F {
				c.Out.F[i] = float32(determinant(matrixOf(c.In[0].F[i*n*n:], n)))
			}
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name: "DetGrad", Shape: in[0].Shape(), Dtype: tensor.Float32,
				Run: func(c *Call) error {
					for i, g := range c.In[1].F {
						cofactors(c.Out.F[i*n*n:(i+1)*n*n], matrixOf(c.In[0].F[i*n*n:], n), float64(g))
					}
					return nil
				},
			}, in[0], g)
			return G.Nodes{dx}, err
		},
	}, x)
}

// matrixOf is a square matrix by rows, in float64.
func matrixOf(x []float32, n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
		for j := range m[i] {
			m[i][j] = float64(x[i*n+j])
		}
	}
	return m
}

// determinant by Gaussian elimination, which overwrites m.
func determinant(m [][]float64) float64 {
	d := 1.0
	for k := range m {
		best := k
		for i := k + 1; i < len(m); i++ {
			if math.Abs(m[i][k]) > math.Abs(m[best][k]) {
				best = i
			}
		}
		if m[best][k] == 0 {
			return 0
		}
		if best != k {
			m[best], m[k], d = m[k], m[best], -d
		}
		d *= m[k][k]
		for i := k + 1; i < len(m); i++ {
			factor := m[i][k] / m[k][k]
			for j := k; j < len(m); j++ {
				m[i][j] -= factor * m[k][j]
			}
		}
	}
	return d
}

// cofactors is the derivative of the determinant by each element, the determinant
// of the matrix without its row and column, signed, times factor.
func cofactors(out []float32, m [][]float64, factor float64) {
	n := len(m)
	for i := range n {
		for j := range n {
			var minor [][]float64
			for k, row := range m {
				if k != i {
					minor = append(minor, append(append([]float64{}, row[:j]...), row[j+1:]...))
				}
			}
			sign := float64(1 - 2*((i+j)%2))
			out[i*n+j] = float32(factor * sign * determinant(minor))
		}
	}
}
