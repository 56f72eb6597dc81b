"""The PyTorch side of the comparison. It is given a job as JSON (protocol/job.go) and then
answers commands on its standard input, a line each, with a line of JSON:

    run K     makes K steps: seconds, and the losses of the first of them
    memory    the most memory the process has had: megabytes
"""

import fnmatch
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from models import build

job = json.loads(sys.argv[1])
torch.set_num_threads(job["threads"])
torch.manual_seed(1)


def read(name, dtype, shape):
    array = np.fromfile(os.path.join(job["data"], name), dtype=dtype)
    return torch.from_numpy(array.reshape(shape))


def weights_of(model):
    """What is decayed and regularised: matrices and filter banks."""
    spared = (torch.nn.Embedding, torch.nn.BatchNorm2d, torch.nn.LayerNorm)
    return [
        p
        for m in model.modules() if not isinstance(m, spared)
        for p in m.parameters(recurse=False) if p.dim() > 1 and p.requires_grad
    ]


def optimizer(weights, rest):
    groups = [{"params": weights, "weight_decay": job["decay"]}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=job["lr"], foreach=job["foreach"])


def largest(w, sparsity):
    """A mask that leaves out this share of w, the smallest."""
    size = w.detach().abs().flatten()
    cut = size.kthvalue(round(len(size) * sparsity)).values
    return (size > cut).float().view_as(w)


class Training:
    """Steps of a model: loss, gradients, L1, AdamW with decay."""

    def __init__(self):
        self.model, _ = build(job["model"], job["size"])
        self.model.load_state_dict(torch.load(os.path.join(job["folder"], "weights.pt")))
        shape = [job["batches"], job["batch"]]
        self.x = read("inputs", np.float32, shape + job["input"])
        if job["integer"]:
            self.x = self.x.long()
        self.y = read("labels", np.float32, shape + job["target"]).long()
        self.model.train(job["mode"] == "train" and job["batchnorm"] == "train")
        if job["mode"] == "evaluate":
            self.step = self.evaluate
            return
        if job["train"]:
            for name, p in self.model.named_parameters():
                p.requires_grad = any(fnmatch.fnmatchcase(name, glob) for glob in job["train"].split(","))
        self.weights = weights_of(self.model)
        known = {id(p) for p in self.weights}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in known]
        self.optimizer = optimizer(self.weights, rest)
        self.masks = [largest(w, job["sparsity"]) for w in self.weights] if job["sparsity"] else []
        self.prune()

    def step(self, i):
        i %= job["batches"]
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.x[i]), self.y[i])
        if job["l1_as"] == "loss":
            (loss + job["l1"] * sum(w.abs().sum() for w in self.weights)).backward()
        else:
            loss.backward()
        if job["l1_as"] == "sign":
            with torch.no_grad():
                for w in self.weights:
                    w.grad.add_(w.sign(), alpha=job["l1"])
        self.optimizer.step()
        self.prune()
        return loss.item()

    def prune(self):
        with torch.no_grad():
            for w, mask in zip(self.weights, self.masks):
                w.mul_(mask)

    def evaluate(self, i):
        i %= job["batches"]
        with torch.inference_mode():
            return F.cross_entropy(self.model(self.x[i]), self.y[i]).item()

    def run(self, first, steps):
        start = time.perf_counter()
        losses = [self.step(i) for i in range(first, first + steps)]
        return time.perf_counter() - start, losses


class Optimizer:
    """The optimizer alone: L1, AdamW with decay, mask, or AdamW by itself if L1 is
    "none". The gradients are always the same; putting them back is not timed. The
    loss is the mean of |w|."""

    def __init__(self):
        values = read("inputs", np.float32, [2, job["batch"], -1])
        self.weights = [torch.nn.Parameter(w.clone()) for w in values[0]]
        self.masks = [(w.abs() > job["cut"]).float() for w in values[0]]
        self.grads = values[1]
        for w in self.weights:
            w.grad = torch.empty_like(w)
        self.optimizer = optimizer(self.weights, [])

    def step(self):
        if job["l1_as"] == "loss":
            (job["l1"] * sum(w.abs().sum() for w in self.weights)).backward()
        elif job["l1_as"] == "sign":
            with torch.no_grad():
                for w in self.weights:
                    w.grad.add_(w.sign(), alpha=job["l1"])
        self.optimizer.step()
        if job["l1_as"] == "none":
            return
        with torch.no_grad():
            for w, m in zip(self.weights, self.masks):
                w.mul_(m)

    def run(self, first, steps):
        seconds = 0.0
        losses = []
        for _ in range(steps):
            for w, g in zip(self.weights, self.grads):
                w.grad.copy_(g)
            start = time.perf_counter()
            self.step()
            seconds += time.perf_counter() - start
            if first + steps <= 20:
                losses.append(float(np.mean([w.detach().abs().mean(dtype=torch.float64) for w in self.weights])))
        return seconds, losses


def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024


work = Optimizer() if job["mode"] == "optimizer" else Training()
done = 0
print(json.dumps({"version": f"PyTorch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    command = line.split()
    if command[0] == "run":
        seconds, losses = work.run(done, int(command[1]))
        done += int(command[1])
        answer = {"seconds": seconds, "losses": losses[:20]}
    else:
        answer = {"megabytes": peak()}
    print(json.dumps(answer), flush=True)
