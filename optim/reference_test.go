package optim

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The rules that PyTorch 1.13 lacks, written down from their papers in float64,
// one tensor at a time, with no thought of speed.

// pupil is a tensor under a reference rule.
type pupil struct {
	shape []int
	w     []float64
	m, v  []float64 // what the rule remembers
}

func (p *pupil) matrix() bool { return len(p.shape) > 1 }

// references change p by the gradient g at step t, from 1.
var references = map[string]func(p *pupil, g []float64, h Hyper, t float64){
	"adabelief": func(p *pupil, g []float64, h Hyper, t float64) {
		for i := range p.w {
			p.m[i] = h.Beta1*p.m[i] + (1-h.Beta1)*g[i]
			p.v[i] = h.Beta2*p.v[i] + (1-h.Beta2)*math.Pow(g[i]-p.m[i], 2) + h.Eps
			m, v := p.m[i]/(1-math.Pow(h.Beta1, t)), p.v[i]/(1-math.Pow(h.Beta2, t))
			p.w[i] -= h.LR * m / (math.Sqrt(v) + h.Eps)
		}
	},
	"lion": func(p *pupil, g []float64, h Hyper, _ float64) {
		for i := range p.w {
			p.w[i] *= 1 - h.LR*h.WeightDecay
			if c := h.Beta1*p.m[i] + (1-h.Beta1)*g[i]; c != 0 {
				p.w[i] -= h.LR * math.Copysign(1, c)
			}
			p.m[i] = h.Beta2*p.m[i] + (1-h.Beta2)*g[i]
		}
	},
	"lamb": func(p *pupil, g []float64, h Hyper, t float64) {
		r := make([]float64, len(g))
		for i := range p.w {
			p.m[i] = h.Beta1*p.m[i] + (1-h.Beta1)*g[i]
			p.v[i] = h.Beta2*p.v[i] + (1-h.Beta2)*g[i]*g[i]
			m, v := p.m[i]/(1-math.Pow(h.Beta1, t)), p.v[i]/(1-math.Pow(h.Beta2, t))
			r[i] = m/(math.Sqrt(v)+h.Eps) + h.WeightDecay*p.w[i]
		}
		ratio := 1.0
		if p.matrix() {
			ratio = length(p.w) / length(r)
		}
		for i := range p.w {
			p.w[i] -= h.LR * ratio * r[i]
		}
	},
	"lars": func(p *pupil, g []float64, h Hyper, _ float64) {
		local := 1.0
		if p.matrix() {
			local = h.Trust * length(p.w) / (length(g) + h.WeightDecay*length(p.w) + h.Eps)
		}
		for i := range p.w {
			p.m[i] = h.Momentum*p.m[i] + local*(g[i]+h.WeightDecay*p.w[i])
			p.w[i] -= h.LR * p.m[i]
		}
	},
	"adafactor": func(p *pupil, g []float64, h Hyper, t float64) {
		beta := 1 - math.Pow(t, h.Beta2Decay)
		rate := math.Max(h.Eps, length(p.w)/math.Sqrt(float64(len(p.w)))) * math.Min(h.LR, 1/math.Sqrt(t))
		v := make([]float64, len(g))
		if !p.matrix() {
			for i := range g {
				p.v[i] = beta*p.v[i] + (1-beta)*g[i]*g[i]
				v[i] = p.v[i]
			}
		} else {
			rows, columns := p.shape[len(p.shape)-2], p.shape[len(p.shape)-1]
			for lo := 0; lo < len(g); lo += rows * columns { // matrix by matrix
				g, v := g[lo:lo+rows*columns], v[lo:]
				row, column := p.m[lo:lo+rows], p.v[lo:lo+columns]
				for i := range row {
					row[i] *= beta
					for j := range columns {
						row[i] += (1 - beta) * g[i*columns+j] * g[i*columns+j] / float64(columns)
					}
				}
				for j := range column {
					column[j] *= beta
					for i := range rows {
						column[j] += (1 - beta) * g[i*columns+j] * g[i*columns+j] / float64(rows)
					}
				}
				sum := 0.0
				for _, r := range row {
					sum += r
				}
				for i := range g {
					v[i] = row[i/columns] * column[i%columns] / (sum / float64(rows))
				}
			}
		}
		u := make([]float64, len(g))
		for i := range u {
			u[i] = g[i] / math.Sqrt(v[i])
		}
		rate /= math.Max(1, length(u)/math.Sqrt(float64(len(u)))/h.ClipThreshold)
		for i := range p.w {
			p.w[i] = p.w[i]*(1-h.LR*h.WeightDecay) - rate*u[i]
		}
	},
	"muon": func(p *pupil, g []float64, h Hyper, t float64) {
		if !p.matrix() { // AdamW
			for i := range p.w {
				p.m[i] = h.Beta1*p.m[i] + (1-h.Beta1)*g[i]
				p.v[i] = h.Beta2*p.v[i] + (1-h.Beta2)*g[i]*g[i]
				m, v := p.m[i]/(1-math.Pow(h.Beta1, t)), p.v[i]/(1-math.Pow(h.Beta2, t))
				p.w[i] = p.w[i]*(1-h.LR*h.WeightDecay) - h.LR*m/(math.Sqrt(v)+h.Eps)
			}
			return
		}
		rows, columns := p.shape[0], p.shape[1]
		x := make([]float64, len(g))
		for i := range g {
			p.m[i] = h.Momentum*p.m[i] + (1-h.Momentum)*g[i]
			x[i] = p.m[i]
			if h.Nesterov == 1 {
				x[i] = h.Momentum*p.m[i] + (1-h.Momentum)*g[i]
			}
		}
		size := math.Max(length(x), 1e-7)
		for i := range x {
			x[i] /= size
		}
		for range int(h.NSSteps) {
			a := product(x, flip(x, rows, columns), rows, columns, rows)
			aa := product(a, a, rows, rows, rows)
			b := make([]float64, len(a))
			for i := range b {
				b[i] = -4.7750*a[i] + 2.0315*aa[i]
			}
			bx := product(b, x, rows, rows, columns)
			for i := range x {
				x[i] = 3.4445*x[i] + bx[i]
			}
		}
		rate := h.LR * math.Sqrt(math.Max(1, float64(rows)/float64(columns)))
		for i := range p.w {
			p.w[i] = p.w[i]*(1-h.LR*h.WeightDecay) - rate*x[i]
		}
	},
	"sophia": func(p *pupil, g []float64, h Hyper, t float64) {
		for i := range p.w {
			p.m[i] = h.Beta1*p.m[i] + (1-h.Beta1)*g[i]
			if math.Mod(t, CurvatureEvery) == 1 {
				p.v[i] = h.Beta2*p.v[i] + (1-h.Beta2)*8*g[i]*g[i]
			}
			u := p.m[i] / math.Max(h.Rho*p.v[i], h.Eps)
			p.w[i] = p.w[i]*(1-h.LR*h.WeightDecay) - h.LR*math.Max(-1, math.Min(1, u))
		}
	},
}

