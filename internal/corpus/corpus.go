// Package corpus finds the third-party models and data that some tests use.
// They lie outside the project, in ../shared from its root or where
// FINETUNE_SHARED points, and are not needed to build or to run anything.
package corpus

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path is the path of a file or folder of the corpus, slash-separated and
// relative to its root. The test is skipped, with a notice, where the corpus is
// absent, and fails if CI is set: there it has to be present.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(), filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("test corpus: %v", err)
		}
		tb.Skipf("no test corpus (set FINETUNE_SHARED to its folder): %v", err)
	}
	return path
}

// Root is the folder of the corpus, whether or not it exists.
func Root() string {
	if dir := os.Getenv("FINETUNE_SHARED"); dir != "" {
		return dir
	}
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "shared")
}
