package kernel

// A stencil is a convolution of each channel by itself, with a small square
// kernel and a stride of 1 or 2: as a product of matrices it would have a single
// row. Loops go over the images a vector of columns at a time, from row to row.
type stencil struct {
	rows             *sweepLoops
	images, channels int
	kernel, stride   int
	pad              int // rows above the first
	in, out          size2
}

// size2 is the size of an image.
type size2 struct{ h, w int }

func (s size2) area() int { return s.h * s.w }

// newStencil returns nil for convolutions of another kind.
func newStencil(c *Conv) *stencil {
	k, stride := c.Kernel[2], c.Stride[2]
	if active.stencil.lanes == 0 || c.C != c.Groups || c.M != c.C || c.N*c.C*c.pixels()*c.outputs() == 0 ||
		c.In[0] != 1 || c.Out[0] != 1 || c.Kernel[0] != 1 || c.Pad[0] != 0 ||
		k != 3 && k != 5 || c.Kernel[1] != k || stride > 2 || c.Stride[1] != stride ||
		c.Dilation[1] != 1 || c.Dilation[2] != 1 {
		return nil
	}
	return &stencil{
		rows: &active.sweep, images: c.N, channels: c.C, kernel: k, stride: stride,
		pad: c.Pad[1], in: size2{c.In[1], c.In[2]}, out: size2{c.Out[1], c.Out[2]},
	}
}

// loopsFor are those for the width of the images.
func (s *stencil) loopsFor(stride int) *stencilLoops {
	return active.stencilFor(max(s.in.w, s.out.w), stride)
}

// What is read column by column must be near. Small images are read where they
// are, those of a channel one behind the other; then those of one channel after
// the other; and large ones are copied, in strips of rows, to and from memory that
// stays in the cache. The figures are in elements.
const (
	smallImage = 2 << 10
	largeImage = 16 << 10
	stripSize  = 32 << 10
)

func (s *stencil) size() int { return max(s.in.area(), s.out.area()) }

// frames is how many images of a channel are gone through at a time.
func (s *stencil) frames() int {
	if s.size() > smallImage {
		return 1
	}
	return s.images
}

// far reports whether images are copied.
func (s *stencil) far() bool { return s.size() > largeImage }

// ahead is how far a channel is from the next: while one is worked on, the other
// is on its way into the cache.
func (s *stencil) ahead(size size2) int {
	if s.far() {
		return 0
	}
	return 4 * size.area()
}
