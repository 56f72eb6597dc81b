package kernel

import "unsafe"

// The matrices of the transforms: the values at the points of polynomials whose
// coefficients are results; the values of kernels, divided by those of what is 0
// at all other points; and the coefficients of what is 0 at all other points.
var (
	atPoints   [patchEdge][patchStep]float32
	ofKernels  [patchEdge][3]float32
	vanishing  [patchEdge][patchEdge]float32
	patchPoint = [patchEdge - 1]float64{0, 5. / 8, -5. / 8, 3. / 2, -3. / 2} // and ∞
)

func init() {
	for i, p := range patchPoint {
		poly, at := others(i), 1.0 // its coefficients, and its value at the point
		for j, q := range patchPoint {
			if j != i {
				at *= p - q
			}
		}
		power := 1.0
		for j := range patchStep {
			atPoints[i][j] = float32(power)
			if j < 3 {
				ofKernels[i][j] = float32(power / at)
			}
			power *= p
		}
		for j, c := range poly {
			vanishing[i][j] = float32(c)
		}
	}
	const infinity = patchEdge - 1
	atPoints[infinity][patchStep-1], ofKernels[infinity][2] = 1, 1
	for j, c := range others(infinity) {
		vanishing[infinity][j] = float32(c)
	}
}

// others are the coefficients of the product of x - p for all finite points p but
// number i.
func others(i int) []float64 {
	poly := []float64{1}
	for j, p := range patchPoint {
		if j == i {
			continue
		}
		next := make([]float64, len(poly)+1)
		for k, c := range poly {
			next[k+1] += c
			next[k] -= p * c
		}
		poly = next
	}
	return poly
}

// winogradGeneric is the definition of the transforms.
var winogradGeneric = winogradLoops{
	lanes:          1,
	source:         patchMapOf(patchEdge, patchEdge, func(i, j int) float32 { return vanishing[i][j] }),
	weights:        patchMapOf(3, patchEdge, func(i, j int) float32 { return ofKernels[i][j] }),
	result:         patchMapOf(patchEdge, patchStep, func(i, j int) float32 { return atPoints[j][i] }),
	gradient:       patchMapOf(patchStep, patchEdge, func(i, j int) float32 { return atPoints[i][j] }),
	weightGradient: patchMapOf(patchEdge, 3, func(i, j int) float32 { return ofKernels[j][i] }),
	copy:           copyPatchesGeneric,
}

func copyPatchesGeneric(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, points, vectors, items int) {
	for item := range items {
		for i := range points {
			from := floatAt(src, item*srcItem+offsetAt(srcAt, item*srcMore+4*i))
			to := floatAt(dst, item*dstItem+offsetAt(dstAt, item*dstMore+4*i))
			copy(unsafe.Slice(to, vectors), unsafe.Slice(from, vectors))
		}
	}
}

// floatAt is what lies so many bytes behind base, offsetAt what it holds.
func floatAt(base *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(base), bytes))
}

func offsetAt(base *int32, bytes int) int {
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(base), bytes)))
}

// patchMapOf is the map with a matrix, whose vectors have one element.
func patchMapOf(from, to int, matrix func(i, j int) float32) patchMap {
	return func(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, room *float32, vectors, items int) {
		var half [patchEdge][patchEdge]float32
		for item := range items {
			for v := range vectors {
				for i := range to {
					for j := range from {
						half[i][j] = 0
						for k := range from {
							at := offsetAt(srcAt, item*srcMore+4*(k*from+j))
							half[i][j] += matrix(i, k) * *floatAt(src, item*srcItem+4*v+at)
						}
					}
				}
				for i := range to {
					for j := range to {
						var sum float32
						for k := range from {
							sum += matrix(j, k) * half[i][k]
						}
						at := offsetAt(dstAt, item*dstMore+4*(i*to+j))
						*floatAt(dst, item*dstItem+4*v+at) = sum
					}
				}
			}
		}
	}
}
