//go:build !purego

package kernel

// tables has what this processor supports, best last. All of them have NEON.
func tables() []*table {
	neon := generic
	neon.name = "neon"
	neon.multiply = multiplyNEON
	return []*table{&generic, &neon}
}
