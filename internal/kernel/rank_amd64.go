//go:build !purego

package kernel

var rankAVX2 = rankLoops{countBelow: countBelowAVX2, dropBelow: dropBelowAVX2, pickBetween: pickBetweenAVX2}

var rankAVX512 = rankLoops{countBelow: countBelowAVX512, dropBelow: dropBelowAVX512, pickBetween: pickBetweenAVX512}
