package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/natefinch/atomic"
)

// staging writes several files so that they appear together, or none does: each
// is written beside its target under another name, synced, and renamed when all
// are complete.
type staging struct{ files []staged }

type staged struct {
	*os.File
	target string
	isNew  bool // there was nothing at target
	done   bool // renamed
}

// create opens a file that is going to be target.
func (s *staging) create(target string) (*os.File, error) {
	mode := fs.FileMode(0o666)
	old, err := os.Stat(target)
	switch {
	case err == nil && old.IsDir():
		return nil, fmt.Errorf("%s: is a folder", target)
	case err == nil && !old.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no regular file", target)
	case err == nil:
		mode = old.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	dir, base := filepath.Split(target)
	for n := 0; ; n++ {
		f, err := os.OpenFile(fmt.Sprintf("%s.%s.%d-%d.tmp", dir, base, os.Getpid(), n), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, staged{File: f, target: target, isNew: old == nil})
		return f, nil
	}
}

// commit gives the files their names, in the order in which they were created.
func (s *staging) commit() error {
	for _, f := range s.files {
		if err := f.Sync(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	for i := range s.files {
		if err := atomic.ReplaceFile(s.files[i].Name(), s.files[i].target); err != nil {
			return err
		}
		s.files[i].done = true
	}
	return nil
}

// abort removes what was written, unless all of it was committed.
func (s *staging) abort() {
	complete := true
	for _, f := range s.files {
		complete = complete && f.done
	}
	if complete {
		return
	}
	for _, f := range s.files {
		f.Close()
		if !f.done {
			os.Remove(f.Name())
		} else if f.isNew {
			os.Remove(f.target)
		}
	}
}
