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

func TestClosest(t *testing.T) {
	have := []string{"layer1/conv.weight", "layer2.conv.weight", "", "fc.weight", "fc.weight", "fc.bias"}
	for _, test := range []struct {
		want string
		n    int
		got  []string
	}{
		{"*fc?.weigth", 1, []string{"fc.weight"}},
		{"layer1.conv*", 2, []string{"layer1/conv.weight", "layer2.conv.weight"}},
		{"fc.weight", 9, []string{"fc.weight", "fc.bias", "layer1/conv.weight", "layer2.conv.weight"}},
	} {
		if got := Closest(test.want, have, test.n); !slices.Equal(got, test.got) {
			t.Errorf("%q: got %q, want %q", test.want, got, test.got)
		}
	}
}
