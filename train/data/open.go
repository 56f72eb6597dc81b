package data

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Open reads the dataset at path, in the format that its content shows:
//
//   - a folder with idx files, MNIST's train-images-idx3-ubyte and t10k-… (plain
//     or .gz), or one such file of images, its labels beside it;
//   - a folder with CIFAR-10's data_batch_*.bin and test_batch.bin, or one .bin;
//   - a folder with a subfolder of PNG or JPEG images per class, or with folders
//     train and test of that kind;
//   - a table of text, values separated by commas, semicolons, tabs or bars;
//   - NumPy arrays: an .npy file, its labels beside it, or an .npz archive, with
//     its halves in arrays such as x_train and x_test if it has two;
//   - a folder with one .csv, .tsv, .data or .npz file, or with train.csv and
//     test.csv.
//
// It is an error if there are no examples. Options that the format has no use
// for are ignored.
func Open(path string, opt Options) (Source, error) {
	if opt.Split == "" {
		opt.Split = "train"
	}
	if opt.Split != "train" && opt.Split != "test" {
		return nil, fmt.Errorf("expected the split train or test, found %q", opt.Split)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(path, opt)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file or a folder", path)
	}
	return openFile(path, opt)
}

// kinds are the formats of single files, by what openFile calls them.
var kinds = map[string]func(path string, opt Options) (Source, error){
	"cifar": func(path string, _ Options) (Source, error) { return openCifar(path) },
	"idx":   openIdx,
	"npy":   openNpy,
	"npz":   openNpz,
	"table": openTable,
}

func openFile(path string, opt Options) (Source, error) {
	kind, err := sniff(path)
	if err != nil {
		return nil, err
	}
	open := kinds[kind]
	if open == nil {
		return nil, fmt.Errorf("%s: expected an idx, CIFAR-10 (.bin), CSV, .npy or .npz file, or a folder of images, found %s", path, kind)
	}
	if opt.Split != "train" && kind != "npz" {
		return nil, fmt.Errorf("%s: %s half: %w", path, opt.Split, ErrNoSplit)
	}
	return open(path, opt)
}

// Large files that were never fetched are small texts that begin so.
const (
	lfsPointer = "version https://git-lfs.github.com/spec/"
	lfsAdvice  = "a Git LFS pointer, not the file itself; `git lfs pull` fetches that"
)

// sniff names the format of a file by its first bytes.
func sniff(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	start := make([]byte, 4096)
	n, err := io.ReadFull(f, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	start = start[:n]
	has := func(prefix string) bool { return bytes.HasPrefix(start, []byte(prefix)) }
	base := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	switch {
	case n == 0:
		return "an empty file", nil
	case has("\x93NUMPY"):
		return "npy", nil
	case has("PK"):
		return "npz", nil
	case has(lfsPointer):
		return lfsAdvice, nil
	case has("\x89PNG"), has("\xff\xd8\xff"):
		return "a single image", nil
	case has("\x1f\x8b"):
		if strings.Contains(base, "idx") {
			return "idx", nil
		}
		return "a gzip file, to be unpacked first", nil
	case strings.HasSuffix(base, ".bin"):
		return "cifar", nil
	case has("\x00\x00"), strings.Contains(base, "idx") && strings.Contains(base, "ubyte"):
		return "idx", nil
	case isText(start):
		return "table", nil
	}
	return fmt.Sprintf("bytes that begin % x", start[:min(n, 8)]), nil
}

// isText reports whether the start of a file is UTF-8 or Latin-1 text: it has no
// control characters but white space.
func isText(start []byte) bool {
	for _, b := range start {
		if b < ' ' && !strings.ContainsRune("\t\n\r\f", rune(b)) || b == 0x7f {
			return false
		}
	}
	// The last character may be cut, and old tables have accents in Latin-1.
	high := 0
	for rest := start; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			high++
		}
		rest = rest[size:]
	}
	return high*20 <= len(start)
}
