package onnxload

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"finetune/internal/op"
)

// operator is how one ONNX operator becomes operations of package op.
type operator struct {
	lower       func(c *call) ([]*value, error)
	since       int64 // oldest opset whose form is understood
	least, most int   // inputs

	view   bool // changes nothing but shape or element type, so logits show through
	random bool // not to be computed while loading
	nested bool // what it consists of is folded, not the node as a whole
}

const many = 1 << 30 // inputs of a variadic operator

// operators is every operator of ONNX's own domain that can be lowered. A new
// one is a function beside its relatives, a line here, and a run of
// TestConformance with -update, which finds the ONNX project's tests for it.
var operators = map[string]*operator{
	"Abs":                       {lower: function(op.Abs), since: 1, least: 1, most: 1},
	"Acos":                      {lower: function(op.Acos), since: 7, least: 1, most: 1},
	"Acosh":                     {lower: function(op.Acosh), since: 9, least: 1, most: 1},
	"Add":                       {lower: lowerAdd, since: 1, least: 2, most: 2},
	"AffineGrid":                {lower: lowerAffineGrid, since: 20, least: 2, most: 2},
	"And":                       {lower: compare(op.And), since: 1, least: 2, most: 2},
	"ArgMax":                    {lower: lowerArgMax, since: 1, least: 1, most: 1},
	"ArgMin":                    {lower: lowerArgMin, since: 1, least: 1, most: 1},
	"Asin":                      {lower: function(op.Asin), since: 7, least: 1, most: 1},
	"Asinh":                     {lower: function(op.Asinh), since: 9, least: 1, most: 1},
	"Atan":                      {lower: function(op.Atan), since: 7, least: 1, most: 1},
	"Atanh":                     {lower: function(op.Atanh), since: 9, least: 1, most: 1},
	"Attention":                 {lower: lowerAttention, since: 23, least: 3, most: 7},
	"AveragePool":               {lower: lowerAveragePool, since: 1, least: 1, most: 1},
	"BatchNormalization":        {lower: lowerBatchNormalization, since: 1, least: 5, most: 5},
	"BitShift":                  {lower: lowerBitShift, since: 11, least: 2, most: 2},
	"BitwiseAnd":                {lower: bitwise(op.And), since: 18, least: 2, most: 2},
	"BitwiseNot":                {lower: lowerBitwiseNot, since: 18, least: 1, most: 1},
	"BitwiseOr":                 {lower: bitwise(op.Or), since: 18, least: 2, most: 2},
	"BitwiseXor":                {lower: bitwise(op.Xor), since: 18, least: 2, most: 2},
	"BlackmanWindow":            {lower: cosineWindow(0.42, 0.5, 0.08), since: 17, least: 1, most: 1},
	"Cast":                      {lower: lowerCast, since: 6, least: 1, most: 1, view: true},
	"CastLike":                  {lower: lowerCastLike, since: 15, least: 2, most: 2, view: true, nested: true},
	"Ceil":                      {lower: function(op.Ceil), since: 1, least: 1, most: 1},
	"Celu":                      {lower: lowerCelu, since: 12, least: 1, most: 1},
	"CenterCropPad":             {lower: lowerCenterCropPad, since: 18, least: 2, most: 2},
	"Clip":                      {lower: lowerClip, since: 1, least: 1, most: 3},
	"Compress":                  {lower: lowerCompress, since: 9, least: 2, most: 2},
	"Concat":                    {lower: lowerConcat, since: 1, least: 1, most: many},
	"Constant":                  {since: 1}, // becomes a tensor when the file is read
	"ConstantOfShape":           {lower: lowerConstantOfShape, since: 9, least: 1, most: 1},
	"Conv":                      {lower: lowerConv, since: 1, least: 2, most: 3},
	"ConvTranspose":             {lower: lowerConvTranspose, since: 1, least: 2, most: 3},
	"Cos":                       {lower: function(op.Cos), since: 7, least: 1, most: 1},
	"Cosh":                      {lower: function(op.Cosh), since: 9, least: 1, most: 1},
	"CumProd":                   {lower: lowerCumProd, since: 26, least: 2, most: 2},
	"CumSum":                    {lower: lowerCumSum, since: 11, least: 2, most: 2},
	"DFT":                       {lower: lowerDFT, since: 17, least: 1, most: 3},
	"DeformConv":                {lower: lowerDeformConv, since: 19, least: 3, most: 5},
	"DepthToSpace":              {lower: lowerDepthToSpace, since: 1, least: 1, most: 1},
	"DequantizeLinear":          {lower: lowerDequantizeLinear, since: 10, least: 2, most: 3},
	"Div":                       {lower: lowerDiv, since: 1, least: 2, most: 2},
	"Dropout":                   {lower: lowerDropout, since: 1, least: 1, most: 3, random: true},
	"DynamicQuantizeLinear":     {lower: lowerDynamicQuantizeLinear, since: 11, least: 1, most: 1},
	"Einsum":                    {lower: lowerEinsum, since: 12, least: 1, most: many},
	"Elu":                       {lower: lowerElu, since: 1, least: 1, most: 1},
	"Equal":                     {lower: compare(op.Equal), since: 1, least: 2, most: 2},
	"Erf":                       {lower: lowerErf, since: 9, least: 1, most: 1},
	"Exp":                       {lower: function(op.Exp), since: 1, least: 1, most: 1},
	"Expand":                    {lower: lowerExpand, since: 8, least: 2, most: 2},
	"EyeLike":                   {lower: lowerEyeLike, since: 9, least: 1, most: 1},
	"Flatten":                   {lower: lowerFlatten, since: 1, least: 1, most: 1, view: true},
	"Floor":                     {lower: function(op.Floor), since: 1, least: 1, most: 1},
	"GRU":                       {lower: lowerGRU, since: 1, least: 3, most: 6},
	"Gather":                    {lower: lowerGather, since: 1, least: 2, most: 2},
	"GatherElements":            {lower: lowerGatherElements, since: 11, least: 2, most: 2},
	"GatherND":                  {lower: lowerGatherND, since: 11, least: 2, most: 2},
	"Gelu":                      {lower: lowerGelu, since: 20, least: 1, most: 1},
	"Gemm":                      {lower: lowerGemm, since: 1, least: 2, most: 3},
	"GlobalAveragePool":         {lower: lowerGlobalAveragePool, since: 1, least: 1, most: 1},
	"GlobalLpPool":              {lower: lowerGlobalLpPool, since: 2, least: 1, most: 1},
	"GlobalMaxPool":             {lower: lowerGlobalMaxPool, since: 1, least: 1, most: 1},
	"Greater":                   {lower: compare(swapped(op.Less)), since: 1, least: 2, most: 2},
	"GreaterOrEqual":            {lower: compare(swapped(op.LessOrEqual)), since: 12, least: 2, most: 2},
	"GridSample":                {lower: lowerGridSample, since: 16, least: 2, most: 2},
	"GroupNormalization":        {lower: lowerGroupNormalization, since: 18, least: 3, most: 3},
	"HammingWindow":             {lower: cosineWindow(25.0/46, 21.0/46, 0), since: 17, least: 1, most: 1},
	"HannWindow":                {lower: cosineWindow(0.5, 0.5, 0), since: 17, least: 1, most: 1},
	"HardSigmoid":               {lower: lowerHardSigmoid, since: 1, least: 1, most: 1},
	"HardSwish":                 {lower: function(op.HardSwish), since: 14, least: 1, most: 1},
	"Hardmax":                   {lower: lowerHardmax, since: 1, least: 1, most: 1},
	"Identity":                  {lower: lowerIdentity, since: 1, least: 1, most: 1},
	"InstanceNormalization":     {lower: lowerInstanceNormalization, since: 1, least: 3, most: 3},
	"IsInf":                     {lower: lowerIsInf, since: 10, least: 1, most: 1},
	"IsNaN":                     {lower: lowerIsNaN, since: 9, least: 1, most: 1},
	"LRN":                       {lower: lowerLRN, since: 1, least: 1, most: 1},
	"LSTM":                      {lower: lowerLSTM, since: 1, least: 3, most: 8},
	"LayerNormalization":        {lower: lowerLayerNormalization, since: 17, least: 2, most: 3},
	"LeakyRelu":                 {lower: lowerLeakyRelu, since: 1, least: 1, most: 1},
	"Less":                      {lower: compare(op.Less), since: 1, least: 2, most: 2},
	"LessOrEqual":               {lower: compare(op.LessOrEqual), since: 12, least: 2, most: 2},
	"Log":                       {lower: function(op.Log), since: 1, least: 1, most: 1},
	"LogSoftmax":                {lower: lowerLogSoftmax, since: 1, least: 1, most: 1},
	"LpNormalization":           {lower: lowerLpNormalization, since: 1, least: 1, most: 1},
	"LpPool":                    {lower: lowerLpPool, since: 2, least: 1, most: 1},
	"MatMul":                    {lower: lowerMatMul, since: 1, least: 2, most: 2},
	"Max":                       {lower: lowerMax, since: 1, least: 1, most: many},
	"MaxPool":                   {lower: lowerMaxPool, since: 1, least: 1, most: 1},
	"MaxUnpool":                 {lower: lowerMaxUnpool, since: 9, least: 2, most: 3},
	"Mean":                      {lower: lowerMean, since: 1, least: 1, most: many},
	"MeanVarianceNormalization": {lower: lowerMeanVarianceNormalization, since: 9, least: 1, most: 1},
	"MelWeightMatrix":           {lower: lowerMelWeightMatrix, since: 17, least: 5, most: 5},
	"Min":                       {lower: lowerMin, since: 1, least: 1, most: many},
	"Mish":                      {lower: function(op.Mish), since: 18, least: 1, most: 1},
	"Mod":                       {lower: lowerMod, since: 10, least: 2, most: 2},
	"Mul":                       {lower: lowerMul, since: 1, least: 2, most: 2},
	"Neg":                       {lower: function(op.Neg), since: 1, least: 1, most: 1},
	"NegativeLogLikelihoodLoss": {lower: lowerNegativeLogLikelihoodLoss, since: 12, least: 2, most: 3},
	"NonZero":                   {lower: lowerNonZero, since: 9, least: 1, most: 1},
	"Not":                       {lower: lowerNot, since: 1, least: 1, most: 1},
	"OneHot":                    {lower: lowerOneHot, since: 9, least: 3, most: 3},
	"Or":                        {lower: compare(op.Or), since: 1, least: 2, most: 2},
	"PRelu":                     {lower: lowerPRelu, since: 1, least: 2, most: 2},
	"Pad":                       {lower: lowerPad, since: 1, least: 1, most: 4},
	"Pow":                       {lower: lowerPow, since: 1, least: 2, most: 2},
	"QuantizeLinear":            {lower: lowerQuantizeLinear, since: 10, least: 2, most: 3},
	"RMSNormalization":          {lower: lowerRMSNormalization, since: 23, least: 2, most: 2},
	"RNN":                       {lower: lowerRNN, since: 1, least: 3, most: 6},
	"Range":                     {lower: lowerRange, since: 11, least: 3, most: 3},
	"Reciprocal":                {lower: function(op.Reciprocal), since: 1, least: 1, most: 1},
	"ReduceL1":                  {lower: reduction(op.ReduceL1, 18), since: 1, least: 1, most: 2},
	"ReduceL2":                  {lower: reduction(op.ReduceL2, 18), since: 1, least: 1, most: 2},
	"ReduceLogSum":              {lower: reduction(op.ReduceLogSum, 18), since: 1, least: 1, most: 2},
	"ReduceLogSumExp":           {lower: reduction(op.ReduceLogSumExp, 18), since: 1, least: 1, most: 2},
	"ReduceMax":                 {lower: reduction(op.ReduceMax, 18), since: 1, least: 1, most: 2},
	"ReduceMean":                {lower: reduction(op.ReduceMean, 18), since: 1, least: 1, most: 2},
	"ReduceMin":                 {lower: reduction(op.ReduceMin, 18), since: 1, least: 1, most: 2},
	"ReduceProd":                {lower: reduction(op.ReduceProd, 18), since: 1, least: 1, most: 2},
	"ReduceSum":                 {lower: reduction(op.ReduceSum, 13), since: 1, least: 1, most: 2},
	"ReduceSumSquare":           {lower: reduction(op.ReduceSumSquare, 18), since: 1, least: 1, most: 2},
	"Relu":                      {lower: lowerRelu, since: 1, least: 1, most: 1},
	"Reshape":                   {lower: lowerReshape, since: 1, least: 1, most: 2, view: true},
	"Resize":                    {lower: lowerResize, since: 10, least: 1, most: 4},
	"ReverseSequence":           {lower: lowerReverseSequence, since: 10, least: 2, most: 2},
	"RotaryEmbedding":           {lower: lowerRotaryEmbedding, since: 23, least: 3, most: 4},
	"Round":                     {lower: function(op.Round), since: 11, least: 1, most: 1},
	"STFT":                      {lower: lowerSTFT, since: 17, least: 2, most: 4},
	"Scatter":                   {lower: lowerScatterElements, since: 9, least: 3, most: 3},
	"ScatterElements":           {lower: lowerScatterElements, since: 11, least: 3, most: 3},
	"ScatterND":                 {lower: lowerScatterND, since: 11, least: 3, most: 3},
	"Selu":                      {lower: lowerSelu, since: 1, least: 1, most: 1},
	"Shape":                     {lower: lowerShape, since: 1, least: 1, most: 1},
	"Shrink":                    {lower: lowerShrink, since: 9, least: 1, most: 1},
	"Sigmoid":                   {lower: lowerSigmoid, since: 1, least: 1, most: 1},
	"Sign":                      {lower: function(op.Sign), since: 9, least: 1, most: 1},
	"Sin":                       {lower: function(op.Sin), since: 7, least: 1, most: 1},
	"Sinh":                      {lower: function(op.Sinh), since: 9, least: 1, most: 1},
	"Size":                      {lower: lowerSize, since: 1, least: 1, most: 1},
	"Slice":                     {lower: lowerSlice, since: 1, least: 1, most: 5},
	"Softmax":                   {lower: lowerSoftmax, since: 1, least: 1, most: 1},
	"SoftmaxCrossEntropyLoss":   {lower: lowerSoftmaxCrossEntropyLoss, since: 12, least: 2, most: 3},
	"Softplus":                  {lower: function(op.Softplus), since: 1, least: 1, most: 1},
	"Softsign":                  {lower: function(op.Softsign), since: 1, least: 1, most: 1},
	"SpaceToDepth":              {lower: lowerSpaceToDepth, since: 1, least: 1, most: 1},
	"Split":                     {lower: lowerSplit, since: 1, least: 1, most: 2},
	"Sqrt":                      {lower: function(op.Sqrt), since: 1, least: 1, most: 1},
	"Squeeze":                   {lower: lowerSqueeze, since: 1, least: 1, most: 2, view: true},
	"Sub":                       {lower: lowerSub, since: 1, least: 2, most: 2},
	"Sum":                       {lower: lowerSum, since: 1, least: 1, most: many},
	"SwiGLU":                    {lower: lowerSwiGLU, since: 28, least: 2, most: 2},
	"Swish":                     {lower: lowerSwish, since: 24, least: 1, most: 1},
	"Tan":                       {lower: function(op.Tan), since: 7, least: 1, most: 1},
	"Tanh":                      {lower: lowerTanh, since: 1, least: 1, most: 1},
	"ThresholdedRelu":           {lower: lowerThresholdedRelu, since: 10, least: 1, most: 1},
	"Tile":                      {lower: lowerTile, since: 6, least: 2, most: 2},
	"TopK":                      {lower: lowerTopK, since: 1, least: 1, most: 2},
	"Transpose":                 {lower: lowerTranspose, since: 1, least: 1, most: 1},
	"Trilu":                     {lower: lowerTrilu, since: 14, least: 1, most: 2},
	"Unsqueeze":                 {lower: lowerUnsqueeze, since: 1, least: 1, most: 2, view: true},
	"Upsample":                  {lower: lowerUpsample, since: 7, least: 1, most: 2},
	"Where":                     {lower: lowerWhere, since: 9, least: 3, most: 3},
	"Xor":                       {lower: compare(op.Xor), since: 1, least: 2, most: 2},
}