// TestLargeTensors follows the references over tensors of many blocks, and of
// shapes that the recorded runs do not have: higher than wide, several matrices,
// a bank of filters.
func TestLargeTensors(t *testing.T) {
	for rule, shapes := range map[string][][]int{
		"lamb": {{70, 40}}, "lars": {{40, 70}}, "adafactor": {{70, 40}, {3, 30, 40}}, "muon": {{70, 40}, {16, 4, 3, 3}},
	} {
		for _, shape := range shapes {
			n := 1
			for _, d := range shape {
				n *= d
			}
			p := one(make([]float32, n), make([]float32, n))
			p.Shape = shape
			q := &pupil{shape: shape, w: make([]float64, n), m: make([]float64, n), v: make([]float64, n)}
			if rule == "muon" {
				q.shape = []int{shape[0], n / shape[0]}
			}
			r := rand.New(rand.NewPCG(1, 2))
			for i := range p.Value {
				p.Value[i] = float32(r.NormFloat64())
				q.w[i] = float64(p.Value[i])
			}
			cfg := Default(rule)
			cfg.LR = Set(0.01)
			o := mustNew(t, []*Param{p}, cfg)
			for step := range 5 {
				g := make([]float64, n)
				for i := range g {
					noise := float32(r.NormFloat64())
					p.Grad[i], g[i] = noise+0.5*p.Value[i], float64(noise)+0.5*q.w[i]
				}
				o.Step(1)
				references[rule](q, g, o.Plans()[0].Hyper, float64(step+1))
			}
			want := make([]float32, n)
			for i, w := range q.w {
				want[i] = float32(w)
			}
			if e := relError(p.Value, want); !(e <= 1e-6) {
				t.Errorf("%s %v: largest relative error: got %.3g, want at most 1e-6", rule, shape, e)
			}
		}
	}
}

func length(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// product is that of an m by k and a k by n matrix.
func product(a, b []float64, m, k, n int) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				out[i*n+j] += a[i*k+l] * b[l*n+j]
			}
		}
	}
	return out
}

