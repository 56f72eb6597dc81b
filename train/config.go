package train

import (
	"errors"
	"fmt"
	"math"
	"time"

	"finetune/onnxload"
	"finetune/optim"
)

// Config says how to train. DefaultConfig is a start; zero values are literal.
type Config struct {
	Epochs int // passes over the data, at least 1
	Batch  int // examples per update, at least 1; the last of an epoch may have fewer

	// MicroBatch is the most examples that are in memory at once: the gradients of
	// larger batches are added up from several runs. 0 runs a batch at once. The
	// sum is the same but for rounding; batch normalisation that trains takes its
	// statistics from each run alone.
	MicroBatch int

	// MaxMemory is the most memory the run may take, in bytes, besides the program
	// and the examples; 0 is all that there is. Where a batch at once takes more,
	// cheap results are computed a second time for the gradients instead of being
	// kept, which changes no number, and then fewer examples run at a time, as with
	// MicroBatch, but not where batch normalisation trains. If that is not enough,
	// Run returns a MemoryError before the first step.
	MaxMemory int64

	Loss   Loss   // Auto looks at the data
	Output string // which of the model's outputs is trained; "" is the first

	// Temperature divides the scores in the cross-entropy that is trained on; 1 is
	// cross-entropy as it is. 0 fits it to up to a thousand examples before training, and
	// uses what it finds if scores are at least four times too far apart, as those
	// of a model are that knows the classes and gets inputs on a larger scale than
	// it was made for. What is measured, and what is written, has no temperature.
	Temperature float64

	// BatchNorm says whether batch normalisation keeps its running statistics
	// (frozen) or learns them anew from the batches (train).
	BatchNorm onnxload.BatchNormMode

	// Seed decides the order of the examples and what Dropout drops.
	Seed uint64

	// Optim says how parameters are updated. Where weights are pruned on the way,
	// the default learning rate of adam and adamw grows to GrownLR.
	Optim optim.Config
	// Schedule is the course of the learning rates over the run, an optim.Course
	// such as "constant", "cosine" or "step:every=2ep,gamma=0.5". They fall once
	// pruning has reached its sparsity: until then weights have to make up for those
	// that go. Warmup is the length of the climb before that, in steps, or as a share
	// of the run below 1.
	Schedule string
	Warmup   float64
	Clip     Clip
	// Centralize takes the mean out of the gradient of all weights of an output.
	Centralize bool
	Average    Average
	Prune      Pruning

	// Checkpoint is the path that the state of the run is saved to: every
	// CheckpointEvery and when ctx is done. "" saves nothing.
	Checkpoint      string
	CheckpointEvery time.Duration // 0 saves at the end of each epoch only
	// Resume continues from Checkpoint. The result is what an uninterrupted run
	// would have made, to the last bit.
	Resume bool

	// Profile measures where the time goes: see Result.Profile. It costs little.
	Profile bool `json:"-"`

	// Observe, if set, is told what goes on. It is called from the goroutine of
	// Run and holds it up.
	Observe func(Event) `json:"-"`
}

// Clip limits gradients before each update. Zero is no limit.
type Clip struct {
	Norm     float64 // of all gradients together: g·min(1, Norm/‖g‖₂)
	Value    float64 // of each element
	Adaptive float64 // of all weights of an output: g·min(1, Adaptive·‖w‖₂/‖g‖₂)
}

func (c Clip) check() error {
	for _, limit := range []struct {
		name  string
		value float64
	}{{"norm", c.Norm}, {"value", c.Value}, {"adaptive", c.Adaptive}} {
		if !(limit.value >= 0) {
			return fmt.Errorf("clip %s is %v, want more than 0, or 0 for no limit", limit.name, limit.value)
		}
	}
	return nil
}

// Average says which mean of the weights a run ends with, and measures, in place
// of the weights of the last step: see optim.Average.
type Average struct {
	Kind  optim.AverageKind
	Decay float64 // of EMA, [0, 1)
	From  float64 // share of the run after which weights count, [0, 1]
	Every string  // an optim.Length at whose end weights count, each time, of SWA; "" is an epoch
}

// averaging is c in steps.
func (c Average) averaging(run optim.Run) (optim.Averaging, error) {
	if !(c.From >= 0 && c.From <= 1) {
		return optim.Averaging{}, fmt.Errorf("average from is %v, want a share of the run, 0 to 1", c.From)
	}
	every := optim.Length{N: 1, Epochs: true}
	if c.Every != "" {
		var err error
		if every, err = optim.ParseLength(c.Every); err != nil {
			return optim.Averaging{}, fmt.Errorf("average every: %w", err)
		}
	}
	a := optim.Averaging{Kind: c.Kind, Decay: c.Decay, From: int(c.From * float64(run.Steps)), Every: every.Steps(run)}
	return a, a.Check()
}

