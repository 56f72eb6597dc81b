package dataset

import (
	"testing"

	"finetune/models"
	"finetune/train/data"
)

func TestDigits(t *testing.T) {
	src := Digits(models.Rough, 5, 30)
	loader, err := data.NewLoader(src, data.LoaderOptions{Scale: 1.0 / 255})
	if err != nil {
		t.Fatal(err)
	}
	const size = models.Side * models.Side
	idx := []int{29, 3, 17}
	got := [][]float32{make([]float32, len(idx)*size)}
	labels := make([]float32, len(idx))
	if err := loader.Fill(idx, got, labels); err != nil {
		t.Fatal(err)
	}
	for at, i := range idx {
		var want [size]uint8
		label := models.Digits{Style: models.Rough, Seed: 5}.Draw(i, want[:])
		if labels[at] != float32(label) {
			t.Errorf("%s: got label %v, want %d", src.Where(i), labels[at], label)
		}
		for p, grey := range want {
			if v := got[0][at*size+p]; v != float32(float64(grey)*(1.0/255)) {
				t.Fatalf("%s: got %v at pixel %d, want %d/255", src.Where(i), v, p, grey)
			}
		}
	}

	var label [1]float32
	if err := src.Example(29, nil, label[:]); err != nil || label[0] != 9 {
		t.Errorf("the label alone: got %v, %v, want 9", label[0], err)
	}
	if src.Len() != 30 {
		t.Errorf("got %d pictures, want 30", src.Len())
	}
}

func TestThermometer(t *testing.T) {
	src := Thermometer()
	celsius, unknown := models.Thermometer()
	if src.Len() != 11 || len(celsius) != 11 || len(unknown) != 11 {
		t.Fatalf("got %d examples of %d and %d readings, want 11", src.Len(), len(celsius), len(unknown))
	}
	for i := range src.Len() {
		in, target := []float32{0}, []float32{0}
		if err := src.Example(i, [][]float32{in}, target); err != nil {
			t.Fatal(err)
		}
		if in[0] != unknown[i] || target[0] != celsius[i] {
			t.Errorf("%s: got %v for %v, want %v for %v", src.Where(i), target[0], in[0], celsius[i], unknown[i])
		}
	}
}