// Operator is an ONNX operator that Lower knows.
type Operator struct {
	Name  string
	Since int64 // the oldest opset it is understood in
}

// Operators lists what Lower knows of ONNX's own domain, by name.
func Operators() []Operator {
	var list []Operator
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		list = append(list, Operator{name, operators[name].since})
	}
	return list
}

// Supported returns nil if Lower knows every operator that an output depends on,
// else an UnsupportedError that lists all nodes it does not know.
func (m *Model) Supported() error {
	var bad []Unsupported
	needed := m.needed()
	for _, n := range m.Nodes {
		if reason := n.unsupported(); reason != "" && needed[n] {
			bad = append(bad, n.because(reason))
		}
	}
	if bad == nil {
		return nil
	}
	return &UnsupportedError{Path: m.Path, Nodes: bad}
}

// unsupported says why the operator of n cannot be lowered, whatever its
// inputs; "" if it can.
func (n *Node) unsupported() string {
	o := operators[n.Op]
	switch {
	case n.Domain != "":
		return "operators of this domain are not known; only ONNX's own are"
	case o == nil:
		return "no such operator here yet"
	case n.Opset < o.since:
		return fmt.Sprintf("its form before opset %d is not understood; convert the model with onnx.version_converter", o.since)
	}
	return ""
}

