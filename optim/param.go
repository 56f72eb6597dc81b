package optim

// Role says what a parameter is for, read from the operator that uses it and
// the slot it is used in, because exporters rename weights beyond recognition.
type Role string

// The roles. Only Weight and Recurrent are decayed, regularised and pruned by
// default; Running and Constant are never trained by gradient.
const (
	Weight    Role = "weight"    // a matrix or filter bank: MatMul, Gemm, Conv
	Bias      Role = "bias"      // added along one axis after a weight
	Scale     Role = "scale"     // multiplies a normalised value
	Shift     Role = "shift"     // added to a normalised value
	Running   Role = "running"   // BatchNormalization's mean and variance
	Embedding Role = "embedding" // a table that Gather looks up
	Recurrent Role = "recurrent" // hidden-to-hidden weights of RNN, GRU, LSTM
	Constant  Role = "constant"  // everything else
)

// Roles lists every Role.
var Roles = []Role{Weight, Bias, Scale, Shift, Running, Embedding, Recurrent, Constant}

// Param is one tensor of the model. Value and Grad are row-major and have as
// many elements as the product of Shape (one if Shape is empty).
type Param struct {
	Name  string // as in the file
	Role  Role
	Op    string // operator type that reads it, such as "Conv"
	Layer string // name of the node that reads it
	Depth int    // how many layers with weights lie between it and the inputs
	Shape []int
	// InFirst says that the inputs of a weight lie along an axis before that of its
	// outputs, as in the matrix of MatMul, and not behind it: see InAxis. Groups is
	// that of a convolution, whose outputs each see a part of the inputs; 0 is 1.
	InFirst bool
	Groups  int
	DType   string // element type in the file: "float32", "float16", "bfloat16", "float64"

	Trainable bool // whether steps change it
	Value     []float32
	Grad      []float32 // filled by backpropagation; nil unless Trainable
	Mask      []bool    // false where pruned; nil when nothing is
}

// Rank is the number of axes.
func (p *Param) Rank() int { return len(p.Shape) }

// Decayed reports whether decay, L1 and pruning touch the parameter unless a
// selector says otherwise.
func (p *Param) Decayed() bool {
	return (p.Role == Weight || p.Role == Recurrent) && p.Rank() > 1
}
