package kernel

// workspace is the memory that a task of a plain convolution needs to multiply
// blocks of matrices.
type workspace struct {
	a, b []float32                  // packed panels
	line [tileN][]float32           // for operands that compute their lines
	tile [tileM * tileN]float32     // a tile of the result
	buf  [maxEdge * maxEdge]float32 // a block of the caller's own

	// Operands are kept here so that an interface can point to them without an
	// allocation.
	dense [2]dense
	image [2]imageLines
}

var workspaces freeList[workspace]

func getWorkspace() *workspace {
	w := workspaces.get()
	if w.a == nil {
		w.a = make([]float32, maxEdge/tileM*(panelK*tileM+panelPad))
		w.b = make([]float32, maxEdge/tileN*(panelK*tileN+panelPad))
		for i := range w.line {
			w.line[i] = make([]float32, max(panelK, maxEdge))
		}
	}
	return w
}

// put gives the workspace back. A resting one must not keep buffers alive.
func (w *workspace) put() {
	w.dense, w.image = [2]dense{}, [2]imageLines{}
	workspaces.put(w)
}

// matrix makes slot i the operand whose rows are stride elements apart.
func (w *workspace) matrix(i int, data []float32, stride int, along bool) operand {
	w.dense[i] = dense{data, stride}
	return operand{&w.dense[i], along}
}

// lines makes slot i the operand that reads images through a window.
func (w *workspace) lines(i int, win *Window, data []float32, along bool) operand {
	w.image[i] = imageLines{win, data}
	return operand{&w.image[i], along}
}
