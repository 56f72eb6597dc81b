package data

import "fmt"

// Open reads the dataset at path, in the format that its content shows.
func Open(path string, opt Options) (Source, error) {
	return nil, fmt.Errorf("%s: no data of a kind that can be read", path)
}
