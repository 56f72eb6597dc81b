//go:build !purego

package kernel

// tables has what this processor supports, best last. All of them have NEON.
func tables() []*table {
	neon := generic
	neon.name = "neon"
	neon.multiply = multiplyNEON
	neon.sparse.rowsPay, neon.sparse.dotsPay = 0.1, 0.1 // plain Go against vectors, by their widths
	return []*table{&generic, &neon}
}