func (n *Node) because(reason string) Unsupported {
	return Unsupported{Node: n.Name, Op: n.Op, Domain: n.Domain, Opset: n.Opset, Reason: reason}
}

// unsupported is the error for one node that asks for more than we can do.
func unsupported(n *Node, reason string) error {
	return &UnsupportedError{Nodes: []Unsupported{n.because(reason)}}
}

// joinUnsupported makes one error of several.
func joinUnsupported(list []error) error {
	if len(list) < 2 {
		return errors.Join(list...)
	}
	all := new(joinedError)
	for _, err := range list {
		if u, ok := errors.AsType[*UnsupportedError](err); ok {
			all.Nodes = append(all.Nodes, u.Nodes...)
		}
	}
	all.parts = list
	return all
}

// joinedError is an UnsupportedError that still knows its parts.
type joinedError struct {
	UnsupportedError
	parts []error
}

// Unwrap makes it an UnsupportedError to callers.
func (e *joinedError) Unwrap() []error { return append([]error{&e.UnsupportedError}, e.parts...) }

// needed is the nodes that the outputs depend on.
func (m *Model) needed() map[*Node]bool {
	var outputs []string
	for _, out := range m.Outputs {
		outputs = append(outputs, out.Name)
	}
	return neededFor(m.Nodes, outputs)
}

// neededFor is the nodes of a list that the outputs depend on.
func neededFor(nodes []*Node, outputs []string) map[*Node]bool {
	maker := map[string]*Node{}
	for _, n := range nodes {
		for _, name := range n.Outputs {
			maker[name] = n
		}
	}
	delete(maker, "")
	needed := map[*Node]bool{}
	todo := slices.Clone(outputs)
	for len(todo) > 0 {
		n := maker[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if n == nil || needed[n] {
			continue
		}
		needed[n] = true
		todo = append(append(todo, n.Inputs...), n.Captures...)
	}
	return needed
}

// reads reports whether a node or an output of the model uses a value.
func (m *Model) reads(name string) bool {
	for _, n := range m.Nodes {
		for _, in := range append(n.Inputs[:len(n.Inputs):len(n.Inputs)], n.Captures...) {
			if in == name {
				return true
			}
		}
	}
	for _, out := range m.Outputs {
		if out.Name == name {
			return true
		}
	}
	return false
}
