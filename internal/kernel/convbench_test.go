package kernel

import "testing"

// square is a window over a square image.
func square(size, kernel, stride, pad int) Window {
	return slide{[]int{size, size}, []int{kernel, kernel}, []int{stride, stride}, []int{1, 1}, []int{pad, pad}, []int{pad, pad}}.window()
}

var layers = []struct {
	name                      string
	n, c, m, groups           int
	size, kernel, stride, pad int
}{
	{"stem", 8, 3, 64, 1, 224, 7, 2, 3},
	{"64@56", 8, 64, 64, 1, 56, 3, 1, 1},
	{"128@28", 8, 128, 128, 1, 28, 3, 1, 1},
	{"256@14", 8, 256, 256, 1, 14, 3, 1, 1},
	{"512@7", 8, 512, 512, 1, 7, 3, 1, 1},
	{"64-128s2", 8, 64, 128, 1, 56, 3, 2, 1},
	{"128-256s2", 8, 128, 256, 1, 28, 3, 2, 1},
	{"256-512s2", 8, 256, 512, 1, 14, 3, 2, 1},
	{"64-128s2k1", 8, 64, 128, 1, 56, 1, 2, 0},
	{"128-256s2k1", 8, 128, 256, 1, 28, 1, 2, 0},
	{"256-512s2k1", 8, 256, 512, 1, 14, 1, 2, 0},
	{"1to8k5@28", 64, 1, 8, 1, 28, 5, 1, 2},
	{"8to16k5@14", 64, 8, 16, 1, 14, 5, 1, 2},
	{"1to32k3@28", 64, 1, 32, 1, 28, 3, 1, 1},
	{"32to64k3@14", 64, 32, 64, 1, 14, 3, 1, 1},
	{"pw32-16@112", 8, 32, 16, 1, 112, 1, 1, 0},
	{"pw16-96@112", 8, 16, 96, 1, 112, 1, 1, 0},
	{"pw24-144@56", 8, 24, 144, 1, 56, 1, 1, 0},
	{"pw144-24@56", 8, 144, 24, 1, 56, 1, 1, 0},
	{"pw64-384@14", 8, 64, 384, 1, 14, 1, 1, 0},
	{"pw576-96@14", 8, 576, 96, 1, 14, 1, 1, 0},
	{"pw160-960@7", 8, 160, 960, 1, 7, 1, 1, 0},
	{"pw320-1280@7", 8, 320, 1280, 1, 7, 1, 1, 0},
	{"unet16@128", 4, 16, 16, 1, 128, 3, 1, 1},
	{"unet32@64", 4, 32, 32, 1, 64, 3, 1, 1},
	{"unet64-32@64", 4, 64, 32, 1, 64, 3, 1, 1},
	{"group32x4@56", 8, 128, 128, 32, 56, 3, 1, 1},
	{"dw32@112", 8, 32, 32, 32, 112, 3, 1, 1},
	{"dw96s2@112", 8, 96, 96, 96, 112, 3, 2, 1},
	{"dw144@56", 8, 144, 144, 144, 56, 3, 1, 1},
	{"dw192@28", 8, 192, 192, 192, 28, 3, 1, 1},
	{"dw576@14", 8, 576, 576, 576, 14, 3, 1, 1},
	{"dw960@7", 8, 960, 960, 960, 7, 3, 1, 1},
}

// BenchmarkConvLayers prints the speed of layers of common networks on one
// thread, and the share of what its multiply-adders could do at the time:
//
//	go test ./internal/kernel -run - -bench ConvLayers/256@14
//
// The operations are those of direct sums: transformed patches, which need fewer,
// do more than the peak. The first eleven layers are those of ResNet-18.
func BenchmarkConvLayers(b *testing.B) {
	defer SetThreads(Threads())
	SetThreads(1)
	for _, l := range layers {
		c := NewConv(l.n, l.c, l.m, l.groups, square(l.size, l.kernel, l.stride, l.pad))
		x, w, bias, dy := operands(c)
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		scratch := make([]float32, c.Scratch())
		for _, pass := range []struct {
			name string
			run  func()
		}{
			{"forward", func() { c.Forward(x, w, y, Epilogue{Row: bias}) }},
			{"data", func() { c.BackwardData(dy, w, dx, Epilogue{}) }},
			{"weights", func() { c.BackwardWeights(x, dy, dw, scratch) }},
		} {
			b.Run(l.name+"/"+pass.name, func(b *testing.B) {
				benchShare(b, 2*len(dy)*c.weights(), 1, pass.run)
			})
		}
	}
}
