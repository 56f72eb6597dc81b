package kernel

import (
	"syscall"
	"testing"
	"unsafe"
)

// fenced is a copy of x that nothing can read or write behind, nor, if it is
// whole pages long, before.
func fenced(t *testing.T, x []float32) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	size := blocks(4*len(x), page) * page
	mem, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	for _, fence := range [][]byte{mem[:page], mem[page+size:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if len(x) == 0 {
		return nil
	}
	f := unsafe.Slice((*float32)(unsafe.Pointer(&mem[page+size-4*len(x)])), len(x))
	copy(f, x)
	return f
}
