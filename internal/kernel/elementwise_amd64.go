//go:build !purego

package kernel

var arithmeticAVX2 = [...]combination[float32]{
	Add: {addBothAVX2, addLeftAVX2, addRightAVX2},
	Sub: {subBothAVX2, subLeftAVX2, subRightAVX2},
	Mul: {mulBothAVX2, mulLeftAVX2, mulRightAVX2},
	Div: {divBothAVX2, divLeftAVX2, divRightAVX2},
}

var arithmeticAVX512 = [...]combination[float32]{
	Add: {addBothAVX512, addLeftAVX512, addRightAVX512},
	Sub: {subBothAVX512, subLeftAVX512, subRightAVX512},
	Mul: {mulBothAVX512, mulLeftAVX512, mulRightAVX512},
	Div: {divBothAVX512, divLeftAVX512, divRightAVX512},
}

var pointAVX2 = pointFuncs{
	relu:          reluAVX2,
	reluGrad:      reluGradAVX2,
	leakyRelu:     leakyReluAVX2,
	leakyReluGrad: leakyReluGradAVX2,
	clip:          clipAVX2,
	clipGrad:      clipGradAVX2,
	exp:           expAVX2,
	sigmoid:       sigmoidAVX2,
	sigmoidGrad:   sigmoidGradAVX2,
	tanh:          tanhAVX2,
	tanhGrad:      tanhGradAVX2,
	erf:           erfAVX2,
	erfGrad:       erfGradAVX2,
	gelu:          geluAVX2,
	geluGrad:      geluGradAVX2,
	geluTanh:      geluTanhAVX2,
	geluTanhGrad:  geluTanhGradAVX2,
	scale:         scaleAVX2,
	difference:    differenceAVX2,
}

var pointAVX512 = pointFuncs{
	relu:          reluAVX512,
	reluGrad:      reluGradAVX512,
	leakyRelu:     leakyReluAVX512,
	leakyReluGrad: leakyReluGradAVX512,
	clip:          clipAVX512,
	clipGrad:      clipGradAVX512,
	exp:           expAVX512,
	sigmoid:       sigmoidAVX512,
	sigmoidGrad:   sigmoidGradAVX512,
	tanh:          tanhAVX512,
	tanhGrad:      tanhGradAVX512,
	erf:           erfAVX512,
	erfGrad:       erfGradAVX512,
	gelu:          geluAVX512,
	geluGrad:      geluGradAVX512,
	geluTanh:      geluTanhAVX512,
	geluTanhGrad:  geluTanhGradAVX512,
	scale:         scaleAVX512,
	difference:    differenceAVX512,
}
