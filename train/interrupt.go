package train

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// InterruptedError is a run that was stopped through its context.
type InterruptedError struct {
	Step, Steps int
	Checkpoint  string // where the run was saved; "" if it was not
	cause       error
}

// Error says how far the run had come.
func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted after step %d of %d", e.Step, e.Steps)
}

// Unwrap is the error of the context.
func (e *InterruptedError) Unwrap() error { return e.cause }

// pause saves a checkpoint when one is due, and stops the run when ctx is done.
func (r *run) pause(ctx context.Context) error {
	if ctx.Err() != nil {
		return r.stopped(ctx.Err())
	}
	if r.cfg.CheckpointEvery > 0 && time.Since(r.saved) >= r.cfg.CheckpointEvery {
		return r.save()
	}
	return nil
}

// stopped saves the run if err is that of a context: the parameters are those
// after the last complete step, whatever the current one was doing.
func (r *run) stopped(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &InterruptedError{Step: r.at.Step, Steps: r.steps, cause: err}
	if r.cfg.Checkpoint != "" && r.at.Step > 0 {
		if err := r.save(); err != nil {
			return fmt.Errorf("interrupted, and the checkpoint could not be saved: %w", err)
		}
		e.Checkpoint = r.cfg.Checkpoint
	}
	return e
}
