package op

import (
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

// layer makes a builder of a recurrent layer. Inputs are X, W, R and then those
// that with names, in order: b, l (lengths), h, c, p. The result is all outputs
// end to end.
func layer(s RecurrentSpec, with string) builder {
	return func(in []*G.Node) (*G.Node, error) {
		args := RecurrentInput{X: in[0], W: in[1], R: in[2]}
		for i, name := range with {
			switch n := in[3+i]; name {
			case 'b':
				args.B = n
			case 'l':
				args.Lengths = n
			case 'h':
				args.H0 = n
			case 'c':
				args.C0 = n
			case 'p':
				args.P = n
			}
		}
		out, err := Recurrent(args, s)
		if err != nil {
			return nil, err
		}
		var flat []*G.Node
		for _, n := range []*G.Node{out.Y, out.H, out.C} {
			if n == nil {
				continue
			}
			if n, err = Reshape(n, n.Shape().TotalSize()); err != nil {
				return nil, err
			}
			flat = append(flat, n)
		}
		return Concat(0, flat...)
	}
}

func spec(s RecurrentSpec) RecurrentSpec {
	s.F, s.G, s.H = SigmoidGate, TanhGate, TanhGate
	if s.Kind == RNN {
		s.F = TanhGate
	}
	return s
}

// operandsFor is small operands of a layer: 4 steps of 3 rows of 2 elements, a
// state of 2.
func operandsFor(s RecurrentSpec, with string) []leaf {
	g := s.Kind.Gates()
	leaves := []leaf{noise(1, 4, 3, 2), noise(2, 2*g, 2), noise(3, 2*g, 2)}
	for _, name := range with {
		switch name {
		case 'b':
			leaves = append(leaves, noise(4, 4*g))
		case 'l':
			leaves = append(leaves, intLeaf([]int{3}, 2, 4, 0))
		case 'h':
			leaves = append(leaves, noise(5, 3, 2))
		case 'c':
			leaves = append(leaves, noise(6, 3, 2))
		case 'p':
			leaves = append(leaves, noise(7, 6))
		}
	}
	return leaves
}

func TestRecurrentGradients(t *testing.T) {
	for _, c := range []struct {
		name string
		s    RecurrentSpec
		with string
	}{
		{"RNN", RecurrentSpec{Kind: RNN}, ""},
		{"RNN with everything", RecurrentSpec{Kind: RNN, Last: true}, "blh"},
		{"RNN in reverse", RecurrentSpec{Kind: RNN, Reverse: true, Last: true}, "blh"},
		{"GRU", RecurrentSpec{Kind: GRU}, ""},
		{"GRU with everything", RecurrentSpec{Kind: GRU, Last: true}, "blh"},
		{"GRU in reverse", RecurrentSpec{Kind: GRU, Reverse: true, Last: true}, "blh"},
		{"GRU, linear before reset", RecurrentSpec{Kind: GRU, LinearBeforeReset: true}, ""},
		{"GRU, linear before reset, with everything", RecurrentSpec{Kind: GRU, LinearBeforeReset: true, Last: true}, "blh"},
		{"GRU, linear before reset, in reverse", RecurrentSpec{Kind: GRU, LinearBeforeReset: true, Reverse: true}, "bh"},
		{"LSTM", RecurrentSpec{Kind: LSTM}, ""},
		{"LSTM with everything", RecurrentSpec{Kind: LSTM, Last: true}, "blhcp"},
		{"LSTM in reverse", RecurrentSpec{Kind: LSTM, Reverse: true, Last: true}, "blhcp"},
		{"LSTM with a cell only", RecurrentSpec{Kind: LSTM, Last: true}, "c"},
		{"LSTM with coupled gates", RecurrentSpec{Kind: LSTM, InputForget: true, Last: true}, "bhcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkGrad(t, layer(spec(c.s), c.with), operandsFor(c.s, c.with)...)
		})
	}
}