// flip is the transpose of an m by n matrix.
func flip(x []float64, m, n int) []float64 {
	out := make([]float64, len(x))
	for i := range m {
		for j := range n {
			out[j*m+i] = x[i*n+j]
		}
	}
	return out
}

// TestReferences follows the references through the noise of the recorded runs.
func TestReferences(t *testing.T) {
	type settings map[string][]string
	cases := map[string]map[string]settings{}
	for rule, c := range map[string]struct {
		lr, tenth string
		decay     bool
		off       settings
	}{
		"adabelief": {"0.01", "0.001", false, settings{"beta1": {"0.8"}, "beta2": {"0.95"}, "eps": {"1e-4"}}},
		"lion":      {"0.01", "0.001", true, settings{"beta1": {"0.8"}, "beta2": {"0.95"}}},
		"lamb":      {"0.01", "0.001", true, settings{"beta1": {"0.8"}, "beta2": {"0.95"}, "eps": {"1e-3"}}},
		"lars":      {"0.1", "0.01", true, settings{"momentum": {"0.8"}, "trust": {"0.01"}, "eps": {"1e-3"}}},
		"adafactor": {"0.02", "0.002", true, settings{"beta2-decay": {"-0.5"}, "eps": {"1e-2"}, "clip-threshold": {"0.5"}}},
		"muon":      {"0.01", "0.001", true, settings{"momentum": {"0.8"}, "nesterov": {"0"}, "ns-steps": {"3"}, "beta1": {"0.8"}, "beta2": {"0.95"}, "eps": {"1e-3"}}},
		"sophia":    {"0.01", "0.001", true, settings{"beta1": {"0.8"}, "beta2": {"0.9"}, "rho": {"0.5"}, "eps": {"1e-3"}}},
	} {
		c.off["lr"] = []string{c.lr}
		cases[rule] = map[string]settings{
			"plain":        {},
			"l2":           {"lr": {c.lr}, "l2": {"*=0.05"}},
			"l1":           {"lr": {c.lr}, "l1": {"*=0.02"}},
			"off defaults": c.off,
			"groups":       {"lr": {c.lr, "bias=" + c.tenth}},
		}
		for _, set := range cases[rule] {
			set["weight-decay"] = []string{"0"} // 1 − ηλ would be rounded
		}
		if c.decay {
			cases[rule]["decay"] = settings{"lr": {"0.015625"}, "weight-decay": {"*=0.125"}} // 1 − ηλ is a float32
		}
	}
	golden := readGolden(t)
	table := errorTable{}
	for rule, reference := range references {
		for name, set := range cases[rule] {
			t.Run(rule+" "+name, func(t *testing.T) {
				params := golden.params()
				opt := mustNew(t, params, configOf(t, rule, set))
				var pupils []*pupil
				for _, p := range params {
					n := max(len(p.Value), 8)
					q := &pupil{shape: p.Shape, m: make([]float64, n), v: make([]float64, n)}
					for _, w := range p.Value {
						q.w = append(q.w, float64(w))
					}
					pupils = append(pupils, q)
				}
				worst := 0.0
				for step := range 50 {
					golden.feed(params, step)
					if opt.NeedsCurvature() {
						for k, p := range params { // penalties as the reference has them
							h := opt.Plans()[k].Hyper
							for i, w := range p.Value {
								p.Grad[i] += float32(h.L2)*w + float32(h.L1)*sign(w)
							}
						}
						opt.Curvature(8)
						golden.feed(params, step)
					}
					opt.Step(1)
					for k, p := range params {
						q, h := pupils[k], opt.Plans()[k].Hyper
						h.LR, h.Momentum = float64(float32(h.LR)), float64(float32(h.Momentum)) // as loops have them
						g := make([]float64, len(q.w))
						want := make([]float32, len(q.w))
						for i, w := range q.w {
							g[i] = float64(golden.Noise[p.Name][step][i]) + 0.5*w + h.L2*w
							if w != 0 {
								g[i] += h.L1 * math.Copysign(1, w)
							}
						}
						reference(q, g, h, float64(step+1))
						// From step to step all is kept in float32, by any program.
						for _, kept := range [][]float64{q.w, q.m, q.v} {
							for i, v := range kept {
								kept[i] = float64(float32(v))
							}
						}
						for i, w := range q.w {
							want[i] = float32(w)
						}
						worst = max(worst, relError(p.Value, want))
					}
				}
				table.set(rule+" "+name, worst)
				if !(worst <= 1e-6) {
					t.Errorf("largest relative error: got %.3g, want at most 1e-6", worst)
				}
			})
		}
	}
	t.Logf("largest relative errors in 50 steps beside the papers in float64:\n%v", table)
}
