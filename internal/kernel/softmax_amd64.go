//go:build !purego

package kernel

var softmaxAVX2 = softmaxLoops{
	rows:           softmaxRowsAVX2,
	logRows:        logSoftmaxRowsAVX2,
	gradRows:       softmaxGradRowsAVX2,
	logGradRows:    logSoftmaxGradRowsAVX2,
	columns:        softmaxColumnsAVX2,
	logColumns:     logSoftmaxColumnsAVX2,
	gradColumns:    softmaxGradColumnsAVX2,
	logGradColumns: logSoftmaxGradColumnsAVX2,
	sumExp:         sumExpRowsAVX2,
}

var softmaxAVX512 = softmaxLoops{
	rows:           softmaxRowsAVX512,
	logRows:        logSoftmaxRowsAVX512,
	gradRows:       softmaxGradRowsAVX512,
	logGradRows:    logSoftmaxGradRowsAVX512,
	columns:        softmaxColumnsAVX512,
	logColumns:     logSoftmaxColumnsAVX512,
	gradColumns:    softmaxGradColumnsAVX512,
	logGradColumns: logSoftmaxGradColumnsAVX512,
	sumExp:         sumExpRowsAVX512,
}
