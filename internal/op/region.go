package op

import (
	"fmt"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RegionSpec says how Regions reads boxes.
type RegionSpec struct {
	Rows, Cols int  // cells of a region
	Max        bool // the largest element of a cell counts, else the mean

	Bins  bool         // cells of whole elements, of boxes times Scale; else Align
	Align kernel.Align // points between elements
}

// Align is how RoiAlign reads a box.
type Align = kernel.Align

// Regions pools boxes (R, 4), x1, y1, x2 and y2, of x (N, C, H, W), each from the
// image that images, int64 (R), says: (R, C, Rows, Cols). Boxes get no gradient.
func Regions(x, boxes, images *G.Node, s RegionSpec) (*G.Node, error) {
	if err := needFloat("Regions", x, boxes); err != nil {
		return nil, err
	}
	if err := needInts("Regions", images); err != nil {
		return nil, err
	}
	xs, bs := x.Shape(), boxes.Shape()
	if len(xs) != 4 || xs[2]*xs[3] == 0 || len(bs) != 2 || bs[1] != 4 || images.Dims() != 1 || images.Shape()[0] != bs[0] || s.Rows < 1 || s.Cols < 1 {
		return nil, fmt.Errorf("Regions: %d by %d cells of boxes %v on images %v of %v, want (R, 4), (R) and (N, C, H, W)",
			s.Rows, s.Cols, bs, images.Shape(), xs)
	}
	shape := []int{bs[0], xs[1], s.Rows, s.Cols}
	if err := checkShape("Regions", shape); err != nil {
		return nil, err
	}
	r := &kernel.Regions{Images: xs[0], Channels: xs[1], Height: xs[2], Width: xs[3], Rows: s.Rows, Cols: s.Cols, Max: s.Max}
	if s.Bins {
		r.BinRegions(s.Align.Scale)
	} else {
		r.AlignRegions(s.Align)
	}
	within := func(images []int64) error {
		if i := kernel.OutOfRange(images, 0, int64(r.Images)); i >= 0 {
			return fmt.Errorf("region %d is on image %d of %d", i, images[i], r.Images)
		}
		return nil
	}
	return apply(Op{
		Name: "Regions", Shape: shape, Dtype: tensor.Float32, Diff: []bool{true, false, false},
		Run: func(c *Call) error {
			if err := within(c.In[2].I); err != nil {
				return err
			}
			r.Pool(c.Out.F, c.In[0].F, c.In[1].F, c.In[2].I)
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name: "RegionsGrad", Shape: in[0].Shape(), Dtype: tensor.Float32,
				Run: func(c *Call) error {
					if err := within(c.In[3].I); err != nil {
						return err
					}
					r.PoolGrad(c.Out.F, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].I)
					return nil
				},
			}, g, in[0], in[1], in[2])
			return G.Nodes{dx, nil, nil}, err
		},
	}, x, boxes, images)
}
