// Package dataset offers the data of package models to the training loop, as
// sources of package data.
package dataset

import (
	"fmt"
	"sync"

	"finetune/models"
	"finetune/train/data"
)

// Digits is the first n pictures of a data set of drawn digits: images of
// models.Side by models.Side pixels, 0 to 255, and labels 0 to 9. A network that
// wants values from 0 to 1, as digits.onnx does, gets them with a Scale of 1/255.
//
// It panics unless n is positive.
func Digits(style models.Style, seed uint64, n int) data.Source {
	if n <= 0 {
		panic(fmt.Sprintf("dataset: %d pictures", n))
	}
	return &digits{models.Digits{Style: style, Seed: seed}, n}
}

type digits struct {
	models.Digits
	n int
}

var pages = sync.Pool{New: func() any { return new([models.Side * models.Side]uint8) }}

func (d *digits) Len() int { return d.n }

func (d *digits) Inputs() []data.Field {
	return []data.Field{{Name: "image", Shape: []int{models.Side, models.Side, 1}, Image: true, Integer: true}}
}

func (d *digits) Target() data.Target { return data.Target{Labels: true, Classes: 10} }

func (d *digits) Example(i int, in [][]float32, target []float32) error {
	if i >= d.n {
		panic(fmt.Sprintf("dataset: picture %d of %d", i, d.n))
	}
	if in == nil {
		target[0] = float32(d.Label(i))
		return nil
	}
	page := pages.Get().(*[models.Side * models.Side]uint8)
	defer pages.Put(page)
	label := d.Draw(i, page[:])
	for p, grey := range page {
		in[0][p] = float32(grey)
	}
	if target != nil {
		target[0] = float32(label)
	}
	return nil
}

func (d *digits) Where(i int) string {
	return fmt.Sprintf("%v digits of seed %d, picture %d", d.Style, d.Seed, i)
}