// DefaultConfig is three epochs of AdamW in batches of 64 at a learning rate of
// 1e-3 that falls to zero along a cosine. Pruning, if any, is done after three
// quarters of the run, until when the rate grows: see GrownLR.
func DefaultConfig() Config {
	return Config{
		Epochs:          3,
		Batch:           64,
		BatchNorm:       onnxload.BatchNormFrozen,
		Optim:           optim.Default("adamw"),
		Schedule:        "cosine",
		Average:         Average{Decay: 0.999},
		Prune:           Pruning{End: 0.75},
		CheckpointEvery: time.Minute,
	}
}

func (c Config) checkBatch() error {
	if c.Batch < 1 {
		return fmt.Errorf("batch is %d, want at least 1", c.Batch)
	}
	if c.MicroBatch < 0 {
		return fmt.Errorf("micro-batch is %d, want 0 or more", c.MicroBatch)
	}
	if c.MaxMemory < 0 {
		return fmt.Errorf("most memory is %d bytes, want 0 or more", c.MaxMemory)
	}
	return nil
}

// Check finds settings that no run can have. Run does the same, and looks at what
// depends on the model and the data besides.
func (c Config) Check() error {
	if err := c.checkBatch(); err != nil {
		return err
	}
	if c.Epochs < 1 {
		return fmt.Errorf("epochs is %d, want at least 1", c.Epochs)
	}
	if err := c.Optim.Check(); err != nil {
		return err
	}
	p := c.Prune
	if !(0 <= p.Begin && p.Begin <= p.End && p.End <= 1) {
		return fmt.Errorf("prune begin is %v and prune end is %v of the run, want 0 ≤ begin ≤ end ≤ 1", p.Begin, p.End)
	}
	if p.Calibration < 0 {
		return fmt.Errorf("prune examples is %d, want 0 or more", p.Calibration)
	}
	if err := errors.Join(p.Score.Check(), p.Pattern.Check()); err != nil {
		return fmt.Errorf("prune %w", err)
	}
	if err := p.checkRegrow(c.Optim.Rule); err != nil {
		return err
	}
	if p.Every < 0 {
		return fmt.Errorf("prune every is %d, want 0 or more", p.Every)
	}
	if err := p.checkSchedule(); err != nil {
		return err
	}
	if !(c.Temperature >= 0 && c.Temperature <= math.MaxFloat32) {
		return fmt.Errorf("temperature is %v, want a number above 0, or 0 to fit it", c.Temperature)
	}
	if err := c.Clip.check(); err != nil {
		return err
	}
	if _, err := c.Average.averaging(optim.Run{Steps: 1, PerEpoch: 1}); err != nil {
		return err
	}
	if !(c.Warmup >= 0 && c.Warmup <= math.MaxInt32) {
		return fmt.Errorf("warmup is %v, want a number of steps or a share of the run below 1", c.Warmup)
	}
	if c.CheckpointEvery < 0 {
		return fmt.Errorf("checkpoint every is %v, want 0 or more", c.CheckpointEvery)
	}
	if c.Resume && c.Checkpoint == "" {
		return fmt.Errorf("there is no checkpoint to resume from")
	}
	if _, _, err := c.schedule(optim.Run{Steps: 1, PerEpoch: 1}); err != nil {
		return err
	}
	switch c.BatchNorm {
	case "", onnxload.BatchNormFrozen, onnxload.BatchNormTrain:
		return nil
	}
	return fmt.Errorf("batch normalisation: %q is not one of %s, %s", c.BatchNorm, onnxload.BatchNormFrozen, onnxload.BatchNormTrain)
}

// schedule is the course of the learning rates over a run, and what it has to be
// told at the end of an epoch, if anything.
func (c Config) schedule(run optim.Run) (optim.Schedule, *optim.Plateau, error) {
	course, err := optim.ParseCourse(c.Schedule)
	if err != nil {
		return nil, nil, err
	}
	if c.Warmup > 0 {
		if course.HasWarmup() {
			return nil, nil, fmt.Errorf("warmup is given twice: %v, and in schedule %q", c.Warmup, c.Schedule)
		}
		course = course.Warmed(optim.Length{N: c.Warmup})
	}
	hold := 0
	if c.Prune.gradually() {
		_, hold = c.Prune.span(run.Steps)
	}
	return course.Schedule(run, hold), course.Plateau, nil
}

func (c Config) tell(e Event) {
	if c.Observe != nil {
		c.Observe(e)
	}
}

func (c Config) note(format string, args ...any) {
	c.tell(Event{Kind: Noted, Text: fmt.Sprintf(format, args...)})
}

func (c Config) warn(format string, args ...any) {
	c.tell(Event{Kind: Warned, Text: fmt.Sprintf(format, args...)})
}
