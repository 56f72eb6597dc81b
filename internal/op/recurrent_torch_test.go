package op

import (
	"encoding/json"
	"os"
	"testing"

	G "gorgonia.org/gorgonia"
)

// torchLayer is one layer that testdata/recurrent.py has recorded.
type torchLayer struct {
	X, H, C    []float32
	XGrad      []float32 `json:"x_grad"`
	HGrad      []float32 `json:"h_grad"`
	CGrad      []float32 `json:"c_grad"`
	Results    [][]float32
	Seeds      [][]float32
	Directions []struct {
		W, R, B []float32
		WGrad   []float32 `json:"w_grad"`
		RGrad   []float32 `json:"r_grad"`
		BGrad   []float32 `json:"b_grad"`
	}
}

// TestRecurrentAgainstTorch holds the outputs and all gradients of bidirectional
// layers to those of PyTorch, whose GRU is the one with the linear form before
// the reset.
func TestRecurrentAgainstTorch(t *testing.T) {
	const steps, batch, size, hidden = 5, 2, 3, 4
	b, err := os.ReadFile("testdata/recurrent.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]torchLayer
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]RecurrentSpec{"LSTM": {Kind: LSTM}, "GRU": {Kind: GRU, LinearBeforeReset: true}} {
		t.Run(name, func(t *testing.T) {
			rec, g := recorded[name], c.Kind.Gates()
			s := spec(c)
			s.Last = true
			leaves := []leaf{floatLeaf([]int{steps, batch, size}, rec.X...), floatLeaf([]int{2, batch, hidden}, rec.H...)}
			want := [][]float32{rec.XGrad, rec.HGrad}
			for _, d := range rec.Directions {
				leaves = append(leaves, floatLeaf([]int{g * hidden, size}, d.W...),
					floatLeaf([]int{g * hidden, hidden}, d.R...), floatLeaf([]int{2 * g * hidden}, d.B...))
				want = append(want, d.WGrad, d.RGrad, d.BGrad)
			}
			if s.Kind == LSTM {
				leaves, want = append(leaves, floatLeaf([]int{2, batch, hidden}, rec.C...)), append(want, rec.CGrad)
			}
			var results []*G.Node // as PyTorch lays them out
			build := func(in []*G.Node) (*G.Node, error) {
				var err error
				if results, err = bidirectional(in, s); err != nil {
					return nil, err
				}
				return weightedSum(results, rec.Seeds, in[0].Graph())
			}
			in, out, values := graphOf(t, build, leaves)
			for i, seed := range rec.Seeds {
				values[out.Graph().ByName(seedName(i))[0]] = Buffer{F: seed}
			}
			one := Input(out.Graph(), "one", G.Float32)
			values[one] = Buffer{F: []float32{1}}
			for i, r := range results {
				got, err := evaluate(r, values)
				if err != nil {
					t.Fatal(err)
				}
				wantFloats(t, got, rec.Results[i], 1e-6)
			}
			for i, grad := range backprop(t, in, out, one) {
				got, err := evaluate(grad, values)
				if err != nil {
					t.Fatal(err)
				}
				wantFloats(t, got, want[i], 2e-6)
			}
		})
	}
}

// bidirectional is a layer in both directions: the states of both end to end,
// and their last ones.
func bidirectional(in []*G.Node, s RecurrentSpec) ([]*G.Node, error) {
	half := func(x *G.Node, d int) (*G.Node, error) {
		shape := x.Shape()
		part, err := Slice(x, []int{d, 0, 0}, []int{d + 1, shape[1], shape[2]}, nil)
		if err != nil {
			return nil, err
		}
		return Reshape(part, shape[1:]...)
	}
	var y, h, c []*G.Node
	for d := range 2 {
		args := RecurrentInput{X: in[0], W: in[2+3*d], R: in[3+3*d], B: in[4+3*d]}
		var err error
		if args.H0, err = half(in[1], d); err != nil {
			return nil, err
		}
		if s.Kind == LSTM {
			if args.C0, err = half(in[8], d); err != nil {
				return nil, err
			}
		}
		s.Reverse = d == 1
		out, err := Recurrent(args, s)
		if err != nil {
			return nil, err
		}
		y, h, c = append(y, out.Y), append(h, out.H), append(c, out.C)
	}
	var results []*G.Node
	for i, parts := range [][]*G.Node{y, h, c} {
		if parts[0] == nil {
			continue
		}
		n, err := Concat([]int{2, 0, 0}[i], parts...)
		if err != nil {
			return nil, err
		}
		results = append(results, n)
	}
	return results, nil
}

func seedName(i int) string { return string(rune('a'+i)) + " seed" }

// weightedSum is the sum of all results, each element times that of its seed.
func weightedSum(results []*G.Node, seeds [][]float32, g *G.ExprGraph) (*G.Node, error) {
	var terms []*G.Node
	for i, r := range results {
		n, err := Reshape(r, r.Shape().TotalSize())
		if err != nil {
			return nil, err
		}
		if n, err = Mul(n, Input(g, seedName(i), G.Float32, len(seeds[i]))); err != nil {
			return nil, err
		}
		if n, err = ReduceSum(n, nil, false); err != nil {
			return nil, err
		}
		terms = append(terms, n)
	}
	return Sum(terms...)
}
