package data

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openFolder looks for each kind of dataset that may lie in a folder.
func openFolder(dir string, opt Options) (Source, error) {
	folders, files, err := list(dir)
	if err != nil {
		return nil, err
	}
	if images, err := findIdx(dir, files, opt.Split); err != nil {
		return nil, err
	} else if images != "" {
		return openIdx(images, opt)
	}
	if batches, err := findCifar(dir, files, opt.Split); err != nil {
		return nil, err
	} else if len(batches) > 0 {
		return openCifar(batches...)
	}

	if len(folders) > 0 {
		return openFolders(dir, folders, opt)
	}
	if file, err := findFile(dir, files, opt.Split); err != nil {
		return nil, err
	} else if file != "" {
		return openHalf(filepath.Join(dir, file), dir, opt)
	}
	return nil, fmt.Errorf("%s: expected idx files, CIFAR-10 batches, a folder of images per class, or one file of data, found %s", dir, summary(files))
}

// list is what lies in a folder, sorted, but for what is hidden.
func list(dir string) (folders, files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		// Stat follows links.
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			folders = append(folders, name)
		} else {
			files = append(files, name)
		}
	}
	return folders, files, nil
}

// halves are the names of folders and files that hold one half of a dataset each.
var halves = map[string][]string{
	"train": {"train", "training"},
	"test":  {"test", "testing", "val", "valid", "validation"},
}

// findHalf is which of names, given in lower case by stem, is that of a split;
// empty if none is.
func findHalf(names map[string]string, split string) string {
	for _, stem := range halves[split] {
		if name := names[stem]; name != "" {
			return name
		}
	}
	return ""
}

// findFile is the one table or archive in a folder, or that of the wanted half,
// such as test.csv. It is empty if there is none or more than one.
func findFile(dir string, files []string, split string) (string, error) {
	var found []string
	stems := map[string]string{}
	for _, name := range files {
		switch ext := strings.ToLower(filepath.Ext(name)); ext {
		case ".csv", ".tsv", ".data", ".npz":
			found = append(found, name)
			stems[strings.ToLower(strings.TrimSuffix(name, filepath.Ext(name)))] = name
		}
	}
	half := findHalf(stems, split)
	switch {
	case half != "":
		return half, nil
	case findHalf(stems, "train")+findHalf(stems, "test") != "":
		return "", fmt.Errorf("%s: %s half: %w; found %s", dir, split, ErrNoSplit, summary(found))
	case len(found) == 1:
		return found[0], nil
	}
	return "", nil
}

// openFolders reads folders that are classes, or the halves of a dataset.
func openFolders(dir string, folders []string, opt Options) (Source, error) {
	stems := map[string]string{}
	divided := true
	for _, name := range folders {
		stem := strings.ToLower(name)
		stems[stem] = name
		divided = divided && (slices.Contains(halves["train"], stem) || slices.Contains(halves["test"], stem))
	}
	half := findHalf(stems, opt.Split)
	switch {
	case divided && half != "":
		return openHalf(filepath.Join(dir, half), dir, opt)
	case divided, opt.Split != "train":
		return nil, fmt.Errorf("%s: %s half: %w; found folders %s", dir, opt.Split, ErrNoSplit, summary(folders))
	}
	return openImages(dir, folders, opt)
}

// openHalf reads path, which lies in dir and is all of the wanted half, or a file
// that may be divided itself. The training half, if there is another, says what
// targets mean: the test half may lack a class.
func openHalf(path, dir string, opt Options) (Source, error) {
	stem := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	if isHalf := slices.Contains(halves[opt.Split], stem); !isHalf {
		return Open(path, opt)
	}
	if opt.Split == "test" {
		training := opt
		training.Split = "train"
		src, err := Open(dir, training)
		if err != nil && !errors.Is(err, ErrNoSplit) {
			return nil, err
		}
		if err == nil {
			opt = opt.Like(src.Target())
		}
	}
	opt.Split = "train" // of what is in there: all
	return Open(path, opt)
}

// summary lists the first few names.
func summary(names []string) string {
	const most = 8
	switch n := len(names); {
	case n == 0:
		return "nothing"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
