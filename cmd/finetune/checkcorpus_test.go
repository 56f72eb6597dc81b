package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/train"
)

// notTrainable is what check says of the models of the corpus that cannot be
// trained, or the error that reading them is. All others can.
var notTrainable = map[string]string{
	"mnist_quantized":                    `ConvInteger: its whole numbers have no gradient`,
	"resnet18_dynamo_external_NOWEIGHTS": `"resnet18.onnx.data" is not in the folder`,
	"rf_sklearn":                         `there is no parameter to train`,
}

// slowToCheck are models that take more than half a second; they are left out
// unless CI is set, as .ci/run does.
var slowToCheck = []string{
	"basic_pitch_tf2onnx", "dnsmos_keras2onnx", "espcn_resize", "fastestdet_shufflenetv2",
	"mobilenetv2_qdq_int8", "squeezenet_fp16", "super_resolution_opset10", "unet_opset18", "yunet_n_320",
}

// TestCheckCorpus holds what check finds out about real models.
func TestCheckCorpus(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			if os.Getenv("CI") == "" && slices.Contains(slowToCheck, name) {
				t.Skip("takes long; set CI=1 to run it")
			}
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), []string{"check", path, "--json"}, &stdout, &stderr)
			want, wantStatus := notTrainable[name], exitDone
			if want != "" {
				wantStatus = exitFailed
			}
			if status != wantStatus {
				t.Errorf("got exit status %d, want %d: %s%s", status, wantStatus, &stdout, &stderr)
			}
			var report train.Report
			if stdout.Len() > 0 {
				if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
					t.Fatal(err)
				}
			}
			said := stderr.String()
			for _, p := range report.Problems {
				said += p.Op + ": " + p.Reason + "\n"
			}
			if !strings.Contains(said, want) {
				t.Errorf("got %q, want it to say %q", said, want)
			}
			if want == "" {
				t.Logf("%d operators, gradients off by at most %.1e and %.1e altogether, loss %.4g to %.4g",
					len(report.Gradients), worstGradient(report), report.Step.Slope, report.Step.Before, report.Step.After)
			}
		})
	}
}

func worstGradient(r train.Report) float64 {
	worst := 0.0
	for _, g := range r.Gradients {
		worst = max(worst, g.Error)
	}
	return worst
}
