package models

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

var styles = []Style{Clean, Rough}

// picture is one drawn digit.
func picture(d Digits, index int) []uint8 {
	pixels := make([]uint8, Side*Side)
	d.Draw(index, pixels)
	return pixels
}

func TestDrawIsRepeatable(t *testing.T) {
	for _, style := range styles {
		d := Digits{Style: style, Seed: 7}
		want := make([][]uint8, 60)
		for i := range want {
			want[i] = picture(d, i)
		}
		// Backwards, in several goroutines, over pixels that hold something else.
		var tasks sync.WaitGroup
		for i := len(want) - 1; i >= 0; i-- {
			tasks.Go(func() {
				got := bytes.Repeat([]byte{99}, Side*Side)
				if digit := d.Draw(i, got); digit != i%10 {
					t.Errorf("%v %d: got digit %d, want %d", style, i, digit, i%10)
				}
				if !bytes.Equal(got, want[i]) {
					t.Errorf("%v %d: got another picture the second time", style, i)
				}
			})
		}
		tasks.Wait()
	}
}

func TestPicturesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, style := range styles {
		for seed := range uint64(3) {
			for i := range 200 {
				name := fmt.Sprintf("%v seed %d picture %d", style, seed, i)
				pixels := string(picture(Digits{Style: style, Seed: seed}, i))
				if other, ok := seen[pixels]; ok {
					t.Errorf("%s: got the same as %s, want another", name, other)
				}
				seen[pixels] = name
			}
		}
	}
}

// A digit is ink on paper: it leaves most of the paper free, does not fall off
// its edge, and stands out from it.
func TestInk(t *testing.T) {
	for i := range 1000 {
		pixels := picture(Digits{Style: Clean, Seed: 1}, i)
		ink, border := 0, 0
		for p, grey := range pixels {
			ink += int(grey)
			if x, y := p%Side, p/Side; x == 0 || y == 0 || x == Side-1 || y == Side-1 {
				border += int(grey)
			}
		}
		if part := float64(ink) / (255 * Side * Side); part < 0.03 || part > 0.4 {
			t.Errorf("clean %d: got %.3f of the paper inked, want 0.03 to 0.4", i, part)
		}
		if border > 0 {
			t.Errorf("clean %d: got ink on the border, want none", i)
		}
	}

	dark := 0
	const n = 1000
	for i := range n {
		pixels := picture(Digits{Style: Rough, Seed: 1}, i)
		lo, hi, sum := 255, 0, 0
		for _, grey := range pixels {
			lo, hi, sum = min(lo, int(grey)), max(hi, int(grey)), sum+int(grey)
		}
		if hi-lo < 90 {
			t.Errorf("rough %d: got greys from %d to %d, want at least 90 apart", i, lo, hi)
		}
		if sum > 128*Side*Side {
			dark++
		}
	}
	if dark < n*20/100 || dark > n*30/100 {
		t.Errorf("rough: got %d of %d dark on light, want one in four", dark, n)
	}
}

func TestDrawRefusesMisuse(t *testing.T) {
	for name, draw := range map[string]func(){
		"index":  func() { Digits{}.Draw(-1, make([]uint8, Side*Side)) },
		"pixels": func() { Digits{}.Draw(0, make([]uint8, 10)) },
		"style":  func() { Digits{Style: 9}.Draw(0, make([]uint8, Side*Side)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("got no panic")
				}
			}()
			draw()
		})
	}
}

func TestFonts(t *testing.T) {
	for f, face := range typefaces() {
		for digit, o := range face {
			if len(o) < 4 {
				t.Errorf("font %d, digit %d: got an outline of %d edges", f, digit, len(o))
			}
			for _, e := range o {
				if e.to.y < -0.501 || e.to.y > 0.501 || e.to.x < -0.75 || e.to.x > 0.75 {
					t.Errorf("font %d, digit %d: got a point at %v, outside of one unit", f, digit, e.to)
				}
			}
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, style := range styles {
		b.Run(style.String(), func(b *testing.B) {
			pixels := make([]uint8, Side*Side)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				Digits{Style: style}.Draw(i, pixels)
			}
		})
	}
}
