package main

import (
	"context"
	"fmt"
	"path/filepath"

	"finetune/bench/protocol"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// train runs train.Run as the command does, and holds it up between steps until
// it is told to go on.
func (w *worker) train(j protocol.Job) error {
	m, err := open(j)
	if err != nil {
		return err
	}
	steps := 1000 // of an epoch; what is done at its end is part of training
	if j.Profile > 0 {
		steps = j.Profile
	}
	src, err := readExamples(j, steps)
	if err != nil {
		return err
	}
	cfg := settings(j)
	src.follow(cfg.Seed)
	loader, err := newLoader(src)
	if err != nil {
		return err
	}
	if j.Train != "" {
		only, err := optim.ParseSelector(j.Train)
		if err != nil {
			return err
		}
		for _, p := range m.Params {
			p.Trainable = p.Trainable && only.Match(p)
		}
	}
	if j.Sparsity > 0 {
		p, err := optim.NewPruner(m.Params, optim.Pruning{Sparsity: optim.Set(j.Sparsity)})
		if err != nil {
			return err
		}
		if err := p.Step(0); err != nil {
			return err
		}
	}
	if j.Profile > 0 {
		cfg.Epochs, cfg.Profile = 1, true
		result, err := train.Run(context.Background(), m, loader, nil, cfg)
		if err == nil {
			w.say(answer{Profile: result.Profile, Peak: peak()})
		}
		return err
	}
	sum := 0.0 // of the losses of the epoch
	inEpoch := 0
	cfg.Observe = func(e train.Event) {
		switch e.Kind {
		case train.Started:
			w.ready()
		case train.Stepped:
			inEpoch++
			now := e.Loss * float64(inEpoch) // the event has the mean
			loss := now - sum
			sum = now
			w.stepped(loss)
		case train.EpochDone:
			sum, inEpoch = 0, 0
		}
	}
	_, err = train.Run(context.Background(), m, loader, nil, cfg)
	return err
}

// evaluate runs train.Evaluate: at first on its own, for the loss, and then on
// examples that do not end, held up whenever the model has read its batches.
func (w *worker) evaluate(j protocol.Job) error {
	m, err := open(j)
	if err != nil {
		return err
	}
	measure := func(src *examples) (train.Metrics, error) {
		loader, err := newLoader(src)
		if err != nil {
			return train.Metrics{}, err
		}
		return train.Evaluate(context.Background(), m, loader, settings(j))
	}
	src, err := readExamples(j, protocol.FirstSteps)
	if err != nil {
		return err
	}
	metrics, err := measure(src)
	if err != nil {
		return err
	}
	const forever = 1 << 20
	src.len = forever * j.Batch
	started := false
	src.read = func(i int) {
		switch {
		case i%j.Batch != 0:
		case started:
			w.stepped(metrics.Loss)
		case i == 0:
			started = true
			w.ready()
		}
	}
	_, err = measure(src)
	return err
}

// optimize makes steps of package optim alone.
func (w *worker) optimize(j protocol.Job) error {
	values, err := protocol.ReadFloats(j.Data, protocol.InputsFile)
	if err != nil {
		return err
	}
	size := product(j.Input)
	var params []*optim.Param
	for i := range j.Batch {
		p := &optim.Param{
			Name: fmt.Sprintf("w%d", i), Role: optim.Weight, Op: "MatMul", Shape: []int{size / 500, 500}, Trainable: true,
			Value: values[i*size:][:size], Grad: values[(j.Batch+i)*size:][:size],
		}
		p.Mask = make([]bool, size)
		for k, v := range p.Value {
			p.Mask[k] = max(v, -v) > float32(j.Cut)
		}
		params = append(params, p)
	}
	o, err := optim.New(params, settings(j).Optim)
	if err != nil {
		return err
	}
	w.ready()
	for {
		o.Step(1)
		mean := 0.0
		if w.made < protocol.FirstSteps {
			mean = meanSize(params)
		}
		w.stepped(mean)
	}
}

// meanSize is the mean of |w|.
func meanSize(params []*optim.Param) float64 {
	sum, n := 0.0, 0
	for _, p := range params {
		for _, v := range p.Value {
			sum += float64(max(v, -v))
		}
		n += len(p.Value)
	}
	return sum / float64(n)
}

func open(j protocol.Job) (*onnxload.Model, error) {
	return onnxload.Open(filepath.Join(j.Folder, modelFile))
}

func newLoader(src *examples) (*data.Loader, error) {
	return data.NewLoader(src, data.LoaderOptions{Integer: []bool{src.job.Integer}})
}

func settings(j protocol.Job) train.Config {
	cfg := train.DefaultConfig()
	cfg.Epochs, cfg.Batch = 1<<20, j.Batch
	cfg.Schedule = "constant"
	cfg.BatchNorm = onnxload.BatchNormMode(j.BatchNorm)
	cfg.Optim.LR = optim.Set(j.LR)
	cfg.Optim.L1 = optim.Set(j.L1)
	cfg.Optim.WeightDecay = optim.Set(j.Decay)
	return cfg
}
