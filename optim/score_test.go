package optim

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestScores prunes by each score what has the lowest.
func TestScores(t *testing.T) {
	for score, want := range map[Score]string{
		Magnitude: "[0 0 3 -4]",
		LAMP:      "[0 0 3 -4]",
		Movement:  "[1 -2 0 0]",
		SNIP:      "[0 -2 0 -4]",
		Wanda:     "[1 0 3 0]",
	} {
		p := weight("Gemm", false, 1, 4)
		copy(p.Value, []float32{1, -2, 3, -4})
		copy(p.Grad, []float32{9, 8, -1, 1})
		pr, err := NewPruner([]*Param{p}, Pruning{Score: score, Sparsity: Set(0.5)})
		if err != nil {
			t.Fatal(err)
		}
		if score.Calibrated() {
			copy(pr.State()[p.Name], map[Score][]float32{SNIP: {1, 5, 2, -3}, Wanda: {9, 1, 4, 0.5}}[score])
		}
		pr.Observe()
		if err := pr.Step(0); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(p.Value); got != want {
			t.Errorf("%s: got %s, want %s", score, got, want)
		}
	}
}

// TestScoresOfFrozen has no gradients to go by.
func TestScoresOfFrozen(t *testing.T) {
	for _, score := range []Score{Movement, SNIP} {
		p := weight("Gemm", false, 1, 4)
		p.Trainable, p.Grad = false, nil
		copy(p.Value, []float32{4, -2, 3, -1})
		prunedOnce(t, Pruning{Score: score, Sparsity: Settings{{Select: MustSelector("role:weight"), Value: 0.5}}}, p)
		if got, want := fmt.Sprint(p.Value), "[4 0 3 0]"; got != want {
			t.Errorf("%s: got %s, want %s", score, got, want)
		}
	}
}

// TestMovementSums holds what is remembered against the formula.
func TestMovementSums(t *testing.T) {
	p := weight("Gemm", false, 1, 2)
	pr, err := NewPruner([]*Param{p}, Pruning{Score: Movement, Sparsity: Set(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	want := [2]float64{}
	for step := range 50 {
		for i := range p.Value {
			p.Value[i], p.Grad[i] = float32(step-20)/7, float32(i*3-step)/5
			want[i] = 0.99*want[i] + math.Abs(float64(p.Value[i])*float64(p.Grad[i]))
		}
		pr.Observe()
	}
	for i, got := range pr.State()[p.Name] {
		if math.Abs(float64(got)-want[i]) > 1e-4*want[i] {
			t.Errorf("weight %d: got %g, want %g", i, got, want[i])
		}
	}
	if err := pr.Load(map[string][]float32{p.Name: {1, 2}}); err != nil || pr.State()[p.Name][1] != 2 {
		t.Errorf("got %v, %v after loading, want [1 2]", pr.State(), err)
	}
	want2 := fmt.Sprintf("score: parameter %q has 1 values, want 2", p.Name)
	if err := pr.Load(map[string][]float32{p.Name: {1}}); err == nil || err.Error() != want2 {
		t.Errorf("got error %v, want %s", err, want2)
	}
}

// TestRandomScore draws the same from the same seed, and something else from
// another.
func TestRandomScore(t *testing.T) {
	masks := map[uint64][]bool{}
	for _, seed := range []uint64{1, 2} {
		for range 2 {
			p := weight("Gemm", false, 20, 20)
			pr, err := NewPruner([]*Param{p}, Pruning{Score: Random, Seed: seed, Sparsity: Set(0.3), Ramp: Ramp{End: 3, Every: 1}})
			if err != nil {
				t.Fatal(err)
			}
			for step := range 4 {
				if err := pr.Step(step); err != nil {
					t.Fatal(err)
				}
			}
			if p.Zeros() != 120 {
				t.Errorf("got %d zeros, want 120", p.Zeros())
			}
			if masks[seed] == nil {
				masks[seed] = p.Mask
			}
			if !slices.Equal(masks[seed], p.Mask) {
				t.Errorf("seed %d: got two different masks", seed)
			}
		}
	}
	if slices.Equal(masks[1], masks[2]) {
		t.Error("got the same mask from two seeds")
	}
}
