package train

import "finetune/optim"

// Report is what Check found.
type Report struct {
	Trainable bool      `json:"trainable"`
	Problems  []Problem `json:"problems,omitempty"` // why not
	Notes     []string  `json:"notes,omitempty"`    // what else there is to know

	Batch  int                `json:"batch,omitempty"` // that was tried
	Dims   map[string]int     `json:"dims,omitempty"`  // sizes that open dimensions were given
	Fill   map[string]float64 `json:"fill,omitempty"`  // inputs that no data can give, and what they were held at
	Output string             `json:"output,omitempty"`
	Loss   Loss               `json:"loss,omitempty"`

	Inputs     []InputReport    `json:"inputs,omitempty"`
	Outputs    []OutputReport   `json:"outputs,omitempty"` // of a forward pass
	Parameters []ParamReport    `json:"parameters,omitempty"`
	Gradients  []GradientReport `json:"gradients,omitempty"` // by operator
	Step       *StepReport      `json:"step,omitempty"`
}

// Problem is a reason why a model cannot be trained: a node's, or the model's.
type Problem struct {
	Node   string `json:"node,omitempty"`
	Op     string `json:"op,omitempty"` // with its domain, unless that is ONNX's own
	Opset  int64  `json:"opset,omitempty"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"` // what would help
}

// InputReport is an input and the random numbers it was given.
type InputReport struct {
	Name   string `json:"name"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	Values string `json:"values"`
}

// OutputReport is an output of floats.
type OutputReport struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// ParamReport says whether a parameter is trained.
type ParamReport struct {
	Name     string     `json:"name"`
	Role     optim.Role `json:"role"`
	Elements int        `json:"elements"`
	Trained  bool       `json:"trained"`
	Reason   string     `json:"reason,omitempty"` // why not
	// Outputs are those of the model that could train it, where the chosen one
	// does not.
	Outputs []string `json:"outputs,omitempty"`
}

// GradientReport compares gradients of one node of each operator with central
// differences.
type GradientReport struct {
	Op       string  `json:"op"`    // with its domain, unless that is ONNX's own
	Nodes    int     `json:"nodes"` // of this operator, with a gradient
	Node     string  `json:"node"`  // the one that was looked at
	Elements int     `json:"elements"`
	Error    float64 `json:"error"`  // largest, as a share of the largest gradient
	Beyond   float64 `json:"beyond"` // what of it rounding does not explain
	Reason   string  `json:"reason,omitempty"`
}

// StepReport is a step of AdamW on random data.
type StepReport struct {
	Before float64 `json:"loss_before"`
	After  float64 `json:"loss_after"`
	Moved  int     `json:"moved"` // parameters that changed
	// Slope is how far the loss, along the gradient of all parameters, is from
	// falling as fast as the gradient says; as a share of that. Reason says why this
	// was not looked at.
	Slope  float64 `json:"slope_error"`
	Reason string  `json:"reason,omitempty"`
}

// passedOn is the Reason where gradients are no slopes.
const passedOn = "handed on as if there were no rounding"
