package kernel

import (
	"strings"
	"testing"
)

// eachISA runs a test once for each table that this processor supports.
func eachISA(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, isa := range tables() {
		t.Run(isa.name, func(t *testing.T) {
			useTable(t, isa)
			f(t)
		})
	}
}

// benchISA runs a benchmark once for each table that this processor supports.
func benchISA(b *testing.B, f func(b *testing.B)) {
	for _, isa := range tables() {
		b.Run(isa.name, func(b *testing.B) {
			useTable(b, isa)
			f(b)
		})
	}
}

// useTable makes a table the active one for the rest of a test.
func useTable(tb testing.TB, isa *table) {
	old := active
	active = isa
	tb.Cleanup(func() { active = old })
}

func TestChoose(t *testing.T) {
	low, high := &table{name: "low"}, &table{name: "high"}
	for name, want := range map[string]*table{"": high, "low": low, "high": high} {
		if got, err := choose(name, []*table{low, high}); got != want || err != nil {
			t.Errorf("choose(%q): got %v, %v, want %v", name, got.name, err, want.name)
		}
	}
	got, err := choose("higher", []*table{low, high})
	if got != high || err == nil || !strings.Contains(err.Error(), "low, high") {
		t.Errorf(`choose("higher"): got %v, %v, want high and an error that names what there is`, got.name, err)
	}
}

func TestPeak(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		if got := Peak(); !(got > 1e6) {
			t.Errorf("got %v operations a second, want more than a million", got)
		}
	})
}
