//go:build !purego

package kernel

var sweepAVX2 = sweepLoops{
	lanes: 8,
	tile: []func(a *float32, rowA int, offsets *int32, k int, b, c *float32, rowC, add int){
		sweep1x16AVX2, sweep2x16AVX2, sweep3x16AVX2, sweep4x16AVX2, sweep5x16AVX2, sweep6x16AVX2,
	},
	pack: packLanesAVX2,
	correlate: []func(x *float32, offsets *int32, y *float32, rowY, rows, frames, n, frameX, frameY int, out *float32, rowOut, add int){
		correlate1AVX2, correlate2AVX2, correlate3AVX2,
	},
	copyRows:   copyRowsAVX2,
	pickRows:   pickRowsAVX2,
	joinRows:   joinRowsAVX2,
	streamRows: streamRowsAVX2,
	packAhead:  packAheadAVX2,
	finishRows: finishRowsAVX2,
}

var sweepAVX512 = sweepLoops{
	lanes: 16,
	tile: []func(a *float32, rowA int, offsets *int32, k int, b, c *float32, rowC, add int){
		sweep1x32AVX512, sweep2x32AVX512, sweep3x32AVX512, sweep4x32AVX512, sweep5x32AVX512,
		sweep6x32AVX512, sweep7x32AVX512, sweep8x32AVX512, sweep9x32AVX512, sweep10x32AVX512,
		sweep11x32AVX512, sweep12x32AVX512, sweep13x32AVX512, sweep14x32AVX512,
	},
	pack: packLanesAVX512,
	correlate: []func(x *float32, offsets *int32, y *float32, rowY, rows, frames, n, frameX, frameY int, out *float32, rowOut, add int){
		correlate1AVX512, correlate2AVX512, correlate3AVX512, correlate4AVX512, correlate5AVX512, correlate6AVX512,
	},
	copyRows:   copyRowsAVX512,
	pickRows:   pickRowsAVX512,
	joinRows:   joinRowsAVX512,
	streamRows: streamRowsAVX512,
	packAhead:  packAheadAVX512,
	finishRows: finishRowsAVX512,
}
