//go:build !(amd64 || arm64) || purego

package kernel

// tables has what this processor supports, best last.
func tables() []*table { return []*table{&generic} }
