package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"finetune/optim"
	"finetune/train/data"
)

// snapshot is the state of a run besides its tensors, as a checkpoint holds it.
type snapshot struct {
	Origin    origin   `json:"origin"`
	Config    Config   `json:"config"`
	At        position `json:"at"`
	Rule      string   `json:"rule"`
	RuleSteps int      `json:"rule_steps"`

	RuleNumbers map[string]float64 `json:"rule_numbers,omitempty"`
}

// origin is what a run started from.
type origin struct {
	Model    string `json:"model_sha256"` // of the file
	Examples int    `json:"examples"`
	Data     string `json:"data_sha256"` // of a few examples as the model sees them
}

// position is how far a run has come. With the parameters and the state of the
// optimizer it is all that a resumed run needs.
type position struct {
	Epoch  int      `json:"epoch"`     // epochs done
	Done   int      `json:"done"`      // examples of the current epoch done
	Step   int      `json:"step"`      // updates made
	Loss   float64  `json:"loss"`      // sum over the examples of this epoch so far
	Before *Metrics `json:"before"`    // of the model before the first step
	Last   float64  `json:"last_loss"` // mean loss of the epoch before

	Plateau  *optim.PlateauState `json:"plateau,omitempty"`  // of the schedule, if it has one
	Averaged int                 `json:"averaged,omitempty"` // how many weights the mean is of
}

// Names of tensors in a checkpoint: kind, then the parameter's name.
const (
	kindParam = "param/" // parameters that a run may change
	kindMask  = "mask/"  // false where pruned
	kindSlot  = "slot/"  // then the name of the slot and "/"
	kindMean  = "mean/"  // of the weights over the steps
	kindScore = "score/" // of what pruning goes by, where it remembers something
)

// newOrigin leaves out the hash of the model, which takes a while.
func newOrigin(l *data.Loader) (origin, error) {
	o := origin{Examples: l.Len()}
	target := make([]float32, l.Source().Target().Size())
	var inputs [][]float32
	for _, field := range l.Inputs() {
		inputs = append(inputs, make([]float32, field.Size()))
	}
	hash := sha256.New()
	for _, i := range []int{0, l.Len() / 2, l.Len() - 1} {
		if err := l.Fill([]int{i}, inputs, target); err != nil {
			return o, err
		}
		for _, values := range append(inputs[:len(inputs):len(inputs)], target) {
			_ = binary.Write(hash, binary.LittleEndian, values) // a hash takes all
		}
	}
	o.Data = hex.EncodeToString(hash.Sum(nil))
	return o, nil
}

func (r *run) snapshot() snapshot {
	if r.origin.Model == "" {
		sum := sha256.Sum256(r.model.Bytes)
		r.origin.Model = hex.EncodeToString(sum[:])
	}
	state := r.optimizer.State()
	return snapshot{Origin: r.origin, Config: r.cfg.essence(), At: r.at, Rule: state.Rule, RuleSteps: state.Step, RuleNumbers: state.Numbers}
}

// essence is what of a configuration decides the result.
func (c Config) essence() Config {
	c.Checkpoint, c.CheckpointEvery, c.Resume, c.Observe = "", 0, false, nil
	return c
}

// save writes the checkpoint, unless that would replace a good one by one that
// holds numbers that are not finite.
func (r *run) save() error {
	if r.cfg.Checkpoint == "" {
		return nil
	}
	if err := r.checkParameters(); err != nil {
		return err
	}
	r.saved = time.Now()
	tensors := map[string]Tensor{}
	for _, p := range r.changing {
		tensors[kindParam+p.Name] = Tensor{Shape: p.Shape, F: p.Value}
		if p.Mask != nil {
			tensors[kindMask+p.Name] = Tensor{Shape: p.Shape, Bool: p.Mask}
		}
	}
	for slot, values := range r.optimizer.State().Slots {
		for name, v := range values {
			tensors[kindSlot+slot+"/"+name] = Tensor{Shape: []int{len(v)}, F: v}
		}
	}
	mean := r.average.State()
	for name, v := range mean.Values {
		tensors[kindMean+name] = Tensor{Shape: []int{len(v)}, F: v}
	}
	for name, v := range r.gradual.State() {
		tensors[kindScore+name] = Tensor{Shape: []int{len(v)}, F: v}
	}
	r.at.Averaged = mean.Count
	if err := SaveCheckpoint(r.cfg.Checkpoint, tensors, r.snapshot()); err != nil {
		return err
	}
	r.cfg.tell(Event{Kind: Saved, Step: r.at.Step, Steps: r.steps, Text: r.cfg.Checkpoint})
	return nil
}

// ResumeError is a checkpoint that a run cannot go on from: it is not there, or of
// another run.
type ResumeError struct {
	Path string
	Err  error
}

// Error says which checkpoint and why.
func (e *ResumeError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *ResumeError) Unwrap() error { return e.Err }

// restore continues from the checkpoint. It changes nothing unless all of the
// checkpoint fits.
func (r *run) restore() error {
	var s snapshot
	tensors, err := LoadCheckpoint(r.cfg.Checkpoint, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return &ResumeError{r.cfg.Checkpoint, errors.New("there is no checkpoint to resume from")}
	}
	if err != nil {
		return err
	}
	if err := r.load(s, tensors); err != nil {
		return &ResumeError{r.cfg.Checkpoint, err}
	}
	return nil
}