// TestRecurrentSteps holds a layer to its formula on one number.
func TestRecurrentSteps(t *testing.T) {
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	one := func(v ...float32) leaf { return floatLeaf([]int{len(v), 1}, v...) }
	x := floatLeaf([]int{2, 1, 1}, 0.5, -1)
	s := spec(RecurrentSpec{Kind: LSTM, Last: true})
	y, _ := forward(t, layer(s, ""), x, one(1, 2, 3, 4), one(0.1, 0.2, 0.3, 0.4))
	var h, c float64
	var want []float32
	for _, v := range []float64{0.5, -1} {
		i, o, f := logistic(v+0.1*h), logistic(2*v+0.2*h), logistic(3*v+0.3*h)
		c = f*c + i*math.Tanh(4*v+0.4*h)
		h = o * math.Tanh(c)
		want = append(want, float32(h))
	}
	wantFloats(t, y, append(want, float32(h), float32(c)), 1e-6)

	for _, linear := range []bool{false, true} {
		s := spec(RecurrentSpec{Kind: GRU, LinearBeforeReset: linear})
		y, _ := forward(t, layer(s, "b"), x, one(1, 2, 3), one(0.1, 0.2, 0.3), floatLeaf([]int{6}, 0, 0, 0, 0.4, 0.5, 0.6))
		h, want = 0, nil
		for _, v := range []float64{0.5, -1} {
			z, r := logistic(v+0.1*h+0.4), logistic(2*v+0.2*h+0.5)
			n := math.Tanh(3*v + 0.3*r*h + 0.6)
			if linear {
				n = math.Tanh(3*v + r*(0.3*h+0.6))
			}
			h = (1-z)*n + z*h
			want = append(want, float32(h))
		}
		wantFloats(t, y, want, 1e-6)
	}
}

// TestRecurrentLengths holds rows that end early, and rows in reverse, to the
// same rows by themselves.
func TestRecurrentLengths(t *testing.T) {
	for _, s := range []RecurrentSpec{{Kind: RNN}, {Kind: GRU}, {Kind: GRU, LinearBeforeReset: true}, {Kind: LSTM},
		{Kind: RNN, Reverse: true}, {Kind: GRU, Reverse: true}, {Kind: LSTM, Reverse: true}} {
		s = spec(s)
		s.Last = true
		with := "blh"
		if s.Kind == LSTM {
			with = "blhcp"
		}
		leaves := operandsFor(s, with)
		got, _ := forward(t, layer(s, with), leaves...)
		for row, steps := range []int{2, 4, 0} {
			if steps == 0 {
				wantFloats(t, Buffer{F: pickRow(got.F[24:30], row)}, leaves[5].data.F[row*2:row*2+2], 0)
				continue
			}
			alone := []leaf{floatLeaf([]int{steps, 1, 2}), leaves[1], leaves[2]}
			for k := range steps {
				alone[0].data.F = append(alone[0].data.F, leaves[0].data.F[(k*3+row)*2:][:2]...)
			}
			alone = append(alone, leaves[3], intLeaf([]int{1}, int64(steps)))
			for _, l := range leaves[5:] {
				if len(l.shape) == 2 {
					l = floatLeaf([]int{1, 2}, l.data.F[row*2:row*2+2]...)
				}
				alone = append(alone, l)
			}
			want, _ := forward(t, layer(s, with), alone...)
			var mine []float32
			for k := range 4 {
				r := pickRow(got.F[k*6:k*6+6], row)
				if k < steps {
					mine = append(mine, r...)
				} else if r[0] != 0 || r[1] != 0 {
					t.Errorf("row %d, step %d: got %v, want zeros", row, k, r)
				}
			}
			for at := 24; at < len(got.F); at += 6 {
				mine = append(mine, pickRow(got.F[at:at+6], row)...)
			}
			wantFloats(t, Buffer{F: mine}, want.F, 1e-6)
		}
	}
}

func pickRow(x []float32, row int) []float32 { return x[row*2 : row*2+2] }

func TestRecurrentGates(t *testing.T) {
	arctan := NewGate(math.Atan, func(y float64) float64 { return math.Cos(y) * math.Cos(y) })
	s := RecurrentSpec{Kind: LSTM, F: arctan, G: arctan, H: SigmoidGate, Last: true}
	checkGrad(t, layer(s, "bhc"), operandsFor(s, "bhc")...)
	s = RecurrentSpec{Kind: GRU, F: SigmoidGate, G: arctan}
	checkGrad(t, layer(s, "b"), operandsFor(s, "b")...)
}

func TestRecurrentErrors(t *testing.T) {
	s := spec(RecurrentSpec{Kind: GRU})
	leaves := operandsFor(s, "l")
	leaves[3] = intLeaf([]int{3}, 1, 5, 2)
	_, out, values := graphOf(t, layer(s, "l"), leaves)
	if _, err := evaluate(out, values); err == nil || !strings.Contains(err.Error(), "length 5 of row 1 is outside [0, 4]") {
		t.Errorf("got error %v, want a length out of range", err)
	}
	g := G.NewGraph()
	in := []*G.Node{Input(g, "x", G.Float32, 4, 3, 2), Input(g, "w", G.Float32, 6, 2), Input(g, "r", G.Float32, 6, 3)}
	if _, err := layer(s, "")(in); err == nil || !strings.Contains(err.Error(), "GRU: weight") {
		t.Errorf("got error %v, want one about the weight", err)
	}
}
