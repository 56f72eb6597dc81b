package onnxload

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/optim"
)

// Nodes and parameters by role of the real models in the corpus, as counted by
// reading the tables.
var modelRoles = map[string]string{
	"acasxu_1_1_matlab":            "22 nodes, 7 weight, 7 bias, 1 constant",
	"activations_dynamo_torch211":  "21 nodes, 10 weight, 10 bias, 1 constant",
	"audio_genre_mlp_keras2onnx":   "13 nodes, 4 weight, 4 bias",
	"basic_pitch_tf2onnx":          "248 nodes, 9 weight, 8 bias, 1 scale, 6 constant",
	"bert_toy_torch11":             "310 nodes, 33 weight, 34 bias, 12 scale, 12 shift, 3 embedding, 50 constant",
	"cifar_cnn_wide_kw":            "13 nodes, 4 weight, 4 bias",
	"cifar_cnn_winml":              "11 nodes, 5 weight, 5 bias",
	"dnsmos_keras2onnx":            "25 nodes, 8 weight, 8 bias",
	"dtln_lstm_1":                  "36 nodes, 3 weight, 3 bias, 2 recurrent",
	"espcn_depthtospace":           "8 nodes, 4 weight, 3 bias",
	"espcn_resize":                 "10 nodes, 4 weight, 3 bias, 2 constant",
	"fastestdet_shufflenetv2":      "211 nodes, 70 weight, 70 bias, 2 constant",
	"gru_ndm":                      "16 nodes, 4 weight, 4 bias, 1 recurrent",
	"gtcrn_gru_denoise":            "415 nodes, 48 weight, 46 bias, 30 scale, 15 shift, 22 running, 14 recurrent, 4 constant",
	"iris_mlp_torch23":             "4 nodes, 2 weight, 2 bias",
	"kws_micro_tf2onnx":            "21 nodes, 6 weight, 6 bias",
	"lstm_bidi_tagger":             "23 nodes, 3 weight, 3 bias, 1 embedding, 2 recurrent",
	"mlp_tiny_gonnx":               "3 nodes, 2 weight, 2 bias",
	"mnist-12":                     "12 nodes, 3 weight, 3 bias",
	"mnist-8":                      "12 nodes, 3 weight, 3 bias",
	"mnist_cnn_bn_torch20":         "13 nodes, 5 weight, 5 bias, 2 scale, 2 shift, 4 running",
	"mnist_cnn_torch11":            "12 nodes, 4 weight, 4 bias",
	"mnist_logreg_skl2onnx":        "4 nodes, 1 weight, 1 bias",
	"mnist_quantized":              "25 nodes, 3 bias, 7 constant",
	"mnist_self_attention_tf2onnx": "50 nodes, 6 weight, 6 bias, 1 constant",
	"mobilenetv2_qdq_int8":         "724 nodes, 53 weight, 53 bias, 170 constant",
	"rf_sklearn":                   "3 nodes",
	"silero_vad_16k_op15":          "72 nodes, 7 weight, 7 bias, 1 recurrent, 2 constant",
	"sine_mlp_keras2onnx":          "8 nodes, 3 weight, 3 bias",
	"speech_embedding_tf2onnx":     "68 nodes, 20 weight, 18 bias, 1 scale, 1 shift, 2 running, 1 constant",
	"squeezenet_fp16":              "66 nodes, 26 weight, 26 bias",
	"super_resolution_opset10":     "10 nodes, 4 weight, 4 bias",
	"transformer_ranker_torch18":   "155 nodes, 8 weight, 8 bias, 4 scale, 4 shift, 1 embedding, 10 constant",
	"ultraface_rfb320_bn":          "193 nodes, 52 weight, 17 bias, 35 scale, 35 shift, 70 running",
	"unet_opset18":                 "27 nodes, 13 weight, 13 bias",
	"yunet_n_320":                  "115 nodes, 59 weight, 59 bias, 3 constant",
}

