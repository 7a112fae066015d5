"""Neurons and layers written out from their formulas, in plain tensor operations that autograd can follow.

Notation: inputs X = (x₁ … x_m), weights W, bias w₀, z = w₀ + Xᵀ W, an activation g, the output ŷ = g(z). `weight` and
`bias` have the names and shapes of torch.nn's layers, so that state dicts can be exchanged; as there, a row of `weight`
holds the weights of one output, which is a column of W. `by_hand` puts these layers into a network in place of
torch.nn's, which are faster and compute the same.
"""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.perception.encoders import PixelConv2d

Activation = Callable[[Tensor], Tensor]


def identity(z: Tensor) -> Tensor:
    """g(z) = z: what makes a network linear, however deep it is."""
    return z


def sigmoid(z: Tensor) -> Tensor:
    """g(z) = 1 / (1 + e⁻ᶻ), of any shape; written so that only e to a power ≤ 0 is computed."""
    small = torch.exp(torch.where(z >= 0, -z, z))
    return torch.where(z >= 0, 1 / (1 + small), small / (1 + small))


def tanh(z: Tensor) -> Tensor:
    """g(z) = (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ) = 2 sigmoid(2z) − 1, of any shape."""
    return 2 * sigmoid(2 * z) - 1


def relu(z: Tensor) -> Tensor:
    """g(z) = max(0, z), of any shape; the gradient at 0 is 0, as torch's."""
    return torch.where(z > 0, z, 0)


