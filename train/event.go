package train

import (
	"time"

	"finetune/optim"
)

// Event is something worth telling while Run works. Kind says which of the
// fields are set.
type Event struct {
	Kind EventKind `json:"event"`

	Epoch  int `json:"epoch,omitempty"` // from 1
	Epochs int `json:"epochs,omitempty"`
	Step   int `json:"step,omitempty"` // steps done, over all epochs
	Steps  int `json:"steps,omitempty"`

	// Loss is the mean training loss of the epoch so far, without penalties.
	Loss float64 `json:"loss"`
	// Penalty is what is added to it, by term.
	optim.Penalty
	// LearningRate is that of the last step, of the first parameter that is trained.
	LearningRate float64 `json:"learning_rate,omitempty"`
	// Sparsity is the share of zeros in the parameters that pruning is for, 0 to 1.
	Sparsity float64  `json:"sparsity"`
	Held     *Metrics `json:"validation,omitempty"`

	Elapsed time.Duration `json:"-"`
	Text    string        `json:"text,omitempty"`
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	Ready     EventKind = "ready"      // model, data and settings fit together
	Started   EventKind = "start"      // Held is the model's before training
	Stepped   EventKind = "step"       // an update was made
	EpochDone EventKind = "epoch"      // Held is set where there is validation data
	Saved     EventKind = "checkpoint" // Text is the path
	Noted     EventKind = "note"       // Text is something the user should know
	Warned    EventKind = "warning"    // Text is something that may be wrong
)

// tell reports an event with all that is known now.
func (r *run) tell(kind EventKind, held *Metrics) {
	if r.cfg.Observe == nil {
		return
	}
	e := Event{
		Kind: kind, Epoch: r.at.Epoch + 1, Epochs: r.cfg.Epochs, Step: r.at.Step, Steps: r.steps,
		Loss: r.meanLoss(), Held: held, Elapsed: time.Since(r.started),
	}
	if kind == EpochDone {
		e.Penalty = r.optimizer.Penalty()
		e.Sparsity = optim.Sparsity(r.prunable)
		e.LearningRate = r.optimizer.LearningRate()
	}
	r.cfg.Observe(e)
}