func TestRealModels(t *testing.T) {
	dir := corpus.Path(t, "models")
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		if name == "resnet18_dynamo_external_NOWEIGHTS" {
			_, err := Open(path)
			for _, want := range []string{path, `initializer "fc.bias"`, `"resnet18.onnx.data" is not in the folder "` + dir + `"`} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got error %v, want it to say %s", name, err, want)
				}
			}
			continue
		}
		seen++
		m, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		checkModel(t, m)
		if got := describeRoles(m); got != modelRoles[name] {
			t.Errorf("%s: got %s, want %s", name, got, modelRoles[name])
		}
	}
	if seen != len(modelRoles) {
		t.Errorf("got %d models, want %d", seen, len(modelRoles))
	}
}

func describeRoles(m *Model) string {
	count := make(map[optim.Role]int)
	for _, p := range m.Params {
		count[p.Role]++
	}
	list := []string{fmt.Sprint(len(m.Nodes), " nodes")}
	for _, role := range optim.Roles {
		if count[role] > 0 {
			list = append(list, fmt.Sprint(count[role], " ", role))
		}
	}
	return strings.Join(list, ", ")
}

// Every model of ONNX's own tests is valid.
func TestBackendModels(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(corpus.Path(t, "onnx-backend"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".onnx" {
			return err
		}
		seen++
		m, err := Open(path)
		if err != nil {
			t.Error(err)
			return nil
		}
		checkModel(t, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 1900 {
		t.Errorf("got %d models, want all 1942 or so", seen)
	}
}

// checkModel holds a model to what its documentation promises.
func checkModel(t *testing.T, m *Model) {
	t.Helper()
	known := make(map[string]bool)
	for name, tensor := range m.Tensors {
		known[name] = true
		size := 1
		for _, d := range tensor.Shape {
			size *= d
		}
		if tensor.Name != name || tensor.F != nil && len(tensor.F) != size || tensor.I != nil && len(tensor.I) != size || tensor.F != nil && tensor.I != nil {
			t.Errorf("%s: tensor %q is called %q and has %d floats and %d integers for shape %v", m.Path, name, tensor.Name, len(tensor.F), len(tensor.I), tensor.Shape)
		}
	}
	for _, in := range m.Inputs {
		if known[in.Name] {
			t.Errorf("%s: input %q is an initializer", m.Path, in.Name)
		}
		known[in.Name] = true
	}
	for _, n := range m.Nodes {
		for _, name := range slices.Concat(n.Inputs, n.Captures) {
			if name != "" && !known[name] {
				t.Errorf("%s: node %q reads %q before it is made", m.Path, n.Name, name)
			}
		}
		for _, name := range n.Outputs {
			known[name] = true
		}
	}
	for _, p := range m.Params {
		if tensor := m.Tensors[p.Name]; tensor == nil || len(p.Value) != len(tensor.F)+len(tensor.I) || p.Op == "" || p.Layer == "" || p.Grad != nil {
			t.Errorf("%s: got parameter %+v, want the elements of its tensor, a reader, and no gradient", m.Path, *p)
		}
	}
}

// FuzzParse: whatever the bytes, there is a sound model or a FormatError.
func FuzzParse(f *testing.F) {
	f.Add(marshal(f, sample()))
	branch := sample()
	branch.Graph.Node[2] = with(apply("If", "a", "→", "y"), graphAttr("then_branch", sample().Graph))
	f.Add(marshal(f, branch))
	loop := sample()
	loop.Graph.Node[0].Input[0] = "a"
	f.Add(marshal(f, loop))
	constants := sample()
	constants.Graph.Node = append(constants.Graph.Node, with(apply("Constant", "→", "k"), tensorAttr("value", floats("", []int64{2}))))
	constants.Graph.Initializer = append(constants.Graph.Initializer, outside("outside", 3, "location", "weights.bin", "offset", "8"))
	f.Add(marshal(f, constants))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b, "")
		if err != nil {
			if _, ok := errors.AsType[*FormatError](err); !ok {
				t.Fatalf("got %v of type %T, want a FormatError", err, err)
			}
			return
		}
		checkModel(t, m)
	})
}
