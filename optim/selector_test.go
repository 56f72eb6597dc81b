package optim

import (
	"strings"
	"testing"
)

// network is a small convolutional net as PyTorch exports it, with one weight
// matrix that lost its name.
func network() []*Param {
	param := func(name string, role Role, op, layer string, shape ...int) *Param {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return &Param{Name: name, Role: role, Op: op, Layer: layer, Shape: shape, Trainable: role != Running,
			Value: make([]float32, n), Grad: make([]float32, n)}
	}
	return []*Param{
		param("features.0.weight", Weight, "Conv", "/features/0/Conv", 4, 1, 3, 3),
		param("features.0.bias", Bias, "Conv", "/features/0/Conv", 4),
		param("features.1.weight", Scale, "BatchNormalization", "/features/1/BatchNormalization", 4),
		param("features.1.bias", Shift, "BatchNormalization", "/features/1/BatchNormalization", 4),
		param("features.1.running_mean", Running, "BatchNormalization", "/features/1/BatchNormalization", 4),
		param("onnx::MatMul_636", Weight, "MatMul", "/fc1/MatMul", 16, 8),
		param("fc1.bias", Bias, "Add", "/fc1/Add", 8),
		param("fc[2],weight", Weight, "Gemm", "/fc2/Gemm", 10, 8),
	}
}

func TestSelector(t *testing.T) {
	for _, test := range []struct{ selector, want string }{
		{"*", "features.0.weight features.0.bias features.1.weight features.1.bias features.1.running_mean onnx::MatMul_636 fc1.bias fc[2],weight"},
		{"features.*.weight", "features.0.weight features.1.weight"},
		{"features.0.weight", "features.0.weight"},
		{"features", ""},
		{"features*", "features.0.weight features.0.bias features.1.weight features.1.bias features.1.running_mean"},
		{"features.?.bias", "features.0.bias features.1.bias"},
		{"features.[1-9].bias", "features.1.bias"},
		{"features.[!1].bias", "features.0.bias"},
		{"onnx::MatMul_636", "onnx::MatMul_636"},
		{"name:fc*", "fc1.bias fc[2],weight"},
		{`fc\[2\]\,weight`, "fc[2],weight"},
		{"FC1.bias", ""},
		{"re:bias$", "features.0.bias features.1.bias fc1.bias"},
		{`re:^features\.\d\.weight$`, "features.0.weight features.1.weight"},
		{`re:e{1\,2}`, "features.0.weight features.0.bias features.1.weight features.1.bias features.1.running_mean fc[2],weight"},
		{"role:weight", "features.0.weight onnx::MatMul_636 fc[2],weight"},
		{"role:Weight", "features.0.weight onnx::MatMul_636 fc[2],weight"},
		{"role:s*", "features.1.weight features.1.bias"},
		{"op:conv", "features.0.weight features.0.bias"},
		{"op:*m*,!op:batch*", "onnx::MatMul_636 fc[2],weight"},
		{"layer:/fc1/*", "onnx::MatMul_636 fc1.bias"},
		{"layer:fc*", "onnx::MatMul_636 fc1.bias fc[2],weight"},
		{"rank:1", "features.0.bias features.1.weight features.1.bias features.1.running_mean fc1.bias"},
		{"rank:>2", "features.0.weight"},
		{"rank:<2", "features.0.bias features.1.weight features.1.bias features.1.running_mean fc1.bias"},
		{"role:weight,!layer:fc*", "features.0.weight"},
		{"!layer:fc*,role:weight", "features.0.weight"},
		{"fc1.bias, role:shift", "features.1.bias fc1.bias"},
		{"!rank:1", "features.0.weight onnx::MatMul_636 fc[2],weight"},
		{"!rank:1,!op:gemm", "features.0.weight onnx::MatMul_636"},
		{"!*", ""},
	} {
		s, err := ParseSelector(test.selector)
		if err != nil {
			t.Errorf("%q: %v", test.selector, err)
			continue
		}
		var names []string
		for _, p := range network() {
			if s.Match(p) {
				names = append(names, p.Name)
			}
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%q: got %s, want %s", test.selector, got, test.want)
		}
		if got := s.String(); got != test.selector {
			t.Errorf("String: got %q, want %q", got, test.selector)
		}
	}
}

func TestSelectorErrors(t *testing.T) {
	for _, test := range []struct{ selector, want string }{
		{"", `selector "": empty part ""`},
		{"a,,b", `selector "a,,b": empty part ""`},
		{"!", `selector "!": empty part "!"`},
		{"op:", `selector "op:": empty part "op:"`},
		{"re:(", "selector \"re:(\": error parsing regexp: missing closing ): `(`"},
		{"role:wieght", `selector "role:wieght": no role "wieght"; the roles are weight, bias, scale, shift, running, embedding, recurrent, constant`},
		{"rank:two", `selector "rank:two": rank "two" is not N, >N or <N`},
		{"rank:>>2", `selector "rank:>>2": rank ">>2" is not N, >N or <N`},
		{"rank:>", `selector "rank:>": rank ">" is not N, >N or <N`},
		{"fc[1", `selector "fc[1": glob "fc[1": unfinished [set] or \`},
		{`fc\`, `selector "fc\\": glob "fc\\": unfinished [set] or \`},
		{"fc[z-a]", `selector "fc[z-a]": glob "fc[z-a]": bad [set]`},
	} {
		_, err := ParseSelector(test.selector)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got error %v, want %s", test.selector, err, test.want)
		}
	}
}

func TestSelectorCheck(t *testing.T) {
	for _, test := range []struct{ selector, want string }{
		{"fc1.bias", ""},
		{"featurs.0.weight", `selector "featurs.0.weight" selects none of the 8 parameters; nearest: "features.0.weight", "features.1.weight", "features.0.bias"`},
		{"op:Cnv", `selector "op:Cnv" selects none of the 8 parameters; nearest: "op:Conv", "op:Add", "op:Gemm"`},
		{"layer:fc3/*", `selector "layer:fc3/*" selects none of the 8 parameters; nearest: "layer:/fc1/Add", "layer:/fc2/Gemm", "layer:/fc1/MatMul"`},
		{"role:embedding", `selector "role:embedding" selects none of the 8 parameters; nearest: "role:running", "role:bias", "role:weight"`},
		{"rank:3", `selector "rank:3" selects none of the 8 parameters; nearest: "rank:4", "rank:1", "rank:2"`},
		{"role:bias,!rank:1", `selector "role:bias,!rank:1" selects none of the 8 parameters: its ! parts exclude all that the others match`},
		{"!*", `selector "!*" selects none of the 8 parameters: it excludes all`},
	} {
		got := ""
		if err := MustSelector(test.selector).Check(network()); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.selector, got, test.want)
		}
	}
	if err := MustSelector("*").Check(nil); err == nil {
		t.Error("got no error for no parameters, want one")
	}
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"features.*.weight", "role:weight,!layer:fc*", `a\,b`, "re:a{1\\,3}", "fc[!a-z]?", "rank:>1", "[", `\`, "[[:alpha:]]", "[]", "[!]", "[^]", "[a\\]]", "é*"} {
		f.Add(s)
	}
	params := network()
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			return
		}
		matched := 0
		for _, p := range params {
			if s.Match(p) {
				matched++
			}
		}
		if err := s.Check(params); (err == nil) != (matched > 0) {
			t.Errorf("%q matches %d: got error %v", text, matched, err)
		}
	})
}
