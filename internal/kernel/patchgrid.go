package kernel

// patchGrid cuts images into rows and columns of patches. Lists are of height
// and width.
type patchGrid struct {
	size  [2]int // of an image
	count [2]int // rows and columns of patches
	first [2]int // where the first patch begins, relative to the image
	step  [2]int // between patches
	edge  [2]int // elements of a patch
	gap   [2]int // between its elements
}

// pixels is the number of pixels of an image.
func (g *patchGrid) pixels() int { return g.size[0] * g.size[1] }

// elements is the number of elements of a patch.
func (g *patchGrid) elements() int { return g.edge[0] * g.edge[1] }

// patchPlaces says where some rows of patches find their elements.
type patchPlaces struct {
	lo, hi int     // rows of the image that they need
	whole  bool    // none of them is outside
	at     []int32 // for each patch and element, in bytes
}

// room is how many elements pixels take, with one outside of the image.
func (g *patchGrid) room(p *patchPlaces) int { return ((p.hi-p.lo)*g.size[1] + 1) * panelCols }

// places are those of rows of patches. They share a list with others that are
// alike.
func (g *patchGrid) places(row, rows int, others *patchPlaces) *patchPlaces {
	lo := row*g.step[0] + g.first[0]
	hi := lo + (rows-1)*g.step[0] + (g.edge[0]-1)*g.gap[0] + 1
	inside := func(i int) int { return max(0, min(i, g.size[0])) }
	p := &patchPlaces{lo: inside(lo), whole: lo >= 0 && hi <= g.size[0]}
	p.hi = max(p.lo, inside(hi))
	if p.whole && others != nil && others.whole && len(others.at) == rows*g.count[1]*g.elements() {
		p.at = others.at
		return p
	}
	for r := row; r < row+rows; r++ {
		for c := range g.count[1] {
			for i := range g.edge[0] {
				for j := range g.edge[1] {
					y, x := r*g.step[0]+g.first[0]+i*g.gap[0], c*g.step[1]+g.first[1]+j*g.gap[1]
					pixel := (p.hi - p.lo) * g.size[1]
					if y >= 0 && y < g.size[0] && x >= 0 && x < g.size[1] {
						pixel = (y-p.lo)*g.size[1] + x
					}
					p.at = append(p.at, int32(4*panelCols*pixel))
				}
			}
		}
	}
	return p
}

// patchGroup is what one task works on: some rows of patches of an image, or all
// those of some images.
type patchGroup struct {
	image, images int
	first         int // number of its first patch
	patches       int // in an image

	source, result *patchPlaces
}

// all is the number of patches in all images of the group.
func (g *patchGroup) all() int { return g.images * g.patches }

// patchGroups cuts images into groups of about so many patches, of which there
// are as many of sources as of results.
func patchGroups(images int, source, result *patchGrid, wanted int) []patchGroup {
	rows, cols := result.count[0], result.count[1]
	step := balanced(rows, max(1, wanted/cols))
	set := balanced(images, max(1, wanted/(rows*cols)))
	type part struct {
		patches        int
		source, result *patchPlaces
	}
	var parts []part
	var last part
	for row := 0; row < rows; row += step {
		n := min(step, rows-row)
		last = part{n * cols, source.places(row, n, last.source), result.places(row, n, last.result)}
		parts = append(parts, last)
	}
	var groups []patchGroup
	first := 0
	for image := 0; image < images; image += set {
		for _, p := range parts {
			g := patchGroup{image, min(set, images-image), first, p.patches, p.source, p.result}
			groups = append(groups, g)
			first += g.all()
		}
	}
	return groups
}

// patchLayout is that of transformed patches in memory: where their elements
// are, and how far apart patches are.
type patchLayout struct {
	at          []int32 // in bytes
	point, item int
	size        int
}

// newPatchLayout has room for so many patches of points of item elements each.
func newPatchLayout(points, patches, item int) patchLayout {
	l := patchLayout{item: item, point: patches*item + 16} // not a power of two: these wear out few cache sets
	for i := range points {
		l.at = append(l.at, int32(4*i*l.point))
	}
	l.size = points * l.point
	return l
}

// patchMove transforms patches of a grid, or copies them, to a layout or back.
type patchMove struct {
	transform patchMap // nil to copy
	from      int      // elements
	to        int
}

// do moves items of so many channels.
func (m *patchMove) do(dst []float32, dstAt []int32, dstItem, dstMore int, src []float32, srcAt []int32, srcItem, srcMore int, room []float32, channels, items int) {
	l := &active.winograd
	vectors := blocks(channels, l.lanes)
	if m.transform == nil {
		l.copy(&dst[0], &dstAt[0], 4*dstItem, 4*dstMore, &src[0], &srcAt[0], 4*srcItem, 4*srcMore, m.from, vectors, items)
		return
	}
	m.transform(&dst[0], &dstAt[0], 4*dstItem, 4*dstMore, &src[0], &srcAt[0], 4*srcItem, 4*srcMore, &room[0], vectors, items)
}

// read moves a panel of the channels of the images of a group into a layout.
func (m *patchMove) read(grid *patchGrid, g *patchGroup, p *patchPlaces, x []float32, channels, panel int, to []float32, l *patchLayout, pixels, room []float32) {
	plane := grid.pixels()
	n := (p.hi - p.lo) * grid.size[1]
	clear(pixels[n*panelCols:][:panelCols])
	first := panel * panelCols
	count := min(panelCols, channels-first)
	for i := range g.images {
		if n > 0 {
			active.packColumns(pixels, x[((g.image+i)*channels+first)*plane+p.lo*grid.size[1]:], n, count, plane, 0)
		}
		m.do(to[i*g.patches*l.item:], l.at, l.item, 0, pixels, p.at, 0, m.from, room, count, g.patches)
	}
}
