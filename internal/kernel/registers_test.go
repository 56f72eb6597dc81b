package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestAVX2HasSixteenRegisters: the generator knows of 32, and would use the
// others where a function needs more, which only AVX-512 has.
func TestAVX2HasSixteenRegisters(t *testing.T) {
	files, err := filepath.Glob("zz_*_avx2_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly: %v", err)
	}
	others := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := others.Find(text); found != nil {
			t.Errorf("%s uses %s", file, found)
		}
	}
}
