package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"finetune/bench/protocol"
	"finetune/internal/onnxpb"
)

// writeSkeleton makes the model of a job without PyTorch: the exported model is
// here without its weights, which get random values. Only our side can use it.
func writeSkeleton(_ *cache, j protocol.Job, dir string) error {
	m, err := readSkeleton(fmt.Sprintf("skeletons/%s-%d.onnx.gz", j.Model, j.Size))
	if err != nil {
		return fmt.Errorf("PyTorch is needed to make %s of size %d: %w", j.Model, j.Size, err)
	}
	random := rand.New(rand.NewPCG(1, 3))
	for _, t := range m.Graph.Initializer {
		if t.GetDataType() == int32(onnxpb.TensorProto_FLOAT) {
			t.FloatData = values(random, t.GetName(), t.Dims)
		}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, modelFile), b, 0o644)
}

func readSkeleton(name string) (*onnxpb.ModelProto, error) {
	f, err := scripts.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	m := new(onnxpb.ModelProto)
	return m, proto.Unmarshal(b, m)
}

// values starts weights as He et al., "Delving Deep into Rectifiers", 2015, do;
// scales and variances are one, and everything else of rank one is zero.
func values(random *rand.Rand, name string, shape []int64) []float32 {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	v := make([]float32, n)
	deviation, middle := 0.0, 0.0
	switch {
	case len(shape) > 1:
		deviation = math.Sqrt(2 * float64(shape[0]) / float64(n))
	case strings.HasSuffix(name, "weight") || strings.HasSuffix(name, "var"):
		middle = 1
	}
	for i := range v {
		v[i] = float32(middle + deviation*random.NormFloat64())
	}
	return v
}
