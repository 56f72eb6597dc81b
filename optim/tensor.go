package optim

// tensor is a parameter in training: what is remembered of it from step to step,
// and what is worked out anew at each.
type tensor struct {
	*Param
	plan  *Plan
	slots [][]float32 // what the rule remembers, as its slots say
	kinds []slot
	start []float32 // the weights before the first step; nil unless a penalty needs them

	h      Hyper     // at this step: schedules are applied
	moving []moving  // what of h has a schedule of its own
	step   int       // from 1
	source []float32 // the update as the stage finds it: at first the gradient
	update []float32 // room for the update between stages; nil if there is one only
	chain  chain     // of this stage

	// What a stage has found out about the tensor as a whole, for its chain.
	figure  float64
	figures []float64

	rooms [][]float32 // for what is worked out on the way, kept from step to step
}

// room is space for n numbers, the i-th that is asked for. It holds anything.
func (x *tensor) room(i, n int) []float32 {
	for len(x.rooms) <= i {
		x.rooms = append(x.rooms, nil)
	}
	if len(x.rooms[i]) < n {
		x.rooms[i] = make([]float32, n)
	}
	return x.rooms[i][:n]
}

// moving is a hyperparameter that has a schedule of its own.
type moving struct {
	now      *float64 // in tensor.h
	full     float64
	schedule Schedule
}

// begin works out the hyperparameters of a step, from 1, in a run of so many.
// Learning rates without a schedule of their own are multiplied by scale.
func (x *tensor) begin(step, steps int, scale float64) {
	x.step, x.source = step, x.Grad
	x.h.LR = x.plan.Hyper.LR * scale
	for _, m := range x.moving {
		*m.now = m.full * m.schedule(step-1, steps)
	}
}

// slot is state that a rule keeps of a parameter.
type slot struct {
	name  string
	size  int     // 0 for one number per element
	first float32 // what all numbers are at first
}

// elementwise reports whether slot i has a number for each element.
func (x *tensor) elementwise(i int) bool { return x.kinds[i].size == 0 }

// matrix reports whether x has rows and columns that mean something.
func (x *tensor) matrix() bool { return x.Rank() > 1 }
