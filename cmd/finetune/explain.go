package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"finetune/onnxload"
	"finetune/train"
	"finetune/train/data"
)

// explain adds what would help to an error of a run or of its data. saved is the
// checkpoint that the run has left, if any, and steadier is what would help more than
// anything else a run that diverges.
func explain(err error, saved string, steadier ...string) error {
	if interrupted, ok := errors.AsType[*train.InterruptedError](err); ok && interrupted.Checkpoint != "" {
		return withHint(err, fmt.Sprintf("the run is saved in %s; the same command with --resume goes on", interrupted.Checkpoint))
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted: nothing was written")
	}
	if diverged, ok := errors.AsType[*train.DivergedError](err); ok {
		if diverged.Step == 0 {
			return withHint(err, "the model or the examples hold numbers that are too large, or none at all; --scale, --mean and --std bring inputs nearer to 0…1")
		}
		hints := append(steadier, "a lower --lr, --clip-norm 1, or inputs nearer to 0…1 (--scale, --mean, --std) may help", "no model was written")
		if saved != "" {
			hints = append(hints, "the last good state of the run is in "+saved)
		}
		return withHint(err, hints...)
	}
	if _, ok := errors.AsType[*train.ResumeError](err); ok {
		return withHint(err, "--resume wants the model, the data and the flags of the run that was interrupted; without it a run begins anew")
	}
	if shape, ok := errors.AsType[*train.ShapeError](err); ok {
		return withHint(err, shapeHints(shape)...)
	}
	if _, ok := errors.AsType[*train.NoDataError](err); ok {
		return withHint(err, "--fill INPUT=0 holds an input at 0 that no data is there for")
	}
	if label, ok := errors.AsType[*data.LabelError](err); ok {
		return withHint(err, labelHints(label)...)
	}
	if target, ok := errors.AsType[*train.TargetError](err); ok {
		return withHint(err, targetHints(target)...)
	}
	if memory, ok := errors.AsType[*train.MemoryError](err); ok {
		return withHint(err, memoryHints(memory)...)
	}
	if _, ok := errors.AsType[*onnxload.UnsupportedError](err); ok {
		return withHint(err, "`finetune check` lists all that stands in the way")
	}
	return err
}

// memoryHints say how a run may come to fit.
func memoryHints(e *train.MemoryError) []string {
	var hints []string
	room := e.Most - (e.Total() - e.Pass)
	fit := int64(e.Examples) * max(room, 0) / max(e.Pass, 1)
	switch {
	case fit < 1 || fit >= int64(e.Examples):
	case e.Training == 0:
		hints = append(hints, fmt.Sprintf("--batch %d runs so many examples at a time", fit))
	default:
		hints = append(hints, fmt.Sprintf("--micro-batch %d runs so many examples at a time; a smaller --batch does the same to each update", fit))
	}
	switch {
	case e.Asked:
		hints = append(hints, fmt.Sprintf("--max-memory %.0fMB is enough", math.Ceil(float64(e.Total())/1e6)))
	case e.Training > 0:
		hints = append(hints, "--max-memory SIZE computes cheap results twice instead of keeping them, and runs fewer examples at a time")
	}
	if e.Training > e.Pass {
		hints = append(hints, "--train and --freeze choose fewer parameters to train")
	}
	return hints
}

// shapeHints say which flags may bring examples into shape.
func shapeHints(e *train.ShapeError) []string {
	want, got := e.Want, fmt.Sprint(e.Got)
	switch {
	case len(want) == 3 && len(e.Got) == 3 && got == fmt.Sprintf("[%s %s %s]", want[2], want[0], want[1]):
		return []string{"the model takes images as height, width, channels: add --nhwc"}
	case len(want) == 3 && len(e.Got) == 3 && got == fmt.Sprintf("[%s %s %s]", want[1], want[2], want[0]):
		return []string{"the model takes images as channels, height, width: leave --nhwc out"}
	case len(want) == 3 && len(e.Got) == 3 && slices.Contains([]string{"1", "3"}, want[2]):
		return []string{"if the model takes images as height, width, channels, add --nhwc"}
	case len(want) == 3 && len(e.Got) == 3:
		return []string{"images in a folder of PNG or JPEG files are scaled to what the model takes, arrays are not"}
	case slices.ContainsFunc(want, func(d string) bool { return d != "?" && (d[0] < '0' || d[0] > '9') }):
		return []string{"--dim NAME=N says how long an open dimension is"}
	case len(want) == 1 && len(e.Got) == 1:
		return []string{"--drop COLUMNS leaves columns of a table out, --label COLUMN says which one to learn"}
	}
	return nil
}

// labelHints say which flags may make sense of a label.
func labelHints(e *data.LabelError) []string {
	var hints []string
	if e.Label == e.Classes {
		hints = append(hints, "if the first class has number 1, add --label-base 1")
	}
	if e.Classes == 2 {
		hints = append(hints, "if these are values to approach, not classes, add --regression")
	}
	return hints
}

// targetHints say which targets the model may be meant for.
func targetHints(e *train.TargetError) []string {
	hints := []string{"--model-output NAME chooses another output; `finetune inspect` lists them"}
	if !e.Labels && e.Targets == 1 {
		hints = append([]string{"a model that tells classes apart is taught by their names or whole numbers, without --regression and --loss mse"}, hints...)
	}
	return hints
}
