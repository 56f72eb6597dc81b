package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"finetune/bench/protocol"
	"finetune/train/data"
)

// The examples of a workload are random and the same each time. They lie in two
// files of float32, which both sides read.

// writeExamples makes the files of j. Token numbers are below tokens.
func writeExamples(j protocol.Job, dir string, tokens int) error {
	random := rand.New(rand.NewPCG(1, 2))
	n := j.Batches * j.Batch
	err := writeFloats(filepath.Join(dir, protocol.InputsFile), n*product(j.Input), func() float32 {
		if tokens > 0 {
			return float32(random.IntN(tokens))
		}
		return float32(random.NormFloat64())
	})
	if err != nil || j.Classes == 0 {
		return err
	}
	return writeFloats(filepath.Join(dir, protocol.LabelsFile), n*product(j.Target), func() float32 {
		return float32(random.IntN(j.Classes))
	})
}

func writeFloats(path string, n int, next func() float32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	var b [4]byte
	for range n {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(next()))
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// examples is a data.Source in memory: the batches of a job over and over again.
// While rows is set, that is which of the rows an example is.
type examples struct {
	job            protocol.Job
	len            int
	rows           []int32
	inputs, labels []float32
	read           func(i int) // told of each example that is read, if set
}

// readExamples reads what writeExamples wrote, as a source of the given number
// of batches.
func readExamples(j protocol.Job, batches int) (*examples, error) {
	e := &examples{job: j, len: batches * j.Batch}
	var err error
	if e.inputs, err = protocol.ReadFloats(j.Data, protocol.InputsFile); err != nil {
		return nil, err
	}
	e.labels, err = protocol.ReadFloats(j.Data, protocol.LabelsFile)
	return e, err
}

// follow numbers the examples so that those of a first epoch come in the order
// of the file, which is PyTorch's.
func (e *examples) follow(seed uint64) {
	e.rows = make([]int32, e.len)
	for at, i := range data.Order(e.len, seed, 0) {
		e.rows[i] = int32(at % (e.job.Batches * e.job.Batch))
	}
}

func (e *examples) Len() int { return e.len }

func (e *examples) Inputs() []data.Field {
	return []data.Field{{Name: "input", Shape: e.job.Input, Integer: e.job.Integer}}
}

func (e *examples) Target() data.Target {
	return data.Target{Labels: true, Classes: e.job.Classes, Shape: e.job.Target}
}

func (e *examples) Example(i int, in [][]float32, target []float32) error {
	if e.read != nil {
		e.read(i)
	}
	row := i % (e.job.Batches * e.job.Batch)
	if e.rows != nil {
		row = int(e.rows[i])
	}
	if in != nil && in[0] != nil {
		n := product(e.job.Input)
		copy(in[0][:n], e.inputs[row*n:])
	}
	if target != nil {
		n := product(e.job.Target)
		copy(target[:n], e.labels[row*n:])
	}
	return nil
}

func (e *examples) Where(i int) string { return fmt.Sprintf("random example %d", i) }
