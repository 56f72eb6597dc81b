package data

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/image/draw"
)

const (
	maxPixels  = 1 << 26 // an image with more is refused before it is decoded
	imageCache = 1 << 29 // bytes of decoded images that are kept in memory
)

// images are the files of a folder, a class per subfolder. They are decoded when
// they are read, and kept at their final size if all of them fit the cache.
type images struct {
	paths    []string
	labels   []int32
	target   Target
	size     [2]int // height, width
	channels int
	resize   bool
	cache    []atomic.Pointer[[]byte] // nil where they do not fit
}

// openImages reads the subfolders called classes. Their files may lie deeper
// down; hidden ones are left out, and files that are no images as well.
func openImages(dir string, classes []string, opt Options) (Source, error) {
	number, target, bad, err := opt.named(classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w, found this folder", filepath.Join(dir, bad), err)
	}
	s := &images{target: target, size: opt.Size, channels: opt.Channels, resize: opt.Size != [2]int{}}
	for _, class := range classes {
		before := len(s.paths)
		if err := s.collect(filepath.Join(dir, class)); err != nil {
			return nil, err
		}
		if len(s.paths) == before {
			return nil, fmt.Errorf("%s: expected PNG or JPEG images of this class, found none", filepath.Join(dir, class))
		}
		for range s.paths[before:] {
			s.labels = append(s.labels, int32(number[class]))
		}
	}
	if err := s.measure(); err != nil {
		return nil, err
	}
	if int64(len(s.paths))*int64(s.bytes()) <= imageCache {
		s.cache = make([]atomic.Pointer[[]byte], len(s.paths))
	}
	return s, nil
}

// collect appends the images under dir in the order of their names.
func (s *images) collect(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") && path != dir {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch ext := strings.ToLower(filepath.Ext(path)); {
		case entry.IsDir():
		case slices.Contains([]string{".png", ".jpg", ".jpeg"}, ext):
			s.paths = append(s.paths, path)
		case slices.Contains([]string{".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".avif", ".pgm", ".ppm"}, ext):
			return fmt.Errorf("%s: expected PNG or JPEG, found another kind of image", path)
		}
		return nil
	})
}

// measure takes size and channels from the first image where they are not given.
func (s *images) measure() error {
	if s.size[0] > 0 && s.size[1] > 0 && s.channels > 0 {
		return nil
	}
	f, err := os.Open(s.paths[0])
	if err != nil {
		return err
	}
	defer f.Close()
	_, config, err := readConfig(s.paths[0], f)
	if err != nil {
		return err
	}
	for k, found := range [2]int{config.Height, config.Width} {
		if s.size[k] <= 0 {
			s.size[k] = found
		}
	}
	if s.channels <= 0 {
		s.channels = 3
		if config.ColorModel == color.GrayModel || config.ColorModel == color.Gray16Model {
			s.channels = 1
		}
	}
	return nil
}

// bytes of an image in memory.
func (s *images) bytes() int { return s.size[0] * s.size[1] * s.channels }

func (s *images) Len() int           { return len(s.paths) }
func (s *images) Target() Target     { return s.target }
func (s *images) Where(i int) string { return s.paths[i] }
func (s *images) Inputs() []Field {
	return []Field{{Name: "image", Shape: []int{s.size[0], s.size[1], s.channels}, Image: true, Integer: true}}
}

func (s *images) Example(i int, in [][]float32, target []float32) error {
	if target != nil {
		target[0] = float32(s.labels[i])
	}
	if in == nil || in[0] == nil {
		return nil
	}
	pixels, err := s.pixels(i)
	if err != nil {
		return err
	}
	dst := in[0][:len(pixels)]
	for k, v := range pixels {
		dst[k] = float32(v)
	}
	return nil
}

// pixels of image i: row by row, the channels of a pixel side by side.
func (s *images) pixels(i int) ([]byte, error) {
	if s.cache != nil {
		if p := s.cache[i].Load(); p != nil {
			return *p, nil
		}
	}
	img, err := s.decode(s.paths[i])
	if err != nil {
		return nil, err
	}
	// CatmullRom (Edwin Catmull, Raphael Rom, A class of local interpolating
	// splines, 1974) widens with the step when it shrinks an image, so that no
	// pixel is skipped. What is transparent becomes black.
	canvas := image.NewRGBA(image.Rect(0, 0, s.size[1], s.size[0]))
	if img.Bounds().Size() == canvas.Rect.Size() {
		draw.Draw(canvas, canvas.Rect, img, img.Bounds().Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(canvas, canvas.Rect, img, img.Bounds(), draw.Src, nil)
	}
	pixels := make([]byte, 0, s.bytes())
	for p := 0; p < len(canvas.Pix); p += 4 {
		rgba := canvas.Pix[p : p+4]
		if s.channels == 1 {
			grey := color.GrayModel.Convert(color.RGBA{rgba[0], rgba[1], rgba[2], 255}).(color.Gray)
			pixels = append(pixels, grey.Y)
		} else {
			pixels = append(pixels, rgba[0], rgba[1], rgba[2])
		}
	}
	if s.cache != nil {
		s.cache[i].Store(&pixels)
	}
	return pixels, nil
}

func (s *images) decode(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decode, config, err := readConfig(path, f)
	if err != nil {
		return nil, err
	}
	if !s.resize && (config.Height != s.size[0] || config.Width != s.size[1]) {
		return nil, fmt.Errorf("%s: expected %d by %d pixels (height, width) as in %s, found %d by %d",
			path, s.size[0], s.size[1], s.paths[0], config.Height, config.Width)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	img, err := decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: broken image: %w", path, cut(err))
	}
	return img, nil
}

// readConfig reads what an image says about itself, refuses one that is too
// large, and picks its decoder, by its content: names lie.
func readConfig(path string, f io.ReadSeeker) (decode func(io.Reader) (image.Image, error), config image.Config, err error) {
	r := bufio.NewReader(f)
	magic, _ := r.Peek(len(lfsPointer))
	switch {
	case strings.HasPrefix(string(magic), "\x89PNG"):
		decode = png.Decode
		config, err = png.DecodeConfig(r)
	case strings.HasPrefix(string(magic), "\xff\xd8\xff"):
		decode = jpeg.Decode
		config, err = jpeg.DecodeConfig(r)
	case string(magic) == lfsPointer:
		return nil, config, fmt.Errorf("%s: expected a PNG or JPEG image, found %s", path, lfsAdvice)
	default:
		return nil, config, fmt.Errorf("%s: expected a PNG or JPEG image, found bytes that begin % x", path, magic[:min(4, len(magic))])
	}
	if err != nil {
		return nil, config, fmt.Errorf("%s: broken image: %w", path, cut(err))
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPixels/config.Height {
		return nil, config, fmt.Errorf("%s: expected an image of 1 to %d pixels, found %d by %d (height, width)", path, maxPixels, config.Height, config.Width)
	}
	return decode, config, nil
}