func (r *run) load(s snapshot, tensors map[string]Tensor) error {
	if err := r.snapshot().accepts(s); err != nil {
		return err
	}
	if err := r.checkPosition(s.At); err != nil {
		return err
	}
	if err := r.checkTensors(tensors); err != nil {
		return err
	}
	state := optim.State{Rule: s.Rule, Step: s.RuleSteps, Numbers: s.RuleNumbers, Slots: map[string]map[string][]float32{}}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, kindSlot); ok {
			slot, param, _ := strings.Cut(rest, "/")
			if state.Slots[slot] == nil {
				state.Slots[slot] = map[string][]float32{}
			}
			state.Slots[slot][param] = t.F
		}
	}
	mean := optim.AverageState{Count: s.At.Averaged, Values: map[string][]float32{}}
	for name, t := range tensors {
		if param, ok := strings.CutPrefix(name, kindMean); ok {
			mean.Values[param] = t.F
		}
	}
	scores := map[string][]float32{}
	for name, t := range tensors {
		if param, ok := strings.CutPrefix(name, kindScore); ok {
			scores[param] = t.F
		}
	}
	if err := r.average.Load(mean); err != nil {
		return err
	}
	if err := r.gradual.Load(scores); err != nil {
		return err
	}
	if err := r.optimizer.Load(state); err != nil {
		return err
	}
	for _, p := range r.changing {
		copy(p.Value, tensors[kindParam+p.Name].F)
		p.Mask = tensors[kindMask+p.Name].Bool
	}
	r.masksChanged()
	r.at = s.At
	if r.plateau != nil && r.at.Plateau != nil {
		r.plateau.State = *r.at.Plateau
	}
	return nil
}

// accepts says why a run cannot go on from the checkpoint of another.
func (now snapshot) accepts(then snapshot) error {
	switch {
	case now.Origin.Model != then.Origin.Model:
		return errors.New("it is of another model: the file that training started from has changed")
	case now.Origin.Examples != then.Origin.Examples:
		return fmt.Errorf("it is of a run on %d examples, but there are %d now", then.Origin.Examples, now.Origin.Examples)
	}
	a, errA := plain(then.Config)
	b, errB := plain(now.Config)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if changed := differences("", a, b); changed != nil {
		return fmt.Errorf("it is of a run with other settings: %s", strings.Join(changed, "; "))
	}
	if now.Origin.Data != then.Origin.Data {
		return errors.New("it is of a run on other examples: they were different, or scaled differently")
	}
	return nil
}

// checkPosition finds a position that no run of this length can have.
func (r *run) checkPosition(at position) error {
	n, batch := r.training.Len(), r.cfg.Batch
	steps := at.Epoch*r.stepsFor(n) + r.stepsFor(at.Done)
	if at.Epoch < 0 || at.Epoch > r.cfg.Epochs || at.Done < 0 || at.Done > n || at.Done%batch != 0 && at.Done != n ||
		at.Epoch == r.cfg.Epochs && at.Done > 0 || at.Step != steps {
		return fmt.Errorf("damaged: step %d after %d epochs and %d examples is not possible", at.Step, at.Epoch, at.Done)
	}
	return nil
}

// checkTensors finds parameters that are missing, too many, or of another size.
// What is in the slots and the means is for package optim to check.
func (r *run) checkTensors(tensors map[string]Tensor) error {
	known := map[string]int{}
	for _, p := range r.changing {
		known[kindParam+p.Name], known[kindMask+p.Name] = len(p.Value), len(p.Value)
		if _, ok := tensors[kindParam+p.Name]; !ok {
			return fmt.Errorf("parameter %q is trained now, but was not then", p.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if strings.HasPrefix(name, kindSlot) || strings.HasPrefix(name, kindMean) || strings.HasPrefix(name, kindScore) {
			continue
		}
		size, ok := known[name]
		if !ok {
			return fmt.Errorf("%q belongs to nothing that is trained now", name)
		}
		t := tensors[name]
		if got := len(t.F) + len(t.Bool); got != size || strings.HasPrefix(name, kindMask) != (t.Bool != nil) {
			return fmt.Errorf("%q has %d elements of another kind or number than the %d of the model", name, got, size)
		}
	}
	return nil
}

// plain is v as JSON has it: maps, lists and literals.
func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a seed has more digits than a float64
	var out any
	err = decoder.Decode(&out)
	return out, err
}

// differences lists by name in what two plain values differ.
func differences(name string, then, now any) []string {
	a, okA := then.(map[string]any)
	b, okB := now.(map[string]any)
	if !okA || !okB {
		if reflect.DeepEqual(then, now) {
			return nil
		}
		return []string{fmt.Sprintf("%s was %s and is %s", settingName(name), settingText(then), settingText(now))}
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		list = append(list, differences(strings.TrimPrefix(name+"."+key, "."), a[key], b[key])...)
	}
	return list
}

// inner is where a word begins in the name of a field.
var inner = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// settingName is a field of Config in words: Prune.Every is prune every, Optim.L1
// is l1.
func settingName(field string) string {
	words := strings.ReplaceAll(strings.TrimPrefix(field, "Optim."), ".", " ")
	return strings.ToLower(inner.ReplaceAllString(words, "$1 $2"))
}

// settingText is a value of a field as a flag would have it.
func settingText(v any) string {
	switch v := v.(type) {
	case nil:
		return "not given"
	case string:
		return strconv.Quote(v)
	case []any:
		var list []string
		for _, one := range v {
			list = append(list, fmt.Sprint(one))
		}
		return strings.Join(list, " ")
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// RemoveCheckpoint deletes the checkpoint at path and the copy of its state
// beside it, once a run is done with. It is no error if there is none.
func RemoveCheckpoint(path string) error {
	for _, name := range []string{path, statePath(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
