"""Records the trajectories that golden_test.go holds the optimizers to.

    python3 golden.py > golden.json        (made with PyTorch 1.13)

Two parameters, a 2x3 weight and a bias of 2, take 50 steps; some of them are
recorded. The gradient of a step is noise, recorded once for all runs, plus half
the parameter: halving is exact, so both sides compute the same gradient from the
same parameter, and an error is fed back as in real training.

Each run holds what it is called here and the settings that say the same to
package optim. PyTorch decays, and the runs regularise, every parameter: "*=".
"""

import json

import torch

STEPS = 50
RECORDED = [1, 2, 3, 5, 8, 13, 21, 34, 42, 50]
torch.manual_seed(7)
start = {"weight": torch.randn(2, 3), "bias": torch.randn(2)}
noise = {k: torch.randn(STEPS, *v.shape) for k, v in start.items()}


class NAdam(torch.optim.NAdam):
    """NAdam as PyTorch has it since 2.0: before, mu counted twice in the product
    that corrects the momentum of the next step."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["product"] = torch.tensor(1.0)
                    state["m"] = torch.zeros_like(p)
                    state["v"] = torch.zeros_like(p)
                state["step"] += 1
                t, grad = state["step"], p.grad
                if group["weight_decay"]:
                    grad = grad.add(p, alpha=group["weight_decay"])
                mu, after = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (t, t + 1))
                state["product"] *= mu
                state["m"].mul_(beta1).add_(grad, alpha=1 - beta1)
                state["v"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                denom = state["v"].div(1 - beta2**t).sqrt_().add_(group["eps"])
                product = state["product"].item()
                p.addcdiv_(grad, denom, value=-group["lr"] * (1 - mu) / (1 - product))
                p.addcdiv_(state["m"], denom, value=-group["lr"] * after / (1 - product * after))


def flat(t):
    # The shortest decimal that reads back as the same float32.
    return [float(f"{x:.9g}") for x in t.detach().reshape(-1).tolist()]


def run(cls, l1=0.0, l2=0.0, lr_bias=None, **kw):
    params = {k: v.clone().requires_grad_() for k, v in start.items()}
    groups = [{"params": [p]} for p in params.values()]
    if lr_bias is not None:
        groups[1]["lr"] = lr_bias
    opt = cls(groups, **kw)
    record = {k: [] for k in params}
    for t in range(STEPS):
        for k, p in params.items():
            p.grad = noise[k][t] + 0.5 * p.detach()
            if l2:
                p.grad = p.grad.add(p.detach(), alpha=l2)
            if l1:
                p.grad = p.grad.add(torch.sign(p.detach()), alpha=l1)
        opt.step()
        if t + 1 in RECORDED:
            for k, p in params.items():
                record[k].append(flat(p))
    return record


O = torch.optim
# What keyword arguments are called in package optim.
FIELDS = {
    "lr": "lr", "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov", "eps": "eps",
    "momentum_decay": "momentum-decay", "lr_decay": "lr-decay", "initial_accumulator_value": "initial-sum",
    "rho": "rho", "alpha": "alpha", "centered": "centered", "lambd": "lambda", "t0": "t0",
}
RENAMED = {"asgd": {"alpha": "power"}}
runs = {}


def add(rule, case, cls, hidden={}, **kw):
    """Records a run; hidden arguments are part of what the rule is."""
    text = {}
    for k, v in kw.items():
        if k == "betas":
            text["beta1"], text["beta2"] = [str(v[0])], [str(v[1])]
        elif k == "etas":
            text["eta-minus"], text["eta-plus"] = [str(v[0])], [str(v[1])]
        elif k == "step_sizes":
            text["step-min"], text["step-max"] = [str(v[0])], [str(v[1])]
        elif k == "weight_decay":
            text["weight-decay" if rule == "adamw" else "l2"] = [f"*={v}"]
        elif k in ("l1", "l2"):
            text[k] = [f"*={v}"]
        elif k == "lr_bias":
            text["lr"].append(f"bias={v}")
        else:
            text[RENAMED.get(rule, {}).get(k, FIELDS[k])] = [str(float(v))]
    if rule == "adamw" and "weight_decay" not in kw:
        text["weight-decay"] = ["*=0.01"]
    runs[f"{rule} {case}"] = {"rule": rule, "settings": text, **run(cls, **kw, **hidden)}


def family(rule, cls, lr, off, hidden={}, decay="weight_decay"):
    """The cases that every rule has: off is everything off its default. A rule
    without weight decay gets L2 as l2, which joins the gradient."""
    add(rule, "plain", cls, hidden)
    add(rule, "l2", cls, hidden, lr=lr, **{decay: 0.05})
    add(rule, "l1", cls, hidden, lr=lr, l1=0.02)
    add(rule, "off defaults", cls, hidden, lr=lr, **off)
    add(rule, "groups", cls, hidden, lr=lr, lr_bias=lr / 10)


add("sgd", "plain", O.SGD, lr=0.1)
add("sgd", "l2", O.SGD, lr=0.1, weight_decay=0.05)
add("sgd", "l1", O.SGD, lr=0.1, l1=0.02)
add("sgd", "momentum", O.SGD, lr=0.05, momentum=0.9)
add("sgd", "off defaults", O.SGD, lr=0.05, momentum=0.8, dampening=0.3)
add("sgd", "nesterov", O.SGD, lr=0.05, momentum=0.9, nesterov=True)
add("sgd", "momentum l1 l2", O.SGD, lr=0.05, momentum=0.9, weight_decay=0.05, l1=0.02)
add("sgd", "groups", O.SGD, lr=0.1, lr_bias=0.01, momentum=0.9)
betas = dict(betas=(0.8, 0.95), eps=1e-3)
family("adam", O.Adam, 0.01, betas)
family("adamw", O.AdamW, 0.01, dict(betas, weight_decay=0.1))
family("amsgrad", O.Adam, 0.01, betas, dict(amsgrad=True))
family("nadam", NAdam, 0.01, dict(betas, momentum_decay=0.02))
family("radam", O.RAdam, 0.01, betas)
family("adamax", O.Adamax, 0.01, betas)
family("adagrad", O.Adagrad, 0.1, dict(lr_decay=0.01, initial_accumulator_value=0.1, eps=1e-3))
family("adadelta", O.Adadelta, 0.5, dict(rho=0.8, eps=1e-3))
family("rmsprop", O.RMSprop, 0.01, dict(alpha=0.9, eps=1e-3, momentum=0.8, centered=True))
add("rmsprop", "momentum", O.RMSprop, lr=0.01, momentum=0.9)
add("rmsprop", "centered", O.RMSprop, lr=0.01, centered=True)
family("rprop", O.Rprop, 0.02, dict(etas=(0.4, 1.3), step_sizes=(1e-3, 0.5)), decay="l2")
family("asgd", O.ASGD, 0.1, dict(lambd=0.01, alpha=0.6, t0=20))

# L-BFGS on the squares of 12 linear equations of 6 unknowns and the fourth powers
# of these, and on the valley of Rosenbrock: trajectories of some steps of a few
# iterations, in float64, for in float32 PyTorch's loss no longer changes in the last
# step, which ends it.
matrix, rest = torch.randn(12, 6), torch.randn(12)


def equations(w):
    return ((matrix.double() @ w - rest.double()) ** 2).sum() + (w**4).sum()


def rosenbrock(w):
    return 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2


def lbfgs(f=equations, w=[0.0] * 6, steps=4, **kw):
    w = torch.tensor(w, requires_grad=True, dtype=torch.float64)
    opt = O.LBFGS([w], **kw)

    def closure():
        opt.zero_grad()
        loss = f(w)
        loss.backward()
        return loss

    record = []
    for _ in range(steps):
        opt.step(closure)
        record.append(flat(w))
    return record


fixed = dict(lr=0.5, max_iter=5)
wolfe = dict(line_search_fn="strong_wolfe")


def lines(pairs, indent):
    pad = " " * indent
    return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {v}" for k, v in pairs) + "\n" + pad[1:] + "}"


def dump(x):
    return json.dumps(x, separators=(",", ":"))


print(lines([
    ("torch", dump(torch.__version__)),
    ("recorded", dump(RECORDED)),
    ("start", lines([(k, dump(flat(v))) for k, v in start.items()], 2)),
    ("noise", lines([(k, dump([flat(r) for r in v])) for k, v in noise.items()], 2)),
    ("lbfgs", lines([
        ("matrix", dump([flat(r) for r in matrix])), ("rest", dump(flat(rest))),
        ("history100", dump(lbfgs(**fixed))), ("history3", dump(lbfgs(history_size=3, **fixed))),
        ("wolfe", dump(lbfgs(steps=3, lr=1, max_iter=3, max_eval=50, **wolfe))),
        ("far", dump(lbfgs(steps=3, lr=100, max_iter=3, max_eval=50, **wolfe))),
        ("near", dump(lbfgs(steps=3, lr=0.01, max_iter=3, max_eval=50, **wolfe))),
        ("rosenbrock", dump(lbfgs(rosenbrock, [-1.2, 1.0], steps=4, max_iter=5, max_eval=100, **wolfe))),
    ], 2)),
    ("runs", lines([(n, lines([(k, dump(v)) for k, v in r.items()], 3)) for n, r in runs.items()], 2)),
], 1))
