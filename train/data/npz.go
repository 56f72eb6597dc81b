package data

import (
	"archive/zip"
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// openNpz reads an archive of named arrays.
func openNpz(path string, opt Options) (Source, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer archive.Close()
	members := map[string]*zip.File{}
	var names []string
	for _, f := range archive.File {
		if name, ok := strings.CutSuffix(f.Name, ".npy"); ok && members[name] == nil {
			members[name] = f
			names = append(names, name)
		}
	}
	slices.Sort(names)
	inputs, label, err := chooseArrays(path, names, opt)
	if err != nil {
		return nil, err
	}
	var xs []*array
	var fields []string
	for _, name := range append(inputs, label) {
		x, err := readMember(path+": "+name, members[name])
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
		plain, _ := half(name)
		fields = append(fields, plain)
	}
	last := len(xs) - 1
	return newArrays(xs[:last], fields[:last], xs[last], opt)
}

// readMember reads an array of an archive. The sizes in the archive's directory
// are no more to be trusted than those in a header.
func readMember(place string, f *zip.File) (*array, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	defer r.Close()
	limit := int64(min(f.UncompressedSize64, f.CompressedSize64*gzipRatio))
	return decodeNpy(place, bufio.NewReaderSize(r, 1<<16), limit)
}

// half splits the name of an array such as x_train or train_images into what is
// left of it, and the half of the dataset that it belongs to, if any.
func half(name string) (plain, split string) {
	for _, split := range []string{"train", "test", "val"} {
		if plain, ok := strings.CutSuffix(name, "_"+split); ok {
			return plain, split
		}
		if plain, ok := strings.CutPrefix(name, split+"_"); ok {
			return plain, split
		}
	}
	return name, ""
}

// labelNames are what the array of targets is called, the surest name first.
var labelNames = []string{"labels", "label", "targets", "target", "y", "Y"}

// chooseArrays picks the inputs and the target from the names in an archive.
func chooseArrays(path string, names []string, opt Options) (inputs []string, label string, err error) {
	halves := slices.ContainsFunc(names, func(name string) bool { _, split := half(name); return split != "" })
	byPlain := map[string]string{}
	var plains []string
	for _, name := range names {
		plain, split := half(name)
		switch {
		case !halves && opt.Split == "train":
			plain = name
		case split != opt.Split:
			continue
		}
		byPlain[plain] = name
		plains = append(plains, plain)
	}
	list := strings.Join(names, ", ")
	if len(byPlain) == 0 {
		if len(names) > 0 {
			return nil, "", fmt.Errorf("%s: arrays of the %s half: %w; found %s", path, opt.Split, ErrNoSplit, list)
		}
		return nil, "", fmt.Errorf("%s: expected arrays (.npy) in the archive, found none", path)
	}
	wanted := labelNames
	if opt.Label != "" {
		plain, _ := half(opt.Label)
		wanted = []string{opt.Label, plain}
	}
	target := slices.IndexFunc(wanted, func(name string) bool { return byPlain[name] != "" })
	if target < 0 {
		return nil, "", fmt.Errorf("%s: expected targets in an array %s, found %s", path, strings.Join(wanted, ", "), list)
	}
	label = byPlain[wanted[target]]
	var rest []string
	for _, plain := range plains {
		if plain != wanted[target] {
			rest = append(rest, byPlain[plain])
		}
	}
	for _, name := range opt.Inputs {
		if byPlain[name] != "" && name != wanted[target] {
			inputs = append(inputs, byPlain[name])
		}
	}
	switch {
	case len(rest) == 0:
		return nil, "", fmt.Errorf("%s: expected arrays of inputs beside %s, found none", path, label)
	case len(opt.Inputs) == 0 || (len(rest) == 1 && len(opt.Inputs) == 1):
		inputs = rest
	case len(inputs) < len(opt.Inputs):
		return nil, "", fmt.Errorf("%s: expected inputs in arrays %s, found %s", path, strings.Join(opt.Inputs, ", "), list)
	}
	return inputs, label, nil
}
