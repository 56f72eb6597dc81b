package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// operator is how one ONNX operator becomes operations of package op.
type operator struct {
	lower func(c *call) ([]*value, error)
	since int64     // oldest opset whose form is understood
	in    signature // inputs, and to which a gradient flows

	view   bool // changes nothing but shape or element type, so logits show through
	random bool // not to be computed while loading
	names  bool // input 0 may be strings, which only their places stand for
	nested bool // what it consists of is folded, not the node as a whole
}

// domain is a set of operators with versions of its own.
type domain struct {
	newest    int64 // opset that is known; later ones are tried
	operators map[string]*operator
}

// domains are all operators that can be lowered, by domain.
var domains = map[string]domain{
	"":                         {28, operators},
	mlDomain:                   {5, mlOperators},
	"ai.onnx.preview.training": {1, stepOperators},
}

// operators is every operator of ONNX's own domain that can be lowered. A new
// one is a function beside its relatives, a line here, a run of TestConformance
// with -update, which finds the ONNX project's tests for it, and go generate,
// which puts it into docs/operators.md. TestOperatorGradients finds a signature
// that promises the wrong gradients.
var operators = map[string]*operator{
	"Abs":                       {lower: function(op.Abs), since: 1, in: "X'"},
	"Acos":                      {lower: function(op.Acos), since: 7, in: "input'"},
	"Acosh":                     {lower: function(op.Acosh), since: 9, in: "input'"},
	"Add":                       {lower: lowerAdd, since: 1, in: "A' B'"},
	"AffineGrid":                {lower: lowerAffineGrid, since: 20, in: "theta' size"},
	"And":                       {lower: compare(op.And), since: 1, in: "A B"},
	"ArgMax":                    {lower: lowerArgMax, since: 1, in: "data"},
	"ArgMin":                    {lower: lowerArgMin, since: 1, in: "data"},
	"Asin":                      {lower: function(op.Asin), since: 7, in: "input'"},
	"Asinh":                     {lower: function(op.Asinh), since: 9, in: "input'"},
	"Atan":                      {lower: function(op.Atan), since: 7, in: "input'"},
	"Atanh":                     {lower: function(op.Atanh), since: 9, in: "input'"},
	"Attention":                 {lower: lowerAttention, since: 23, in: "Q' K' V' attn_mask'? past_key'? past_value'? nonpad_kv_seqlen?"},
	"AveragePool":               {lower: lowerAveragePool, since: 1, in: "X'"},
	"BatchNormalization":        {lower: lowerBatchNormalization, since: 1, in: "X' scale' B' input_mean input_var"},
	"Bernoulli":                 {lower: lowerBernoulli, since: 15, in: "input", random: true},
	"BitCast":                   {lower: lowerBitCast, since: 26, in: "input"},
	"BitShift":                  {lower: lowerBitShift, since: 11, in: "X Y"},
	"BitwiseAnd":                {lower: bitwise(op.And), since: 18, in: "A B"},
	"BitwiseNot":                {lower: lowerBitwiseNot, since: 18, in: "X"},
	"BitwiseOr":                 {lower: bitwise(op.Or), since: 18, in: "A B"},
	"BitwiseXor":                {lower: bitwise(op.Xor), since: 18, in: "A B"},
	"BlackmanWindow":            {lower: cosineWindow(0.42, 0.5, 0.08), since: 17, in: "size"},
	"Cast":                      {lower: lowerCast, since: 6, in: "input'", view: true},
	"CastLike":                  {lower: lowerCastLike, since: 15, in: "input' target_type", view: true, nested: true},
	"CausalConvWithState":       {lower: lowerCausalConvWithState, since: 27, in: "input' weight' bias'? past_state'?"},
	"Ceil":                      {lower: function(op.Ceil), since: 1, in: "X"},
	"Celu":                      {lower: lowerCelu, since: 12, in: "X'"},
	"CenterCropPad":             {lower: lowerCenterCropPad, since: 18, in: "input_data' shape"},
	"Clip":                      {lower: lowerClip, since: 1, in: "input' min'? max'?"},
	"Col2Im":                    {lower: lowerCol2Im, since: 18, in: "input' image_shape block_shape"},
	"Compress":                  {lower: lowerCompress, since: 9, in: "input' condition"},
	"Concat":                    {lower: lowerConcat, since: 1, in: "inputs'..."},
	"Constant":                  {since: 1}, // becomes a tensor when the file is read
	"ConstantOfShape":           {lower: lowerConstantOfShape, since: 9, in: "input"},
	"Conv":                      {lower: lowerConv, since: 1, in: "X' W' B'?"},
	"ConvTranspose":             {lower: lowerConvTranspose, since: 1, in: "X' W' B'?"},
	"Cos":                       {lower: function(op.Cos), since: 7, in: "input'"},
	"Cosh":                      {lower: function(op.Cosh), since: 9, in: "input'"},
	"CumProd":                   {lower: lowerCumProd, since: 26, in: "x' axis"},
	"CumSum":                    {lower: lowerCumSum, since: 11, in: "x' axis"},
	"DFT":                       {lower: lowerDFT, since: 17, in: "input' dft_length? axis?"},
	"DeformConv":                {lower: lowerDeformConv, since: 19, in: "X' W' offset' B'? mask'?"},
	"DepthToSpace":              {lower: lowerDepthToSpace, since: 1, in: "input'"},
	"DequantizeLinear":          {lower: lowerDequantizeLinear, since: 10, in: "x' x_scale' x_zero_point?"},
	"Det":                       {lower: lowerDet, since: 11, in: "X'"},
	"Div":                       {lower: lowerDiv, since: 1, in: "A' B'"},
	"Dropout":                   {lower: lowerDropout, since: 1, in: "data' ratio? training_mode?", random: true},
	"DynamicQuantizeLinear":     {lower: lowerDynamicQuantizeLinear, since: 11, in: "x'"},
	"Einsum":                    {lower: lowerEinsum, since: 12, in: "Inputs'..."},
	"Elu":                       {lower: lowerElu, since: 1, in: "X'"},
	"Equal":                     {lower: compare(op.Equal), since: 1, in: "A B"},
	"Erf":                       {lower: lowerErf, since: 9, in: "input'"},
	"Exp":                       {lower: function(op.Exp), since: 1, in: "input'"},
	"Expand":                    {lower: lowerExpand, since: 8, in: "input' shape"},
	"EyeLike":                   {lower: lowerEyeLike, since: 9, in: "input"},
	"Flatten":                   {lower: lowerFlatten, since: 1, in: "input'", view: true},
	"Floor":                     {lower: function(op.Floor), since: 1, in: "X"},
	"GRU":                       {lower: lowerGRU, since: 1, in: "X' W' R' B'? sequence_lens? initial_h'?"},
	"Gather":                    {lower: lowerGather, since: 1, in: "data' indices"},
	"GatherElements":            {lower: lowerGatherElements, since: 11, in: "data' indices"},
	"GatherND":                  {lower: lowerGatherND, since: 11, in: "data' indices"},
	"Gelu":                      {lower: lowerGelu, since: 20, in: "X'"},
	"Gemm":                      {lower: lowerGemm, since: 1, in: "A' B' C'?"},
	"GlobalAveragePool":         {lower: lowerGlobalAveragePool, since: 1, in: "X'"},
	"GlobalLpPool":              {lower: lowerGlobalLpPool, since: 2, in: "X'"},
	"GlobalMaxPool":             {lower: lowerGlobalMaxPool, since: 1, in: "X'"},
	"Greater":                   {lower: compare(swapped(op.Less)), since: 1, in: "A B"},
	"GreaterOrEqual":            {lower: compare(swapped(op.LessOrEqual)), since: 12, in: "A B"},
	"GridSample":                {lower: lowerGridSample, since: 16, in: "X' grid'"},
	"GroupNormalization":        {lower: lowerGroupNormalization, since: 18, in: "X' scale' bias'"},
	"HammingWindow":             {lower: cosineWindow(25.0/46, 21.0/46, 0), since: 17, in: "size"},
	"HannWindow":                {lower: cosineWindow(0.5, 0.5, 0), since: 17, in: "size"},
	"HardSigmoid":               {lower: lowerHardSigmoid, since: 1, in: "X'"},
	"HardSwish":                 {lower: function(op.HardSwish), since: 14, in: "X'"},
	"Hardmax":                   {lower: lowerHardmax, since: 1, in: "input"},
	"Identity":                  {lower: lowerIdentity, since: 1, in: "input'"},
	"InstanceNormalization":     {lower: lowerInstanceNormalization, since: 1, in: "input' scale' B'"},
	"IsInf":                     {lower: lowerIsInf, since: 10, in: "X"},
	"IsNaN":                     {lower: lowerIsNaN, since: 9, in: "X"},
	"LRN":                       {lower: lowerLRN, since: 1, in: "X'"},
	"LSTM":                      {lower: lowerLSTM, since: 1, in: "X' W' R' B'? sequence_lens? initial_h'? initial_c'? P'?"},
	"LayerNormalization":        {lower: lowerLayerNormalization, since: 17, in: "X' Scale' B'?"},
	"LeakyRelu":                 {lower: lowerLeakyRelu, since: 1, in: "X'"},
	"Less":                      {lower: compare(op.Less), since: 1, in: "A B"},
	"LessOrEqual":               {lower: compare(op.LessOrEqual), since: 12, in: "A B"},
	"LinearAttention":           {lower: lowerLinearAttention, since: 27, in: "query' key' value' past_state'? decay'? beta'?"},
	"Log":                       {lower: function(op.Log), since: 1, in: "input'"},
	"LogSoftmax":                {lower: lowerLogSoftmax, since: 1, in: "input'"},
	"LpNormalization":           {lower: lowerLpNormalization, since: 1, in: "input'"},
	"LpPool":                    {lower: lowerLpPool, since: 2, in: "X'"},
	"MatMul":                    {lower: lowerMatMul, since: 1, in: "A' B'"},
	"Max":                       {lower: lowerMax, since: 1, in: "data_0'..."},
	"MaxPool":                   {lower: lowerMaxPool, since: 1, in: "X'"},
	"MaxRoiPool":                {lower: lowerMaxRoiPool, since: 1, in: "X' rois"},
	"MaxUnpool":                 {lower: lowerMaxUnpool, since: 9, in: "X' I output_shape?"},
	"Mean":                      {lower: lowerMean, since: 1, in: "data_0'..."},
	"MeanVarianceNormalization": {lower: lowerMeanVarianceNormalization, since: 9, in: "X'"},
	"MelWeightMatrix":           {lower: lowerMelWeightMatrix, since: 17, in: "num_mel_bins dft_length sample_rate lower_edge_hertz upper_edge_hertz"},
	"Min":                       {lower: lowerMin, since: 1, in: "data_0'..."},
	"Mish":                      {lower: function(op.Mish), since: 18, in: "X'"},
	"Mod":                       {lower: lowerMod, since: 10, in: "A' B'"},
	"Mul":                       {lower: lowerMul, since: 1, in: "A' B'"},
	"Multinomial":               {lower: lowerMultinomial, since: 7, in: "input", random: true},
	"Neg":                       {lower: function(op.Neg), since: 1, in: "X'"},
	"NegativeLogLikelihoodLoss": {lower: lowerNegativeLogLikelihoodLoss, since: 12, in: "input' target weight'?"},
	"NonMaxSuppression":         {lower: lowerNonMaxSuppression, since: 10, in: "boxes scores max_output_boxes_per_class? iou_threshold? score_threshold?"},
	"NonZero":                   {lower: lowerNonZero, since: 9, in: "X"},
	"Not":                       {lower: lowerNot, since: 1, in: "X"},
	"OneHot":                    {lower: lowerOneHot, since: 9, in: "indices depth values'"},
	"Or":                        {lower: compare(op.Or), since: 1, in: "A B"},
	"PRelu":                     {lower: lowerPRelu, since: 1, in: "X' slope'"},
	"Pad":                       {lower: lowerPad, since: 1, in: "data' pads? constant_value? axes?"},
	"Pow":                       {lower: lowerPow, since: 1, in: "X' Y'"},
	"QuantizeLinear":            {lower: lowerQuantizeLinear, since: 10, in: "x' y_scale y_zero_point?"},
	"RMSNormalization":          {lower: lowerRMSNormalization, since: 23, in: "X' scale'"},
	"RNN":                       {lower: lowerRNN, since: 1, in: "X' W' R' B'? sequence_lens? initial_h'?"},
	"RandomNormal":              {lower: lowerRandomNormal, since: 1, in: "", random: true},
	"RandomNormalLike":          {lower: lowerRandomNormal, since: 1, in: "input", random: true},
	"RandomUniform":             {lower: lowerRandomUniform, since: 1, in: "", random: true},
	"RandomUniformLike":         {lower: lowerRandomUniform, since: 1, in: "input", random: true},
	"Range":                     {lower: lowerRange, since: 11, in: "start limit delta"},
	"Reciprocal":                {lower: function(op.Reciprocal), since: 1, in: "X'"},
	"ReduceL1":                  {lower: reduction(op.ReduceL1, 18), since: 1, in: "data' axes?"},
	"ReduceL2":                  {lower: reduction(op.ReduceL2, 18), since: 1, in: "data' axes?"},
	"ReduceLogSum":              {lower: reduction(op.ReduceLogSum, 18), since: 1, in: "data' axes?"},
	"ReduceLogSumExp":           {lower: reduction(op.ReduceLogSumExp, 18), since: 1, in: "data' axes?"},
	"ReduceMax":                 {lower: reduction(op.ReduceMax, 18), since: 1, in: "data' axes?"},
	"ReduceMean":                {lower: reduction(op.ReduceMean, 18), since: 1, in: "data' axes?"},
	"ReduceMin":                 {lower: reduction(op.ReduceMin, 18), since: 1, in: "data' axes?"},
	"ReduceProd":                {lower: reduction(op.ReduceProd, 18), since: 1, in: "data' axes?"},
	"ReduceSum":                 {lower: reduction(op.ReduceSum, 13), since: 1, in: "data' axes?"},
	"ReduceSumSquare":           {lower: reduction(op.ReduceSumSquare, 18), since: 1, in: "data' axes?"},
	"Relu":                      {lower: lowerRelu, since: 1, in: "X'"},
	"Reshape":                   {lower: lowerReshape, since: 1, in: "data' shape?", view: true},
	"Resize":                    {lower: lowerResize, since: 10, in: "X' roi? scales? sizes?"},
	"ReverseSequence":           {lower: lowerReverseSequence, since: 10, in: "input' sequence_lens"},
	"RoiAlign":                  {lower: lowerRoiAlign, since: 10, in: "X' rois batch_indices"},
	"RotaryEmbedding":           {lower: lowerRotaryEmbedding, since: 23, in: "X' cos_cache' sin_cache' position_ids?"},
	"Round":                     {lower: function(op.Round), since: 11, in: "X"},
	"STFT":                      {lower: lowerSTFT, since: 17, in: "signal' frame_step window'? frame_length?"},
	"Scatter":                   {lower: lowerScatterElements, since: 9, in: "data' indices updates'"},
	"ScatterElements":           {lower: lowerScatterElements, since: 11, in: "data' indices updates'"},
	"ScatterND":                 {lower: lowerScatterND, since: 11, in: "data' indices updates'"},
	"Selu":                      {lower: lowerSelu, since: 1, in: "X'"},
	"Shape":                     {lower: lowerShape, since: 1, in: "data"},
	"Shrink":                    {lower: lowerShrink, since: 9, in: "input'"},
	"Sigmoid":                   {lower: lowerSigmoid, since: 1, in: "X'"},
	"Sign":                      {lower: function(op.Sign), since: 9, in: "input"},
	"Sin":                       {lower: function(op.Sin), since: 7, in: "input'"},
	"Sinh":                      {lower: function(op.Sinh), since: 9, in: "input'"},
	"Size":                      {lower: lowerSize, since: 1, in: "data"},
	"Slice":                     {lower: lowerSlice, since: 1, in: "data' starts? ends? axes? steps?"},
	"Softmax":                   {lower: lowerSoftmax, since: 1, in: "input'"},
	"SoftmaxCrossEntropyLoss":   {lower: lowerSoftmaxCrossEntropyLoss, since: 12, in: "scores' labels weights'?"},
	"Softplus":                  {lower: function(op.Softplus), since: 1, in: "X'"},
	"Softsign":                  {lower: function(op.Softsign), since: 1, in: "input'"},
	"SpaceToDepth":              {lower: lowerSpaceToDepth, since: 1, in: "input'"},
	"Split":                     {lower: lowerSplit, since: 1, in: "input' split?"},
	"Sqrt":                      {lower: function(op.Sqrt), since: 1, in: "X'"},
	"Squeeze":                   {lower: lowerSqueeze, since: 1, in: "data' axes?", view: true},
	"Sub":                       {lower: lowerSub, since: 1, in: "A' B'"},
	"Sum":                       {lower: lowerSum, since: 1, in: "data_0'..."},
	"SwiGLU":                    {lower: lowerSwiGLU, since: 28, in: "A' B'"},
	"Swish":                     {lower: lowerSwish, since: 24, in: "X'"},
	"Tan":                       {lower: function(op.Tan), since: 7, in: "input'"},
	"Tanh":                      {lower: lowerTanh, since: 1, in: "input'"},
	"TensorScatter":             {lower: lowerTensorScatter, since: 24, in: "past_cache' update' write_indices?"},
	"TfIdfVectorizer":           {lower: lowerTfIdfVectorizer, since: 9, in: "X"},
	"ThresholdedRelu":           {lower: lowerThresholdedRelu, since: 10, in: "X'"},
	"Tile":                      {lower: lowerTile, since: 6, in: "input' repeats"},
	"TopK":                      {lower: lowerTopK, since: 1, in: "X' K?"},
	"Transpose":                 {lower: lowerTranspose, since: 1, in: "data'"},
	"Trilu":                     {lower: lowerTrilu, since: 14, in: "input' k?"},
	"Unique":                    {lower: lowerUnique, since: 11, in: "X"},
	"Unsqueeze":                 {lower: lowerUnsqueeze, since: 1, in: "data' axes?", view: true},
	"Upsample":                  {lower: lowerUpsample, since: 7, in: "X' scales?"},
	"Where":                     {lower: lowerWhere, since: 9, in: "condition X' Y'"},
	"Xor":                       {lower: compare(op.Xor), since: 1, in: "A B"},
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

// onIntegers are operators that replace those with a gradient in quantized models.
var onIntegers = []string{"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}

// unsupported says why the operator of n cannot be lowered, whatever its
// inputs; "" if it can.
func (n *Node) unsupported() string {
	d, known := domains[n.Domain]
	o := d.operators[n.Op]
	switch {
	case !known:
		return "operators of this domain are not known"
	case o == nil && n.Domain == "" && slices.Contains(onIntegers, n.Op):
		return "its whole numbers have no gradient; models quantized in the form QDQ can be trained"
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
