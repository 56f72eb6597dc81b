package nearest

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	have := []string{"epochs", "batch", "weight-decay", "conv1.weight", "conv2.weight", "fc.bias"}
	for _, c := range []struct {
		want string
		near []string
	}{
		{"epoch", []string{"epochs"}},
		{"wieght-decay", []string{"weight-decay"}},
		{"conv1.wieght", []string{"conv1.weight", "conv2.weight"}},
		{"bacth", []string{"batch"}},
		{"FC.BIAS", []string{"fc.bias"}},
		{"learning", nil},
	} {
		if got := Names(c.want, have); !slices.Equal(got, c.near) {
			t.Errorf("Names(%q): got %q, want %q", c.want, got, c.near)
		}
	}
}
