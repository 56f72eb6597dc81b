package kernel

// Run takes all elements through the chain, in the thread that calls it.
func (u *Update) Run() {
	u.check()
	done := active.chain(u)
	if done < len(u.W) {
		u.finish(done)
	}
}

// check panics unless the slices are as long as the links need them.
func (u *Update) check() {
	n := len(u.W)
	if len(u.Links) == 0 || u.Links[len(u.Links)-1].Kind != End {
		panic("kernel: a chain without End")
	}
	grad, s, t, out := false, len(u.S) > 0, len(u.T) > 0, false
	for _, l := range u.Links {
		switch l.Kind {
		case AddWeights, AddSigns, AddAverage, AverageSquares, Average, GatherSquares, Divide, Descend, Store:
			grad = true
		}
		switch l.Kind {
		case AverageSquares, Normalize:
			t = true
		}
		switch l.Kind {
		case Average, GatherSquares, TakeAverage, AddAverage, Normalize, Divide:
			s = true
		}
		out = out || l.Kind == Store
		if l.Kind >= linkKinds {
			panic("kernel: a chain with an unknown link")
		}
	}
	if grad && len(u.Grad) != n || s && len(u.S) != n || t && len(u.T) != n || out && len(u.Out) != n || u.Keep != nil && len(u.Keep) != n {
		panic("kernel: the slices of an update differ in length")
	}
}
