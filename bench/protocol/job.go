// Package protocol is what the processes of a comparison have in common: the job each
// is given, what it answers, and the files of numbers it reads. Besides bench
// itself, the programs of other libraries use it, which are modules of their own.
//
// A process gets its job as JSON on its command line, prepares it and says so. Then
// it carries out the commands on its standard input, "run N" and "memory", and
// gives an answer to each, a line of JSON.
package protocol

// Job is what one process is asked to measure.
type Job struct {
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

// Answer is what a process says when it is ready, and after a command.
type Answer struct {
	Version   string    `json:"version,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"`
	Losses    []float64 `json:"losses,omitempty"` // of the first steps
	Megabytes float64   `json:"megabytes,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// FirstSteps is the number of steps whose losses are told.
const FirstSteps = 20

// The files of Job.Data: float32, little-endian, one example after the other.
const (
	InputsFile = "inputs"
	LabelsFile = "labels"
)
