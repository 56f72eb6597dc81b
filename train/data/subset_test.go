package data

import (
	"slices"
	"testing"
)

func TestSplitStratified(t *testing.T) {
	// Classes 0, 1 and 2 have 41, 40 and 40 of the 121 examples.
	src := numbers{n: 121, fields: []Field{{Name: "u", Shape: []int{1}}}}
	rest, held, err := Split(src, 0.1, 3)
	if err != nil {
		t.Fatal(err)
	}
	if rest.Len() != 109 || held.Len() != 12 {
		t.Errorf("got %d and %d examples, want 109 and 12", rest.Len(), held.Len())
	}
	var seen []float32
	count := map[float32]int{}
	for i := range held.Len() {
		x, y := read(t, held, i)
		seen = append(seen, x[0])
		count[y[0]]++
	}
	if !slices.IsSorted(seen) {
		t.Errorf("got examples %v, want them in the order of the source", seen)
	}
	for c := range 3 {
		if count[float32(c)] != 4 {
			t.Errorf("got %d of class %d, want 4", count[float32(c)], c)
		}
	}
	if held.Target().Classes != 3 || held.Where(0) != src.Where(int(seen[0])) {
		t.Errorf("got %+v, %q; want the target and the place of the source", held.Target(), held.Where(0))
	}
	for i := range rest.Len() {
		x, _ := read(t, rest, i)
		seen = append(seen, x[0])
	}
	slices.Sort(seen)
	for i, v := range seen {
		if v != float32(i) {
			t.Fatalf("got example %v as number %d of both parts, want each once", v, i)
		}
	}

	same, again, _ := Split(src, 0.1, 3)
	_, other, _ := Split(src, 0.1, 4)
	a, b, c := held.(*subset).indices, again.(*subset).indices, other.(*subset).indices
	if !slices.Equal(a, b) || same.Len() != rest.Len() {
		t.Errorf("got %v and %v for one seed, want the same", a, b)
	}
	if slices.Equal(a, c) {
		t.Errorf("got %v for two seeds, want different examples", a)
	}
}

func TestSplitRemainders(t *testing.T) {
	for n := 2; n < 40; n++ {
		src := numbers{n: n, fields: []Field{{Shape: []int{1}}}}
		for _, fraction := range []float64{0.05, 0.3, 0.5, 0.93} {
			rest, held, err := Split(src, fraction, 1)
			want := int(float64(n)*fraction + 0.5)
			if want == 0 || want == n {
				if err == nil {
					t.Errorf("%v of %d: got no error for an empty part", fraction, n)
				}
				continue
			}
			if err != nil || held.Len() != want || rest.Len() != n-want {
				t.Errorf("%v of %d: got %v, want %d held back", fraction, n, err, want)
				continue
			}
			count := make([]int, 3)
			for i := range held.Len() {
				_, y := read(t, held, i)
				count[int(y[0])]++
			}
			for c := range count {
				members := (n - c + 2) / 3
				share := float64(members*want) / float64(n)
				if float64(count[c]) <= share-1 || float64(count[c]) >= share+1 {
					t.Errorf("%v of %d: got %d of the %d of class %d, want %.2f rounded", fraction, n, count[c], members, c, share)
				}
			}
		}
	}
}

func TestSplitRegression(t *testing.T) {
	src, err := openText(t, "1,0.5\n2,0.25\n3,7\n4,8\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	rest, held, err := Split(src, 0.5, 1)
	if err != nil || rest.Len() != 2 || held.Len() != 2 {
		t.Errorf("got %v, %v, %v; want two and two examples", rest, held, err)
	}
	for _, fraction := range []float64{0, 1, -1, 2, 0.01} {
		_, _, err := Split(src, fraction, 1)
		wantError(t, "fraction", err, "t.csv", "leaves one part empty")
	}
}

func TestSubset(t *testing.T) {
	src := numbers{n: 5, fields: []Field{{Shape: []int{1}}}}
	sub := Subset(Subset(src, []int{4, 2, 0}), []int{2, 0})
	if x, y := read(t, sub, 1); sub.Len() != 2 || x[0] != 4 || y[0] != 1 {
		t.Errorf("got %d examples, second %v, label %v; want 2, 4, 1", sub.Len(), x, y)
	}
}

func TestOrder(t *testing.T) {
	a := Order(100, 7, 3)
	if !slices.Equal(a, Order(100, 7, 3)) {
		t.Error("got two orders for the same seed and epoch, want one")
	}
	for _, b := range [][]int{Order(100, 7, 4), Order(100, 8, 3)} {
		if slices.Equal(a, b) {
			t.Errorf("got order %v again for another seed or epoch", b)
		}
	}
	slices.Sort(a)
	for i, v := range a {
		if i != v {
			t.Fatalf("got %v, want a permutation", a)
		}
	}
}
