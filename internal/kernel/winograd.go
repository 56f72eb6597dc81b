package kernel

// A winograd computes convolutions by kernels of 3 by 3 elements that move by one
// in a quarter of the multiplications. Images are cut into patches of 6 by 6
// elements, which overlap by two, each for 4 by 4 results. Patches and kernels
// are transformed, so that their products element by element, added up over the
// channels, are the transformed results: 36 products of matrices. See Winograd,
// Arithmetic Complexity of Computations, 1980, and Lavin and Gray, Fast
// Algorithms for Convolutional Neural Networks, 2015.
//
// One dimension of it is the product of polynomials, by their values at as many
// points as the product has coefficients. The points 0, ±5/8, ±3/2 and ∞ are of
// those with which the error is small, see Barabasz et al., Error Analysis and
// Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2020:
// about six times that of a direct sum, where 0, ±1, ±2 and ∞ have twelve.
//
// Images are read into pixels of panelCols channels, which lie together, so that
// a vector holds channels. Places are lists of offsets, which lead outside of an
// image to a pixel of zeros.
type winograd struct {
	images, sources, results int
	backward                 bool // weights of a source lie together, rather than those of a result

	source, result patchGrid
	groups         []patchGroup
	patches        int // in all groups
	most           int // in a group

	// The smaller of the two factors is transformed as a whole before tasks take
	// each a part of the other: a group of patches or a panel of results.
	imagesFirst bool

	v, u, m layout // of transformed sources, of a panel of weights and of one of results
	taps    []int32
	pixels  int // elements
}

// layout is that of transformed patches: where their elements are, and how far
// apart patches are.
type layout struct {
	at          []int32 // in bytes
	point, item int
	size        int
}

// newLayout has room for so many patches of item elements each.
func newLayout(patches, item int) layout {
	l := layout{item: item, point: patches*item + 16} // not a power of two: these wear out few cache sets
	for i := range patchPoints {
		l.at = append(l.at, int32(4*i*l.point))
	}
	l.size = patchPoints * l.point
	return l
}

const (
	patchEdge   = 6                     // of sources
	patchStep   = 4                     // of results
	patchPoints = patchEdge * patchEdge // elements of a transformed patch
	patchWanted = 56                    // patches in a group
)

// patchGrid cuts images into rows and columns of patches, patchStep apart, which
// begin pad elements before the image.
type patchGrid struct {
	height, width int // of an image
	rows, cols    int
	edge          int
	padH, padW    int
}

// patchGroup is what one task works on: some rows of patches of an image, or all
// those of some images.
type patchGroup struct {
	image, images int
	first         int // number of its first patch
	patches       int // in an image

	source, result *patchPlaces
}

// patchPlaces says where some rows of patches find their elements.
type patchPlaces struct {
	lo, hi int     // rows of the image that they need
	at     []int32 // for each patch and element, in bytes
}

// room is how many elements pixels take, with one outside of the image.
func (g *patchGrid) room(p *patchPlaces) int { return ((p.hi-p.lo)*g.width + 1) * panelCols }

// places are those of rows of patches.
func (g *patchGrid) places(row, rows int) *patchPlaces {
	p := &patchPlaces{
		lo: max(0, row*patchStep-g.padH),
		hi: min(g.height, (row+rows-1)*patchStep-g.padH+g.edge),
	}
	for r := row; r < row+rows; r++ {
		for c := range g.cols {
			for i := range g.edge {
				for j := range g.edge {
					y, x := r*patchStep-g.padH+i, c*patchStep-g.padW+j
					pixel := (p.hi - p.lo) * g.width
					if y >= 0 && y < g.height && x >= 0 && x < g.width {
						pixel = (y-p.lo)*g.width + x
					}
					p.at = append(p.at, int32(4*panelCols*pixel))
				}
			}
		}
	}
	return p
}

// newWinograd plans the outputs of a convolution or, backward, the gradients of
// its inputs. It returns nil where that is not possible.
func newWinograd(c *Conv, backward bool) *winograd {
	one := [3]int{1, 1, 1}
	if c.Kernel != [3]int{1, 3, 3} || c.Stride != one || c.Dilation != one || c.Groups != 1 || c.In[0] != 1 || c.Out[0] != 1 ||
		c.Pad[0] != 0 || c.Pad[1] > 2 || c.Pad[2] > 2 || c.N*c.C*c.M*c.pixels()*c.outputs() == 0 {
		return nil
	}
	s := &winograd{images: c.N, sources: c.C, results: c.M, backward: backward}
	s.source = patchGrid{height: c.In[1], width: c.In[2], padH: c.Pad[1], padW: c.Pad[2]}
	s.result = patchGrid{height: c.Out[1], width: c.Out[2]}
	if backward {
		s.sources, s.results = s.results, s.sources
		s.source, s.result = s.result, s.source
		s.source.padH, s.source.padW = 2-c.Pad[1], 2-c.Pad[2]
		s.result.padH, s.result.padW = 0, 0
	}
	s.source.edge, s.result.edge = patchEdge, patchStep
	s.group()
	s.layOut()
	if s.v.size > sweepLimit || !s.imagesFirst && s.u.size*blocks(s.results, panelCols) > sweepLimit {
		return nil
	}
	return s
}

// layOut decides what is transformed first and places all in memory.
func (s *winograd) layOut() {
	s.imagesFirst = s.patches < s.results
	patches := s.most
	if s.imagesFirst {
		patches = s.patches
	}
	s.v = newLayout(patches, s.panels()*panelCols+16)
	s.u = newLayout(s.sources, panelCols)
	s.m = newLayout(patches, panelCols)
	for i := range 9 {
		tap := i
		if s.backward {
			tap = 8 - i
		}
		s.taps = append(s.taps, int32(4*panelCols*tap))
	}
	for _, g := range s.groups {
		s.pixels = max(s.pixels, s.source.room(g.source), s.result.room(g.result))
	}
	s.pixels = max(s.pixels, 2*weightsAtOnce*9*panelCols)
}

// panels is how many of them the sources fill.
func (s *winograd) panels() int { return blocks(s.sources, panelCols) }

// weightsAtOnce is how many sources' weights are moved before they are
// transformed, while they are in the cache.
const weightsAtOnce = 32

// group cuts the patches into groups.
func (s *winograd) group() {
	rows, cols := blocks(s.result.height, patchStep), blocks(s.result.width, patchStep)
	s.source.rows, s.source.cols = rows, cols
	s.result.rows, s.result.cols = rows, cols
	step := balanced(rows, max(1, patchWanted/cols))
	images := balanced(s.images, max(1, patchWanted/(rows*cols)))
	type rowsOfPatches struct{ source, result *patchPlaces }
	var parts []rowsOfPatches
	for row := 0; row < rows; row += step {
		n := min(step, rows-row)
		parts = append(parts, rowsOfPatches{s.source.places(row, n), s.result.places(row, n)})
	}
	for image := 0; image < s.images; image += images {
		n := min(images, s.images-image)
		for _, p := range parts {
			g := patchGroup{image: image, images: n, first: s.patches, source: p.source, result: p.result}
			g.patches = len(p.result.at) / (patchStep * patchStep)
			s.groups = append(s.groups, g)
			s.patches += n * g.patches
			s.most = max(s.most, n*g.patches)
		}
	}
}