def softmax(y: Tensor, dim: int = -1) -> Tensor:
    """e^yᵢ / Σⱼ e^yⱼ along `dim`: class probabilities. The greatest yⱼ is taken from all first; it cancels out."""
    powers = torch.exp(y - y.detach().amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


def log_softmax(y: Tensor, dim: int = -1) -> Tensor:
    """log softmax(y) = yᵢ − log Σⱼ e^yⱼ along `dim`, finite where a probability is too small for a number."""
    y = y - y.detach().amax(dim, keepdim=True)
    return y - torch.exp(y).sum(dim, keepdim=True).log()


def cross_entropy(y: Tensor, classes: Tensor) -> Tensor:
    """Mean of −log softmax(y) at the true class: y (B, C), classes (B,) int64 from 0 to C − 1."""
    return -log_softmax(y).gather(1, classes[:, None]).mean()


def binary_cross_entropy(z: Tensor, truth: Tensor) -> Tensor:
    """Mean of −t log ŷ − (1 − t) log(1 − ŷ), where ŷ = sigmoid(z) and t is the truth, 0 or 1; both of one shape.

    In terms of z it is log(1 + eᶻ) − t z, which is finite for every z.
    """
    positive = z >= 0
    return (torch.where(positive, z, 0) + torch.log1p(torch.exp(torch.where(positive, -z, z))) - truth * z).mean()


class Dense(nn.Module):
    """All outputs connected to all inputs: zᵢ = w₀ᵢ + Σⱼ xⱼ wⱼᵢ. State dict as nn.Linear's.

    Args:
        inputs: m, length of X.
        outputs: n, number of perceptrons side by side.
        bias: whether there is a w₀.
    """

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        _draw(self.weight, self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """z (…, n) of inputs (…, m)."""
        z = inputs @ self.weight.T
        return z if self.bias is None else self.bias + z


class Perceptron(nn.Module):
    """One neuron: ŷ = g(w₀ + Xᵀ W), Rosenblatt 1958 with a smooth g. State dict as that of nn.Linear(m, 1).

    Args:
        inputs: m, length of X.
        activation: g.
    """

    def __init__(self, inputs: int, activation: Activation = sigmoid) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.empty(1, inputs))
        self.bias = nn.Parameter(torch.empty(1))
        _draw(self.weight, self.bias)

    def z(self, inputs: Tensor) -> Tensor:
        """w₀ + Xᵀ W (B,) of inputs (B, m): its sign is the side of the decision line."""
        return self.bias + (inputs * self.weight).sum(-1)

    def forward(self, inputs: Tensor) -> Tensor:
        """ŷ (B,) of inputs (B, m)."""
        return self.activation(self.z(inputs))


class Conv2d(nn.Module):
    """A filter slid over maps: every patch goes through one dense layer. State dict as nn.Conv2d's.

    z[o, y, x] = w₀[o] + Σ over c, i, j of x[c, s·y + i − p, s·x + j − p] · w[o, c, i, j], with stride s and padding p;
    beyond the edges there are zeros. (The field calls this a convolution; it is a correlation.)

    Args:
        in_channels, out_channels: maps read, and maps made.
        kernel_size: side of the filter, or (height, width).
        stride: pixels between patches, or (down, right).
        padding: zeros put around the maps, or (above and below, left and right).
        bias: whether there is a w₀.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = _pair(kernel_size), _pair(stride), _pair(padding)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        _draw(self.weight, self.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, out_channels, h, w) of maps (B, in_channels, H, W), with h = (H + 2p − k) // s + 1.

        Raises:
            ValueError: the maps are smaller than the filter.
        """
        rows = patches(maps, self.kernel_size, self.stride, self.padding, 0.0)  # (B, C, h, w, kh, kw)
        z = rows.permute(0, 2, 3, 1, 4, 5).flatten(3) @ self.weight.flatten(1).T  # (B, h, w, out)
        return (z if self.bias is None else self.bias + z).permute(0, 3, 1, 2)


class ImageConv2d(Conv2d):
    """A Conv2d that reads images (B, H, W, C), uint8 ones as 0..1: the first layer of an encoder."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, out_channels, h, w) of images (B, H, W, in_channels)."""
        pixels = maps.to(self.weight.dtype) / 255 if maps.dtype == torch.uint8 else maps
        return super().forward(pixels.permute(0, 3, 1, 2))


class MaxPool2d(nn.Module):
    """The greatest number of every patch of every map; of equal ones the first gets the gradient, as in torch.

    Args:
        kernel_size: side of a patch, or (height, width).
        stride: pixels between patches, or (down, right); the patch's side where None.
        padding: −∞ put around the maps, or (above and below, left and right).
        ceil_mode: whether rows and columns beyond the last whole patch make a smaller one, or are left out.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.ceil_mode = _pair(kernel_size), _pair(padding), ceil_mode
        self.stride = _pair(kernel_size if stride is None else stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) of maps (B, C, H, W), with h = (H + 2p − k) // s + 1, one more where a smaller patch is left.

        Raises:
            ValueError: the maps are smaller than a patch.
        """
        if self.ceil_mode:
            below, right = (self._beyond(axis, maps.shape[2 + axis]) for axis in (0, 1))
            maps = F.pad(maps, (0, right, 0, below), value=-math.inf)
        return patches(maps, self.kernel_size, self.stride, self.padding, -math.inf).flatten(4).max(-1).values

    def _beyond(self, axis: int, length: int) -> int:
        """How many rows (or columns) the last patch lacks; it begins in the maps or above them, never below."""
        size, stride, padding = self.kernel_size[axis], self.stride[axis], self.padding[axis]
        count = -(-(length + 2 * padding - size) // stride) + 1
        if (count - 1) * stride >= length + padding:
            count -= 1
        return max(0, (count - 1) * stride + size - length - 2 * padding)


class Apply(nn.Module):
    """A layer without weights: an activation, of every number alone."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, z: Tensor) -> Tensor:
        """g(z), of the same shape."""
        return self.activation(z)


def patches(
    maps: Tensor, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], outside: float
) -> Tensor:
    """Every patch that a layer looks at: (B, C, h, w, size[0], size[1]) of maps (B, C, H, W).

    Raises:
        ValueError: the maps with their padding, which holds the number `outside`, are smaller than a patch.
    """
    padded = F.pad(maps, (padding[1], padding[1], padding[0], padding[0]), value=outside)
    if padded.shape[2] < size[0] or padded.shape[3] < size[1]:
        raise ValueError(
            f"maps of {tuple(maps.shape[2:])} with padding {padding} are smaller than a patch of {size}; "
            "use larger images, a smaller kernel or more padding"
        )
    return padded.unfold(2, size[0], stride[0]).unfold(3, size[1], stride[1])


def by_hand(network: nn.Module) -> nn.Module:
    """A copy of a network with this module's layers in place of torch.nn's, with the same state dict.

    nn.Linear, nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.Sigmoid, nn.Tanh and the encoders' first convolutions are
    exchanged; all else stays as it is.

    Raises:
        ValueError: a layer has an option that is not written out here, such as groups or dilation.
    """
    network = copy.deepcopy(network)
    written = _written_out(network)
    if written is not network:
        for name, parameter in network.named_parameters(recurse=False):
            setattr(written, name, parameter)
        return written.train(network.training)
    for name, child in network.named_children():
        setattr(network, name, by_hand(child))
    return network


def _written_out(layer: nn.Module) -> nn.Module:
    """The layer of this module that computes the same, or the layer itself where there is none."""
    if type(layer) is nn.Linear:
        return Dense(layer.in_features, layer.out_features, layer.bias is not None)
    if type(layer) is nn.Conv2d or isinstance(layer, PixelConv2d):
        if layer.groups != 1 or set(_pair(layer.dilation)) != {1} or isinstance(layer.padding, str):
            raise ValueError(f"groups, dilation and padding by name are not written out: {layer}")
        kind = ImageConv2d if isinstance(layer, PixelConv2d) else Conv2d
        shape = (_pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding))
        return kind(layer.in_channels, layer.out_channels, *shape, layer.bias is not None)
    if type(layer) is nn.MaxPool2d:
        if set(_pair(layer.dilation)) != {1}:
            raise ValueError(f"dilation is not written out: {layer}")
        return MaxPool2d(_pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding), layer.ceil_mode)
    activations: dict[type[nn.Module], Activation] = {nn.ReLU: relu, nn.Sigmoid: sigmoid, nn.Tanh: tanh}
    return Apply(activations[type(layer)]) if type(layer) in activations else layer


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _draw(weight: Tensor, bias: Tensor | None) -> None:
    """Uniform in ±1/√m, where m inputs lead to an output: what nn.Linear and nn.Conv2d begin with."""
    reach = 1 / math.sqrt(weight[0].numel())
    for tensor in (weight, bias):
        if tensor is not None:
            nn.init.uniform_(tensor, -reach, reach)
