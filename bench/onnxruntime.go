package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"finetune/bench/protocol"
)

// onnxRuntime is ONNX Runtime for Node.js, as it was found.
type onnxRuntime struct {
	modules string // the folder node_modules it is in
	version string
}

// findONNXRuntime looks where .ci/onnxruntime installs it, and in NODE_PATH.
func findONNXRuntime() (*onnxRuntime, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return nil, errors.New("no node to run ONNX Runtime in: evaluation is compared with PyTorch only")
	}
	dirs := filepath.SplitList(os.Getenv("NODE_PATH"))
	if base, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(base, "finetune-onnxruntime", "node_modules"))
	}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "onnxruntime-node", "package.json"))
		if err != nil {
			continue
		}
		var about struct{ Version string }
		if err := json.Unmarshal(text, &about); err == nil {
			return &onnxRuntime{modules: dir, version: about.Version}, nil
		}
	}
	return nil, errors.New("ONNX Runtime was not found: .ci/onnxruntime installs it. Evaluation is compared with PyTorch only")
}

// start begins an evaluation.
func (o *onnxRuntime) start(c *cache, j protocol.Job) (*process, error) {
	return start(j, 0, []string{"NODE_PATH=" + o.modules}, "node", c.script("ort", "worker.js"))
}
