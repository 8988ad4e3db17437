"""Trains a network in PyTorch, as many steps at a time as it is told, and says how long they took.

    python3 torch_worker.py NETWORK.json BATCH THREADS plain|channels_last|bf16

bf16 is channels_last with the forward pass under autocast to bfloat16.
NETWORK.json is the table `network` of a configuration, of one group. Reads numbers of steps from
standard input, a line each, and answers with seconds, after "ready" and PyTorch's version. Run by
bellows_training_peers.
"""
import json
import sys
import time

import torch
from torch import nn


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def build(layers, shape):
    """Modules for layers that read maps of `shape` [C, H, W]; and the shape that comes out."""
    modules = []
    for layer in layers:
        kind = layer["kind"]
        channels, height, width = shape
        if kind == "conv":
            kernel, stride = pair(layer["kernel"]), pair(layer.get("stride", 1))
            padding = pair(layer.get("padding", 0))
            depthwise = layer.get("depthwise", False)
            out = channels if depthwise else layer["channels"][0]
            module = nn.Conv2d(channels, out, kernel, stride, padding,
                               groups=channels if depthwise else 1, bias=layer.get("bias", True))
        elif kind == "batch_norm":
            module = nn.BatchNorm2d(channels) if height * width > 1 else Flat(nn.BatchNorm1d(channels))
        elif kind == "relu":
            module = nn.ReLU(inplace=True)
        elif kind == "relu6":
            module = nn.ReLU6(inplace=True)
        elif kind in ("max_pool", "avg_pool"):
            kernel = pair(layer["kernel"])
            stride = pair(layer.get("stride", 0))
            stride = kernel if stride == (0, 0) else stride
            pool = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            module = pool(kernel, stride, pair(layer.get("padding", 0)))
        elif kind == "global_avg_pool":
            module = nn.AdaptiveAvgPool2d(1)
        elif kind == "dropout":
            module = nn.Dropout(layer.get("rate", 0.5))
        elif kind == "linear":
            module = Flat(nn.Linear(channels * height * width, layer["features"][0],
                                    bias=layer.get("bias", True)))
        elif kind == "residual":
            body, after = build(layer["body"], shape)
            shortcut = nn.Identity()
            if layer.get("shortcut", "identity") == "projected":
                stride = (height // after[1], width // after[2])
                shortcut = nn.Sequential(nn.Conv2d(channels, after[0], 1, stride, bias=False),
                                         nn.BatchNorm2d(after[0]))
            module = Residual(body, shortcut)
        elif kind == "head":
            continue
        else:
            raise SystemExit(f"torch_worker.py: no layer of kind '{kind}'")
        modules.append(module)
        with torch.no_grad():
            shape = list(nn.Sequential(module).eval()(torch.zeros(2, *shape)).shape[1:])
        module.train()
    return nn.Sequential(*modules), shape


class Flat(nn.Module):
    """A module of features, for maps: [N, C, H, W] to [N, features, 1, 1]."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.flatten(1))[:, :, None, None]


def main():
    path, batch, threads, layout = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    with open(path, encoding="utf-8") as file:
        network = json.load(file)
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    body, shape = build(network["layers"], network["input"])
    classes = network["classes"]
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
    images = torch.randn(batch, *network["input"])
    labels = torch.arange(batch) % classes
    if layout != "plain":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    model.train()
    loss_of = nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, nesterov=True,
                                weight_decay=5e-4)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=layout == "bf16"):
            loss = loss_of(model(images), labels)
        loss.backward()
        optimiser.step()

    step()
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
