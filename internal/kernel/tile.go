package kernel

// tile is the part of a product that the inner loops compute in one go:
//
//	c = alpha·a·b + beta·c
//
// for rows i to i+rows and columns j to j+cols. In the layout of the slices,
// element (x, p) of A is a[x*aRow+p*aStep], element (p, y) of B is b[p*bRow+y]
// or, for the loops that are called dots, b[y*bRow+p], and element (x, y) of C
// is c[x*cRow+y]. For dots, aStep is 1. B may begin at another column than C:
// column j of C belongs to column y of B. With beta 0, c is not read.
//
// Each element is the sum over p from 0 to k in this order, whatever the part;
// dots add up in another order, the same for all elements.
type tile struct {
	a           []float32
	aRow, aStep int
	b           []float32
	bRow        int
	c           []float32
	cRow        int
	k           int
	alpha, beta float32

	i, rows int
	j, cols int
	y       int

	// For the functions in assembly, each of which has its own rows and columns:
	// how many of them below each other and, for dots, side by side.
	count, across int

	// If not empty, the rows of B are copied there, panelCols elements apart. There
	// are then as many rows of A as table.tall says, and at most panelCols columns.
	copy []float32

	last bool // there are no more terms: do what ep says
	ep   Epilogue
}
