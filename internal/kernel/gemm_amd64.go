//go:build !purego

package kernel

import "math/bits"

// tileFuncs has functions by the number of rows of a tile and by the binary
// logarithm of the number of vectors that its columns fill.
type tileFuncs [15][5]func(*tile)

var mulAVX2 = tileFuncs{
	1: {0: mulAVX2_1x1, 1: mulAVX2_1x2, 2: mulAVX2_1x4, 3: mulAVX2_1x8},
	2: {0: mulAVX2_2x1, 1: mulAVX2_2x2, 2: mulAVX2_2x4},
	3: {0: mulAVX2_3x1, 1: mulAVX2_3x2},
	4: {0: mulAVX2_4x1, 1: mulAVX2_4x2},
	5: {0: mulAVX2_5x1, 1: mulAVX2_5x2},
	6: {0: mulAVX2_6x1, 1: mulAVX2_6x2},
}

var mulAVX512 = tileFuncs{
	1:  {0: mulAVX512_1x1, 1: mulAVX512_1x2, 2: mulAVX512_1x4, 3: mulAVX512_1x8, 4: mulAVX512_1x16},
	2:  {0: mulAVX512_2x1, 1: mulAVX512_2x2, 2: mulAVX512_2x4, 3: mulAVX512_2x8},
	3:  {0: mulAVX512_3x1, 1: mulAVX512_3x2, 2: mulAVX512_3x4, 3: mulAVX512_3x8},
	4:  {0: mulAVX512_4x1, 1: mulAVX512_4x2, 2: mulAVX512_4x4},
	5:  {0: mulAVX512_5x1, 1: mulAVX512_5x2},
	6:  {0: mulAVX512_6x1, 1: mulAVX512_6x2},
	7:  {0: mulAVX512_7x1, 1: mulAVX512_7x2},
	8:  {0: mulAVX512_8x1, 1: mulAVX512_8x2},
	9:  {0: mulAVX512_9x1, 1: mulAVX512_9x2},
	10: {0: mulAVX512_10x1, 1: mulAVX512_10x2},
	11: {0: mulAVX512_11x1, 1: mulAVX512_11x2},
	12: {0: mulAVX512_12x1, 1: mulAVX512_12x2},
	13: {0: mulAVX512_13x1, 1: mulAVX512_13x2},
	14: {0: mulAVX512_14x1, 1: mulAVX512_14x2},
}

// run cuts a tile into those that there are functions for. Rows are shared out
// evenly, as a tile of few rows is less efficient than one of many.
func (f *tileFuncs) run(t *tile, maxRows, lanes int) {
	i, rows, j, cols, y := t.i, t.rows, t.j, t.cols, t.y
	tiles := blocks(rows, maxRows)
	small, tall := rows/tiles, rows%tiles // tall tiles have one row more
	highest := small
	if tall > 0 {
		highest++
	}
	for done := 0; done < cols; done += t.cols {
		vectors := min(bits.Len(uint(blocks(cols-done, lanes))), len(f[0])) - 1
		for f[highest][vectors] == nil {
			vectors--
		}
		t.i, t.j, t.y = i, j+done, y+done
		t.cols = min(cols-done, lanes<<vectors)
		if tall > 0 {
			t.count = tall
			f[small+1][vectors](t)
		}
		t.count = tiles - tall
		f[small][vectors](t)
	}
	t.i, t.j, t.cols, t.y = i, j, cols, y
}

func multiplyAVX2(t *tile) { mulAVX2.run(t, 6, 8) }

func multiplyAVX512(t *tile) { mulAVX512.run(t, 14, 16) }

// dotFuncs has functions by the number of rows and of columns of a tile.
type dotFuncs [5][5]func(*tile)

var dotsAVX2 = dotFuncs{
	1: {1: dotsAVX2_1x1, 2: dotsAVX2_1x2, 3: dotsAVX2_1x3, 4: dotsAVX2_1x4},
	2: {1: dotsAVX2_2x1, 2: dotsAVX2_2x2, 3: dotsAVX2_2x3, 4: dotsAVX2_2x4},
	3: {1: dotsAVX2_3x1, 2: dotsAVX2_3x2},
	4: {1: dotsAVX2_4x1, 2: dotsAVX2_4x2},
}

var dotsAVX512 = dotFuncs{
	1: {1: dotsAVX512_1x1, 2: dotsAVX512_1x2, 3: dotsAVX512_1x3, 4: dotsAVX512_1x4},
	2: {1: dotsAVX512_2x1, 2: dotsAVX512_2x2, 3: dotsAVX512_2x3, 4: dotsAVX512_2x4},
	3: {1: dotsAVX512_3x1, 2: dotsAVX512_3x2, 3: dotsAVX512_3x3, 4: dotsAVX512_3x4},
	4: {1: dotsAVX512_4x1, 2: dotsAVX512_4x2, 3: dotsAVX512_4x3, 4: dotsAVX512_4x4},
}

// run cuts a tile into those that there are functions for.
func (f *dotFuncs) run(t *tile) {
	i, rows, j, cols, y := t.i, t.rows, t.j, t.cols, t.y
	for done := 0; done < cols; {
		width := min(4, cols-done)
		t.across = (cols - done) / width
		t.j, t.y = j+done, y+done
		t.i = i
		for t.i < i+rows {
			left := i + rows - t.i
			height := min(4, left)
			if width == 4 && left > 4 {
				height = 3 // measured no slower than 4, in less of the L1 cache
			}
			for f[height][width] == nil {
				height--
			}
			t.count = left / height
			f[height][width](t) // increases t.i
		}
		done += width * t.across
	}
	t.i, t.j, t.y = i, j, y
}

func dotsWithAVX2(t *tile) { dotsAVX2.run(t) }

func dotsWithAVX512(t *tile) { dotsAVX512.run(t) }
