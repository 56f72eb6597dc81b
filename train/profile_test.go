package train

import (
	"slices"
	"testing"

	"finetune/optim"
)

func TestProfile(t *testing.T) {
	l := labelled(50, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch = 2, 20
	plain, _ := mustRun(t, convnet().model(t), l, nil, cfg)
	if plain.Profile != nil {
		t.Errorf("got profile %v, want none", plain.Profile)
	}
	cfg.Profile = true
	cfg.Clip.Norm = 1
	cfg.Optim.L1 = optim.Set(1e-5)
	result, _ := mustRun(t, convnet().model(t), l, nil, cfg)
	const steps = 6 // the last of each epoch is smaller, and another pass
	for _, want := range []struct {
		work  string
		bound bool
	}{{"Conv", true}, {"CrossEntropy", false}, {"examples", false}, {"checked", false}, {"clipped", false}, {"optimizer", false}} {
		i := slices.IndexFunc(result.Profile, func(c Cost) bool { return c.Work == want.work })
		if i < 0 {
			t.Errorf("%s is not in the profile %v", want.work, result.Profile)
			continue
		}
		if c := result.Profile[i]; c.Calls%steps != 0 || c.Calls == 0 || c.Seconds <= 0 || (c.Flops > 0) != want.bound {
			t.Errorf("got %+v, want some calls in each of %d steps, and floating-point operations: %t", c, steps, want.bound)
		}
	}
	if !slices.IsSortedFunc(result.Profile, func(a, b Cost) int {
		if a.Seconds > b.Seconds {
			return -1
		}
		return 1
	}) {
		t.Errorf("got %v, want the most costly first", result.Profile)
	}
}
