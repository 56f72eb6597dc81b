package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/models"
)

// fixtures are the models and data that scripts ask for, by the name of the file
// or folder.
var fixtures = map[string]func(path string) error{
	"flowers.onnx": func(path string) error { return writeModel(path, flowers()) },
	"truncated.onnx": func(path string) error {
		return writeModel(path, flowers(), func(b []byte) []byte { return b[:len(b)/2] })
	},
	"noise.onnx": func(path string) error {
		random := rand.New(rand.NewPCG(6, 6))
		return writeModel(path, flowers(), func(b []byte) []byte {
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			return b
		})
	},
	"thermometer.onnx": func(path string) error { return os.WriteFile(path, models.ThermometerONNX(), 0o666) },
	"digits.onnx":      func(path string) error { return os.WriteFile(path, models.DigitsONNX(), 0o666) },
	"flowers.csv":      func(path string) error { return os.WriteFile(path, flowerTable(90, 1), 0o666) },
	"thermometer.csv":  func(path string) error { return os.WriteFile(path, thermometerTable(), 0o666) },
	"digits":           func(path string) error { return drawFolder(path, 40) },
	"digits-idx":       func(path string) error { return drawIdx(path, 80, 40, models.Side) },
	"small-idx":        func(path string) error { return drawIdx(path, 10, 10, models.Side-8) },
	"cut-idx": func(path string) error {
		return replaceInIdx(path, "train-images-idx3-ubyte", func(b []byte) []byte { return b[:5000] })
	},
	"few-labels-idx": func(path string) error {
		return replaceInIdx(path, "train-labels-idx1-ubyte", func([]byte) []byte {
			return append(idxHeader(0x801, 8), 0, 1, 2, 3, 4, 5, 6, 7)
		})
	},
	"colour": paintFolder,
}

func writeModel(path string, m *onnxpb.ModelProto, damage ...func([]byte) []byte) error {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	for _, f := range damage {
		b = f(b)
	}
	return os.WriteFile(path, b, 0o666)
}

// flowers is a network of two layers that has learned nothing: it takes four
// measures of a flower and gives a score to each of three kinds.
func flowers() *onnxpb.ModelProto {
	random := rand.New(rand.NewPCG(1, 1))
	tensor := func(name string, dims ...int64) *onnxpb.TensorProto {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		raw := []byte{}
		for range n {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(random.NormFloat64()/2)))
		}
		return &onnxpb.TensorProto{Name: &name, DataType: proto.Int32(1), Dims: dims, RawData: raw}
	}
	node := func(name, op, output string, inputs ...string) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{Name: &name, OpType: &op, Input: inputs, Output: []string{output}}
	}
	value := func(name string, size int64) *onnxpb.ValueInfoProto {
		return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1), Shape: &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{
				{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}},
				{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: size}},
			}}}}}}
	}
	return &onnxpb.ModelProto{
		IrVersion:    proto.Int64(8),
		ProducerName: proto.String("tests"),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("flowers"),
			Node: []*onnxpb.NodeProto{
				node("fc1", "Gemm", "hidden", "measures", "fc1.weight", "fc1.bias"),
				node("relu", "Relu", "active", "hidden"),
				node("fc2", "Gemm", "scores", "active", "fc2.weight", "fc2.bias"),
			},
			Initializer: []*onnxpb.TensorProto{
				tensor("fc1.weight", 4, 16), tensor("fc1.bias", 16), tensor("fc2.weight", 16, 3), tensor("fc2.bias", 3),
			},
			Input:  []*onnxpb.ValueInfoProto{value("measures", 4)},
			Output: []*onnxpb.ValueInfoProto{value("scores", 3)},
		},
	}
}

// flowerTable has n flowers of three kinds that can be told apart, in turn.
func flowerTable(n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 2))
	kinds := []string{"daisy", "iris", "tulip"}
	var b strings.Builder
	b.WriteString("petal_length,petal_width,leaf_length,leaf_width,kind\n")
	for i := range n {
		for k := range 4 {
			centre := float64((i%3*(k+1))%4) - 1.5
			fmt.Fprintf(&b, "%.3f,", centre+random.NormFloat64()/3)
		}
		b.WriteString(kinds[i%3] + "\n")
	}
	return []byte(b.String())
}

func thermometerTable() []byte {
	celsius, unknown := models.Thermometer()
	b := []byte("unknown,celsius\n")
	for i := range celsius {
		b = fmt.Appendf(b, "%v,%v\n", unknown[i], celsius[i])
	}
	return b
}

// drawFolder writes n clean digits as PNG files, a folder per digit.
func drawFolder(dir string, n int) error {
	digits := models.Digits{Style: models.Clean, Seed: 3}
	for i := range n {
		page := image.NewGray(image.Rect(0, 0, models.Side, models.Side))
		class := fmt.Sprint(digits.Draw(i, page.Pix))
		if err := writePNG(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)), page); err != nil {
			return err
		}
	}
	return nil
}

// drawIdx writes rough digits the way MNIST comes, but cut down to side by side
// pixels.
func drawIdx(dir string, training, test, side int) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	for _, half := range []struct {
		name string
		n    int
		seed uint64
	}{{"train", training, 1}, {"t10k", test, 2}} {
		digits := models.Digits{Style: models.Rough, Seed: half.seed}
		images := idxHeader(0x803, half.n, side, side)
		labels := idxHeader(0x801, half.n)
		page := make([]uint8, models.Side*models.Side)
		for i := range half.n {
			labels = append(labels, byte(digits.Draw(i, page)))
			for row := range side {
				images = append(images, page[row*models.Side:][:side]...)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, half.name+"-images-idx3-ubyte"), images, 0o666); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, half.name+"-labels-idx1-ubyte"), labels, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// replaceInIdx changes one of the files of ten digits.
func replaceInIdx(dir, name string, change func([]byte) []byte) error {
	if err := drawIdx(dir, 10, 10, models.Side); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(b), 0o666)
}

// paintFolder writes a red and a blue picture, each as its class.
func paintFolder(dir string) error {
	for name, c := range map[string]color.RGBA{"red": {R: 255, A: 255}, "blue": {B: 255, A: 255}} {
		page := image.NewRGBA(image.Rect(0, 0, 4, 4))
		draw.Draw(page, page.Rect, image.NewUniform(c), image.Point{}, draw.Src)
		if err := writePNG(filepath.Join(dir, name, "0.png"), page); err != nil {
			return err
		}
	}
	return nil
}

func writePNG(path string, page image.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, page); err != nil {
		return err
	}
	return f.Close()
}

func idxHeader(magic uint32, sizes ...int) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, n := range sizes {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}
