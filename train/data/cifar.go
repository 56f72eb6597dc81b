package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A record of CIFAR-10 (Alex Krizhevsky, Learning Multiple Layers of Features
// from Tiny Images, 2009) is the label, one byte, then the red, the green and
// the blue plane of a picture of 32 by 32 pixels, row-major.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
)

var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// cifar holds whole files as they are.
type cifar struct {
	paths []string
	files [][]byte
	start []int // number of the first record of each file
	n     int
}

func openCifar(paths ...string) (Source, error) {
	c := &cifar{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		n := len(raw) / cifarRecord
		if n == 0 || len(raw)%cifarRecord != 0 {
			return nil, fmt.Errorf("%s: expected CIFAR-10 records of %d bytes each, found %d bytes: %d records and %d bytes more",
				path, cifarRecord, len(raw), n, len(raw)%cifarRecord)
		}
		for i := range n {
			if label := raw[i*cifarRecord]; int(label) >= len(cifarClasses) {
				return nil, fmt.Errorf("%s: record %d: expected a label from 0 to %d, found %d", path, i, len(cifarClasses)-1, label)
			}
		}
		c.paths = append(c.paths, path)
		c.files = append(c.files, raw)
		c.start = append(c.start, c.n)
		c.n += n
	}
	return c, nil
}

// findCifar lists the files of a folder for a split: "train" or "test". It is
// empty if the folder holds no CIFAR files at all.
func findCifar(dir string, names []string, split string) ([]string, error) {
	found := map[string][]string{}
	any := false
	for _, name := range names {
		if !strings.HasSuffix(name, ".bin") || !isFile(filepath.Join(dir, name)) {
			continue
		}
		half := ""
		switch {
		case strings.HasPrefix(name, "data_batch"), strings.HasPrefix(name, "train"):
			half = "train"
		case strings.HasPrefix(name, "test"):
			half = "test"
		default:
			continue
		}
		any = true
		found[half] = append(found[half], filepath.Join(dir, name))
	}
	if any && len(found[split]) == 0 {
		return nil, fmt.Errorf("%s: %s batches (.bin): %w", dir, split, ErrNoSplit)
	}
	return found[split], nil
}

func (c *cifar) Len() int { return c.n }

func (c *cifar) Inputs() []Field {
	return []Field{{Name: "image", Shape: []int{cifarSide, cifarSide, 3}, Image: true, Integer: true}}
}

func (c *cifar) Target() Target {
	return Target{Labels: true, Classes: len(cifarClasses), Names: cifarClasses}
}

// find is the file of record i, and its number there.
func (c *cifar) find(i int) (file, record int) {
	file, exact := slices.BinarySearch(c.start, i)
	if !exact {
		file--
	}
	return file, i - c.start[file]
}

func (c *cifar) Where(i int) string {
	file, record := c.find(i)
	return fmt.Sprintf("%s: record %d", c.paths[file], record)
}

func (c *cifar) Example(i int, in [][]float32, target []float32) error {
	file, record := c.find(i)
	raw := c.files[file][record*cifarRecord:][:cifarRecord]
	if target != nil {
		target[0] = float32(raw[0])
	}
	if in != nil && in[0] != nil {
		pixels := in[0][:3*cifarPlane]
		for k, v := range raw[1:] {
			pixels[k%cifarPlane*3+k/cifarPlane] = float32(v)
		}
	}
	return nil
}
