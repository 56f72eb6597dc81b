package main

import "finetune/train"

// job is what one process is asked to measure. The processes of both sides read
// it as JSON from their command line.
type job struct {
	Mode   string `json:"mode"`   // "train", "evaluate", "optimizer" or, ours only, "products"
	Model  string `json:"model"`  // its name in torch/models.py
	Size   int    `json:"size"`   // side of the image, tokens or steps
	Folder string `json:"folder"` // where the exported model and its weights are
	Data   string `json:"data"`   // where the examples are

	Threads int   `json:"threads"`
	Batch   int   `json:"batch"`   // examples of a step; of an optimizer, its tensors
	Batches int   `json:"batches"` // there are in Data
	Input   []int `json:"input"`   // shape of one example
	Integer bool  `json:"integer"` // examples are token numbers
	Target  []int `json:"target"`  // shape of the labels of one example, [] for one
	Classes int   `json:"classes"`

	Train     string  `json:"train"`     // globs of the parameters to train, "" for all
	BatchNorm string  `json:"batchnorm"` // "train" or "frozen"
	LR        float64 `json:"lr"`
	L1        float64 `json:"l1"`
	Decay     float64 `json:"decay"`
	L1As      string  `json:"l1_as"`   // how PyTorch is given L1: in the "loss", as the "sign" added to gradients, or not at all: "none"
	Foreach   bool    `json:"foreach"` // PyTorch's AdamW takes all tensors at once

	Cut      float64 `json:"cut"`      // weights of the optimizer below it are masked
	Sparsity float64 `json:"sparsity"` // share of each layer's weights that is pruned before the first step
	Profile  int     `json:"profile"`  // make so many steps and say where the time goes; ours only
}

// answer is what a process says after a command.
type answer struct {
	Version   string    `json:"version,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"`
	Losses    []float64 `json:"losses,omitempty"` // of the first steps
	Allocs    float64   `json:"allocs"`           // per step; ours only
	Megabytes float64   `json:"megabytes,omitempty"`
	Error     string    `json:"error,omitempty"`

	Profile []train.Cost `json:"profile,omitempty"`
	Peak    float64      `json:"peak,omitempty"`   // floating-point operations per second and thread
	Shares  []float64    `json:"shares,omitempty"` // of the peak
}
