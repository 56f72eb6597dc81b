package main

import (
	"finetune/bench/protocol"
	"finetune/train"
)

// answer is what a process says after a command, ours more than others.
type answer struct {
	protocol.Answer
	Allocs  float64      `json:"allocs"` // per step
	Profile []train.Cost `json:"profile,omitempty"`
	Peak    float64      `json:"peak,omitempty"`   // floating-point operations per second and thread
	Shares  []float64    `json:"shares,omitempty"` // of the peak
}
