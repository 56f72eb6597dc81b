package dataset

import (
	"fmt"

	"finetune/models"
	"finetune/train/data"
)

// Thermometer is the eleven readings of models.Thermometer: the unknown scale is
// the input, degrees Celsius the target.
func Thermometer() data.Source {
	celsius, unknown := models.Thermometer()
	return &thermometer{celsius, unknown}
}

type thermometer struct{ celsius, unknown []float32 }

func (t *thermometer) Len() int { return len(t.celsius) }

func (t *thermometer) Inputs() []data.Field {
	return []data.Field{{Name: "t_u", Shape: []int{1}}}
}

func (t *thermometer) Target() data.Target { return data.Target{Shape: []int{1}} }

func (t *thermometer) Example(i int, in [][]float32, target []float32) error {
	if in != nil {
		in[0][0] = t.unknown[i]
	}
	if target != nil {
		target[0] = t.celsius[i]
	}
	return nil
}

func (t *thermometer) Where(i int) string { return fmt.Sprintf("thermometer reading %d", i) }
