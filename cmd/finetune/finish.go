package main

import (
	"fmt"

	"finetune/onnxload"
	"finetune/train"
)

// finish writes a model that was trained and prints what the run came to.
func finish(c *console, o outputFlags, m *onnxload.Model, cfg train.Config, r *train.Result) error {
	metadata := provenance(m, c.flags)
	metadata["seed"] = fmt.Sprint(cfg.Seed)
	metadata["steps"] = fmt.Sprint(r.Steps)
	metadata["sparsity"] = fmt.Sprintf("%.6f", r.Sparsity)
	if r.After != nil {
		metadata["validation_loss"] = fmt.Sprintf("%.6g", r.After.Loss)
		if r.After.Accuracy != nil {
			metadata["validation_accuracy"] = fmt.Sprintf("%.6g", *r.After.Accuracy)
		}
	}
	if err := o.write(c, m, metadata); err != nil {
		return err
	}
	if cfg.Checkpoint != "" {
		if err := train.RemoveCheckpoint(cfg.Checkpoint); err != nil {
			c.warnf("%v", err)
		}
	}
	if c.json {
		return c.object(struct {
			Event string `json:"event"`
			*train.Result
			Output string `json:"output"`
		}{"done", r, o.out})
	}
	if r.Before == nil || r.After == nil {
		return nil
	}
	c.printf("\nheld-out examples  %s\n", thousands(r.After.Examples))
	c.printf("loss               %.4f before, %.4f after\n", r.Before.Loss, r.After.Loss)
	if r.After.Accuracy != nil && r.Before.Accuracy != nil {
		c.printf("accuracy           %s before, %s after\n", percent(*r.Before.Accuracy), percent(*r.After.Accuracy))
	}
	return nil
}
