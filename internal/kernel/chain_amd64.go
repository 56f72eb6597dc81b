//go:build !purego

package kernel

// The fast versions take whole rounds of vectors.

func chainAVX2(u *Update) int {
	u.whole = len(u.W) / 16 * 16
	if u.whole > 0 {
		updateAVX2(u)
	}
	return u.whole
}

func chainAVX512(u *Update) int {
	u.whole = len(u.W) / 64 * 64
	if u.whole > 0 {
		updateAVX512(u)
	}
	return u.whole
}
