package main

import "testing"

func TestLossText(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0000", 0.01: "0.0100", 2.08476: "2.0848", 99999: "99999.0000",
		3.1274e-4: "0.0003127", 1.2e-9: "1.2e-09", 123456: "1.235e+05", 1.875387e35: "1.875e+35",
	} {
		if got := lossText(v); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
}
