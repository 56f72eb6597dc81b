package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"finetune/optim"
)

// snapshot is the state of a run besides its tensors, as a checkpoint holds it.
type snapshot struct {
	Model     string   `json:"model_sha256"` // of the file that training started from
	Examples  int      `json:"examples"`
	Config    Config   `json:"config"`
	At        position `json:"at"`
	Rule      string   `json:"rule"`
	RuleSteps int      `json:"rule_steps"`
}

// Names of tensors in a checkpoint: kind, then the parameter's name.
const (
	kindParam = "param/" // parameters that a run may change
	kindMask  = "mask/"  // false where pruned
	kindSlot  = "slot/"  // then the name of the slot and "/"
)

func (r *run) snapshot() snapshot {
	sum := sha256.Sum256(r.model.Bytes)
	state := r.optimizer.State()
	return snapshot{
		Model:     hex.EncodeToString(sum[:]),
		Examples:  r.training.Len(),
		Config:    r.cfg.essence(),
		At:        r.at,
		Rule:      state.Rule,
		RuleSteps: state.Step,
	}
}

// essence is what of a configuration decides the result.
func (c Config) essence() Config {
	c.Checkpoint, c.CheckpointEvery, c.Resume, c.Observe = "", 0, false, nil
	return c
}

// save writes the checkpoint. It refuses to replace a good one by one that
// holds numbers that are not finite.
func (r *run) save() error {
	if r.cfg.Checkpoint == "" {
		return nil
	}
	r.saved = time.Now()
	tensors := map[string]Tensor{}
	for _, p := range r.model.Params {
		if !p.Trainable && p.Role != optim.Running {
			continue
		}
		for _, v := range p.Value {
			if !finite(float64(v)) {
				r.cfg.warn("no checkpoint at step %d: parameter %q holds %v", r.at.Step, p.Name, v)
				return nil
			}
		}
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
	if err := SaveCheckpoint(r.cfg.Checkpoint, tensors, r.snapshot()); err != nil {
		return err
	}
	r.cfg.tell(Event{Kind: Saved, Step: r.at.Step, Steps: r.steps, Text: r.cfg.Checkpoint})
	return nil
}

// restore continues from the checkpoint. It changes nothing unless all of the
// checkpoint fits.
func (r *run) restore() error {
	var s snapshot
	tensors, err := LoadCheckpoint(r.cfg.Checkpoint, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no checkpoint %s to resume from", r.cfg.Checkpoint)
	}
	if err != nil {
		return err
	}
	if err := r.snapshot().differs(s); err != nil {
		return fmt.Errorf("%s: %w", r.cfg.Checkpoint, err)
	}
	state := optim.State{Rule: s.Rule, Step: s.RuleSteps, Slots: map[string]map[string][]float32{}}
	params := map[string]*optim.Param{}
	for _, p := range r.model.Params {
		params[p.Name] = p
	}
	for name, t := range tensors {
		if slot, param, ok := strings.Cut(strings.TrimPrefix(name, kindSlot), "/"); ok && strings.HasPrefix(name, kindSlot) {
			if state.Slots[slot] == nil {
				state.Slots[slot] = map[string][]float32{}
			}
			state.Slots[slot][param] = t.F
		}
	}
	for _, kind := range []string{kindParam, kindMask} {
		for name, t := range tensors {
			if p := params[strings.TrimPrefix(name, kind)]; strings.HasPrefix(name, kind) && (p == nil || len(p.Value) != len(t.F)+len(t.Bool)) {
				return fmt.Errorf("%s: %q does not fit the model", r.cfg.Checkpoint, name)
			}
		}
	}
	if err := r.optimizer.Load(state); err != nil {
		return fmt.Errorf("%s: %w", r.cfg.Checkpoint, err)
	}
	for name, p := range params {
		copy(p.Value, tensors[kindParam+name].F)
		p.Mask = tensors[kindMask+name].Bool
	}
	r.at = s.At
	return nil
}

// differs says why a run cannot go on from the checkpoint of another.
func (now snapshot) differs(then snapshot) error {
	switch {
	case now.Model != then.Model:
		return errors.New("it is of another model: the file that training started from has changed")
	case now.Examples != then.Examples:
		return fmt.Errorf("it is of a run on %d examples, but there are %d now", then.Examples, now.Examples)
	}
	var a, b map[string]json.RawMessage
	if err := errors.Join(remarshal(now.Config, &a), remarshal(then.Config, &b)); err != nil {
		return err
	}
	var changed []string
	for _, field := range slices.Sorted(maps.Keys(a)) {
		if !bytes.Equal(a[field], b[field]) {
			changed = append(changed, fmt.Sprintf("%s was %s and is %s", field, b[field], a[field]))
		}
	}
	if changed != nil {
		return fmt.Errorf("it is of a run with other settings: %s", strings.Join(changed, "; "))
	}
	return nil
}

func remarshal(from any, to *map[string]json.RawMessage) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
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
