package kernel

// poolLoops are the inner loops of pooling. They compute rows of n results from
// what taps read, which offsets lists like a poolPlan. Distances are in bytes.
type poolLoops struct {
	// max is the largest, NaN before all numbers. place is the number of the first
	// tap that reads it, or 0 if that is -Inf; then the result is not 0.
	max   func(y *float32, rowY int, x *float32, rowX int, offsets *int32, taps, rows, n int)
	place func(y *float32, rowY int, x *float32, rowX int, offsets *int32, taps, rows, n int) int

	// pick adds up what is read from x where about is the number of the tap,
	// scaled the products of both.
	pick, scaled poolGather

	// sum is the sum, times scale, of which there is an element for each of y.
	sum func(y, scale *float32, rowY int, x *float32, rowX int, offsets *int32, taps, rows, n int)

	// squareMax and squareMaxGrad are max and its gradient for squares of two by two
	// elements next to each other: x and dx have 2·rows rows of 2·n elements.
	squareMax     func(y, x *float32, rows, n int)
	squareMaxGrad func(dx, x, dy *float32, rows, n int)

	// spread fills rows of n elements with an element of y each, divided by by.
	spread func(x, y *float32, rows, n int, by float32)
}

type poolGather func(y *float32, rowY int, x, about *float32, rowX int, offsets *int32, taps, rows, n int)
