//go:build !purego

package kernel

var (
	attentionAVX2   = attentionLoops{shares: sharesAVX2, again: againAVX2, slopes: slopesAVX2}
	attentionAVX512 = attentionLoops{shares: sharesAVX512, again: againAVX512, slopes: slopesAVX512}
)
