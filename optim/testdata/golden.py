"""Records the trajectories that golden_test.go holds the optimizers to.

    python3 golden.py > golden.json        (made with PyTorch 1.13)

Two parameters, a 2x3 weight and a bias of 2, take 50 steps. The gradient of a
step is noise, recorded once for all runs, plus half the parameter: halving is
exact, so both sides compute the same gradient from the same parameter, and an
error is fed back as in real training.
"""

import json

import torch

STEPS = 50
torch.manual_seed(7)
start = {"weight": torch.randn(2, 3), "bias": torch.randn(2)}
noise = {k: torch.randn(STEPS, *v.shape) for k, v in start.items()}


def flat(t):
    # The shortest decimal that reads back as the same float32.
    return [float(f"{x:.9g}") for x in t.detach().reshape(-1).tolist()]


def run(make, l1=0.0):
    params = {k: v.clone().requires_grad_() for k, v in start.items()}
    opt = make(params["weight"], params["bias"])
    record = {k: [] for k in params}
    for t in range(STEPS):
        for k, p in params.items():
            p.grad = noise[k][t] + 0.5 * p.detach()
            if l1:
                p.grad = p.grad.add(torch.sign(p.detach()), alpha=l1)
        opt.step()
        for k, p in params.items():
            record[k].append(flat(p))
    return record


O = torch.optim


def one(cls, **kw):
    return lambda w, b: cls([w, b], **kw)


def two(cls, lr_bias, **kw):
    return lambda w, b: cls([{"params": [w]}, {"params": [b], "lr": lr_bias}], **kw)


runs = {
    "sgd": run(one(O.SGD, lr=0.1)),
    "sgd l2": run(one(O.SGD, lr=0.1, weight_decay=0.05)),
    "sgd l1": run(one(O.SGD, lr=0.1), l1=0.02),
    "sgd momentum": run(one(O.SGD, lr=0.05, momentum=0.9)),
    "sgd dampening": run(one(O.SGD, lr=0.05, momentum=0.8, dampening=0.3)),
    "sgd nesterov": run(one(O.SGD, lr=0.05, momentum=0.9, nesterov=True)),
    "sgd momentum l1 l2": run(one(O.SGD, lr=0.05, momentum=0.9, weight_decay=0.05), l1=0.02),
    "sgd groups": run(two(O.SGD, 0.01, lr=0.1, momentum=0.9)),
    "adam": run(one(O.Adam)),
    "adam l2": run(one(O.Adam, lr=0.01, weight_decay=0.05)),
    "adam betas": run(one(O.Adam, lr=0.01, betas=(0.8, 0.95), eps=1e-3)),
    "adam l1": run(one(O.Adam, lr=0.01), l1=0.02),
    "adam groups": run(two(O.Adam, 0.001, lr=0.01)),
    "adamw": run(one(O.AdamW)),
    "adamw betas": run(one(O.AdamW, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    "adamw l1": run(one(O.AdamW, lr=0.01), l1=0.02),
    "adamw groups": run(two(O.AdamW, 0.001, lr=0.01)),
}

def lines(pairs, indent):
    pad = " " * indent
    return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {v}" for k, v in pairs) + "\n" + pad[1:] + "}"


def dump(x):
    return json.dumps(x, separators=(",", ":"))


print(lines([
    ("torch", dump(torch.__version__)),
    ("start", lines([(k, dump(flat(v))) for k, v in start.items()], 2)),
    ("noise", lines([(k, dump([flat(r) for r in v])) for k, v in noise.items()], 2)),
    ("runs", lines([(n, lines([(k, dump(v)) for k, v in r.items()], 3)) for n, r in runs.items()], 2)),
], 1))
