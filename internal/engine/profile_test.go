package engine

import "testing"

func TestProfile(t *testing.T) {
	n := newNet(t)
	m := compile(t, n.bind(), n.y)
	if got := m.Profile(); got != nil {
		t.Errorf("got profile %v, want none", got)
	}
	m.StartProfile()
	run(t, m)
	run(t, m)
	calls := map[string]int{}
	for _, r := range m.Profile() {
		calls[r.Op] = r.Calls
	}
	if calls["Dense"] != 6 || calls["Tanh"] != 6 || calls["Total"] != 2 {
		t.Errorf("got calls %v, want Dense 6, Tanh 6, Total 2", calls)
	}
	for _, r := range m.Profile() {
		// The layers are 4×3 by 3×5, and twice 4×5 by 5×5.
		if flops, bytes := 2*2*(60+100+100.0), 2*4*(12+15+20+2*(20+25+20)); r.Op == "Dense" && (r.Flops != flops || r.Bytes != float64(bytes)) {
			t.Errorf("got %v operations on %v bytes, want %v on %v", r.Flops, r.Bytes, flops, bytes)
		}
	}
}
