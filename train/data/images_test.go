package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// pngOf is an image of one colour; grey if c is.
func pngOf(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, plain(width, height, c)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plain(width, height int, c color.Color) image.Image {
	r := image.Rect(0, 0, width, height)
	var img draw.Image = image.NewRGBA(r)
	if _, grey := c.(color.Gray); grey {
		img = image.NewGray(r)
	}
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

func jpegOf(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, plain(width, height, c), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImages(t *testing.T) {
	red, grey := color.RGBA{200, 0, 0, 255}, color.Gray{90}
	dir := write(t, map[string][]byte{
		"dog/b.png":        pngOf(t, 5, 3, red),
		"dog/deep/a.JPG":   jpegOf(t, 4, 6, grey),
		"cat/1.jpeg":       pngOf(t, 3, 3, grey), // named wrongly, as happens
		"cat/.hidden.png":  []byte("x"),
		"cat/.git/x.png":   []byte("x"),
		"cat/Thumbs.db":    []byte("x"),
		".DS_Store":        nil,
		".cache/class.png": nil,
	})
	src, err := Open(dir, Options{Size: [2]int{2, 4}, Channels: 3})
	if err != nil {
		t.Fatal(err)
	}
	f, target := src.Inputs()[0], src.Target()
	if src.Len() != 3 || !f.Image || !slices.Equal(f.Shape, []int{2, 4, 3}) || !slices.Equal(target.Names, []string{"cat", "dog"}) {
		t.Fatalf("got %d of %+v, %+v; want 3 images of 2 by 4 pixels in colour, cat and dog", src.Len(), f, target)
	}
	for i, want := range []struct {
		where string
		label float32
		rgb   []float32
	}{{"cat/1.jpeg", 0, []float32{90, 90, 90}}, {"dog/b.png", 1, []float32{200, 0, 0}}, {"dog/deep/a.JPG", 1, []float32{90, 90, 90}}} {
		for range 2 { // decoded, and from the cache
			x, y := read(t, src, i)
			for p := 0; p < len(x); p += 3 {
				if !slices.Equal(x[p:p+3], want.rgb) {
					t.Errorf("%s: got pixel %v, want %v", want.where, x[p:p+3], want.rgb)
					break
				}
			}
			if y[0] != want.label {
				t.Errorf("%s: got label %v, want %v", want.where, y[0], want.label)
			}
		}
		if got := src.Where(i); got != filepath.Join(dir, want.where) {
			t.Errorf("got Where %q, want %q", got, want.where)
		}
	}

	if src, err = Open(dir, Options{Size: [2]int{2, 2}, Channels: 1}); err != nil {
		t.Fatal(err)
	}
	// Luma is 0.299·200 of pure red.
	if x, _ := read(t, src, 1); !slices.Equal(x, []float32{60, 60, 60, 60}) {
		t.Errorf("got %v for red in grey, want 60", x)
	}
}

// Pixels keep their places when nothing is to be resized.
func TestImagesExact(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	copy(img.Pix, []byte{0, 50, 100, 150, 200, 250})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	src, err := Open(write(t, map[string][]byte{"0/a.png": b.Bytes(), "10/b.png": b.Bytes(), "9/c.png": b.Bytes()}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := read(t, src, 2); !slices.Equal(x, []float32{0, 50, 100, 150, 200, 250}) || !slices.Equal(src.Inputs()[0].Shape, []int{2, 3, 1}) {
		t.Errorf("got %v of %+v, want the pixels of the file in 2 rows of 3", x, src.Inputs()[0])
	}
	// Folders named by whole numbers are those classes.
	if got := all(t, src); !slices.Equal(got, []float32{0, 10, 9}) || src.Target().Classes != 11 {
		t.Errorf("got labels %v, %+v; want 0, 10, 9 of 11 classes", got, src.Target())
	}
}

func TestImageHalves(t *testing.T) {
	grey := pngOf(t, 2, 2, color.Gray{1})
	dir := write(t, map[string][]byte{"train/a/1.png": grey, "train/b/2.png": grey, "val/a/3.png": grey})
	for split, n := range map[string]int{"train": 2, "test": 1} {
		src, err := Open(dir, Options{Split: split})
		if err != nil || src.Len() != n {
			t.Errorf("%s: got %v, %v; want %d examples", split, src, err, n)
		}
	}
	// Classes keep the numbers of the training half.
	src, err := Open(write(t, map[string][]byte{"train/a/1.png": grey, "train/b/2.png": grey, "test/b/3.png": grey}), Options{Split: "test"})
	if err != nil || src.Target().Classes != 2 || all(t, src)[0] != 1 {
		t.Errorf("got %v, %v; want one image of class 1 of 2", src, err)
	}
	src, err = Open(write(t, map[string][]byte{"train/2/1.png": grey, "train/10/2.png": grey, "test/10/3.png": grey}), Options{Split: "test"})
	if err != nil || all(t, src)[0] != 10 {
		t.Errorf("got %v, %v; want one image of class 10", src, err)
	}
	_, err = Open(write(t, map[string][]byte{"train/a/1.png": grey, "test/c/3.png": grey}), Options{Split: "test"})
	wantError(t, "unknown class", err, "test/c", `["a"]`)

	_, err = Open(write(t, map[string][]byte{"a/1.png": grey, "b/2.png": grey}), Options{Split: "test"})
	if !errors.Is(err, ErrNoSplit) {
		t.Errorf("got %v, want ErrNoSplit", err)
	}
}

func TestImagesBad(t *testing.T) {
	good := pngOf(t, 4, 4, color.Gray{1})
	// A PNG that says it has 100,000 by 100,000 pixels, with a correct checksum.
	huge := slices.Clone(good)
	binary.BigEndian.PutUint32(huge[16:], 100000)
	binary.BigEndian.PutUint32(huge[20:], 100000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))

	size := Options{Size: [2]int{4, 4}, Channels: 1}
	for _, c := range []struct {
		name string
		bad  []byte
		opt  Options
		want []string
	}{
		{"cut", good[:len(good)-20], size, []string{"a/bad.png", "broken image"}},
		{"cut header", good[:20], size, []string{"a/bad.png", "broken image", "end of the file"}},
		{"empty", nil, size, []string{"a/bad.png", "expected a PNG or JPEG"}},
		{"text", []byte("<svg/>"), size, []string{"a/bad.png", "expected a PNG or JPEG", "3c 73 76 67"}},
		{"huge", huge, size, []string{"a/bad.png", "found 100000 by 100000"}},
		{"another size", pngOf(t, 3, 5, color.Gray{1}), Options{}, []string{"a/bad.png", "expected 4 by 4", "found 5 by 3"}},
	} {
		src, err := Open(write(t, map[string][]byte{"a/0.png": good, "a/bad.png": c.bad}), c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		err = src.Example(1, [][]float32{make([]float32, 16)}, nil)
		wantError(t, c.name, err, c.want...)
		if err := src.Example(1, nil, make([]float32, 1)); err != nil {
			t.Errorf("%s: label alone: %v", c.name, err)
		}
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		opt   Options
		want  []string
	}{
		{"empty class", map[string][]byte{"a/0.png": good, "b/notes.txt": nil}, size, []string{"b: expected PNG or JPEG"}},
		{"other kind", map[string][]byte{"a/0.png": good, "a/1.webp": nil}, size, []string{"a/1.webp"}},
		{"no folders", map[string][]byte{"0.png": good, "1.png": good}, size, []string{"a folder of images per class", "0.png, 1.png"}},
		{"unknown class", map[string][]byte{"a/0.png": good, "c/0.png": good}, Options{Classes: []string{"a", "b"}}, []string{"/c: ", `["a" "b"]`}},
		{"first is broken", map[string][]byte{"a/0.png": good[:10]}, Options{}, []string{"a/0.png", "broken"}},
	} {
		_, err := Open(write(t, c.files), c.opt)
		wantError(t, c.name, err, c.want...)
	}
}

func TestImagesConcurrent(t *testing.T) {
	files := map[string][]byte{}
	for i := range 8 {
		files[string(rune('a'+i))+"/x.png"] = pngOf(t, 9, 9, color.Gray{uint8(10 * i)})
	}
	src, err := Open(write(t, files), Options{Size: [2]int{4, 4}})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			x := make([]float32, 16)
			for i := range src.Len() {
				if err := src.Example(i, [][]float32{x}, nil); err != nil || x[5] != float32(10*i) {
					t.Errorf("got %v, %v; want %d", x[5], err, 10*i)
				}
			}
		})
	}
	wait.Wait()
}
