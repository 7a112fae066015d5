"""A one-stage detector: its network, what each cell is to say, its loss, and boxes from its predictions.

After FCOS (Tian et al. 2019, arXiv:1904.01355), with the loss of classes of Li et al. 2020 (arXiv:2006.04388): the
score that a class is to have where it is found is the overlap of the predicted box with the true one, so that of
several boxes the tightest has the highest score.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visnav.perception.encoders import Pyramid
from visnav.perception.heads import DetectionHead
from visnav.perception.labels import Labelled

RADIUS = 1.0  # cells around a box's middle that are to find it, if they are inside
MOST_LOGS = 5.0  # of a distance in cells


class Detector(nn.Module):
    """A Pyramid and a DetectionHead: uint8 images (B, H, W, C) in, predictions (B, classes + 4, h, w) out, any size.

    Args:
        encoder: whose stages are read; a policy may read the same one.
        classes: number of them.
    """

    def __init__(self, encoder: Pyramid, classes: int) -> None:
        super().__init__()
        self.encoder, self.classes = encoder, classes
        self.head = DetectionHead(encoder.channels, classes)
        self.stride = 2**self.head.stage

    def forward(self, images: Tensor) -> Tensor:
        """(B, classes + 4, h, w): see `DetectionHead`."""
        return self.head(self.encoder.stages(images))

    @torch.no_grad()
    def detect(
        self, images: Tensor, least_score: float = 0.05, overlap: float = 0.5, most: int = 100
    ) -> list[dict[str, Tensor]]:
        """The boxes on every image.

        Args:
            images: (B, H, W, C) uint8.
            least_score: of a box that is returned.
            overlap: IoU beyond which the lower scored of two boxes of a class is left out.
            most: boxes of an image.

        Returns:
            An image each: "boxes" (M, 4) float32 x0, y0, x1, y1 in pixels, "scores" (M,) falling, "labels" (M,) int64.
        """
        scores, boxes = decode(self(images).float(), self.classes, self.stride, (images.shape[1], images.shape[2]))
        candidates = scores.flatten(1).topk(min(most, scores[0].numel()))
        cells, labels = candidates.indices // self.classes, candidates.indices % self.classes
        chosen = boxes.gather(1, cells[..., None].expand(-1, -1, 4))
        kept = suppress(chosen, labels, overlap) & (candidates.values >= least_score)
        return [
            {"boxes": chosen[i, kept[i]], "scores": candidates.values[i, kept[i]], "labels": labels[i, kept[i]]}
            for i in range(len(images))
        ]


def cell_middles(height: int, width: int, stride: int) -> Tensor:
    """(h * w, 2) x, y in pixels, row by row, of cells so many pixels wide."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride


def decode(
    predictions: Tensor, classes: int, stride: int, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Scores (B, cells, classes), 0 to 1, and boxes (B, cells, 4) in pixels, cut at (height, width) where given."""
    logits, logs = predictions.flatten(2).transpose(1, 2).split([classes, 4], 2)
    middles = cell_middles(predictions.shape[2], predictions.shape[3], stride)
    far = logs.clamp(max=MOST_LOGS).exp() * stride
    boxes = torch.cat([middles - far[..., :2], middles + far[..., 2:]], 2)
    if size is not None:
        edges = torch.tensor([size[1], size[0]] * 2, dtype=boxes.dtype)
        boxes = torch.minimum(boxes.clamp(min=0), edges)
    return logits.sigmoid(), boxes


def suppress(boxes: Tensor, labels: Tensor, overlap: float) -> Tensor:
    """Greedy non-maximum suppression of all images at once: (B, K) bool, whether a box stays.

    Args:
        boxes: (B, K, 4), by falling score.
        labels: (B, K); boxes of different classes do not compete.
        overlap: IoU with a better box that stays, beyond which a box goes.
    """
    corner = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:]) - torch.maximum(
        boxes[:, :, None, :2], boxes[:, None, :, :2]
    )
    shared = corner.clamp(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    union = area[:, :, None] + area[:, None] - shared
    rivals = (shared > overlap * union) & (labels[:, :, None] == labels[:, None])
    kept = torch.ones(labels.shape, dtype=torch.bool)
    for k in range(1, labels.shape[1]):
        kept[:, k] = ~(rivals[:, k, :k] & kept[:, :k]).any(1)
    return kept


def assign(batch: Labelled, height: int, width: int, stride: int) -> Tensor:
    """(B, h * w) int64: the box that each cell is to find, by its place in the batch's, or -1.

    A cell finds a box whose middle is within RADIUS cells and which it lies in; the cell that holds the middle always
    does. Of several boxes it finds the smallest.
    """
    target = torch.full((len(batch.images) * height * width,), -1)
    if len(batch.boxes):
        start, end = batch.boxes[:, None, :2], batch.boxes[:, None, 2:]
        middle, cells = (start + end) / 2, cell_middles(height, width, stride)
        away = (cells - middle).abs().amax(2) / stride
        inside = ((cells > start) & (cells < end)).all(2)
        home = (middle // stride).clamp(max=torch.tensor([width - 1, height - 1]))  # (M, 1, 2) column, row
        at_home = torch.arange(height * width) == home[..., 1] * width + home[..., 0]
        box, cell = torch.nonzero((inside & (away <= RADIUS)) | at_home, as_tuple=True)
        order = ((end - start).prod(2)[box, 0]).argsort(descending=True, stable=True)
        for_cell = batch.owner[box] * (height * width) + cell
        last = torch.zeros_like(target).scatter_reduce(0, for_cell[order], torch.arange(len(order)) + 1, "amax")
        target = torch.where(last > 0, box[order][(last - 1).clamp(min=0)], target)
    return target.view(len(batch.images), -1)


def detection_loss(model: Detector, batch: Labelled, least_area: float = 0.0) -> Tensor:
    """Of the classes, quality focal loss; of the boxes, 1 - generalised IoU (Rezatofighi et al. 2019).

    Args:
        model: predicts.
        batch: images with boxes; a label is a class of the model.
        least_area: pixels of boxes that are to be found; cells of smaller ones are not told what to say.
    """
    predictions = model(batch.images).float()
    height, width = predictions.shape[2:]
    target = assign(batch, height, width, model.stride)
    _, boxes = decode(predictions, model.classes, model.stride)
    logits = predictions.flatten(2).transpose(1, 2)[..., : model.classes]
    counts = torch.cat([(batch.boxes[:, 2:] - batch.boxes[:, :2]).prod(1) >= least_area, torch.tensor([True])])
    told, found = counts[target], (target >= 0) & counts[target]  # target -1 reads the last
    overlap, general = _overlaps(boxes[found], batch.boxes[target[found]])
    wanted = torch.zeros_like(logits)
    wanted[(*torch.nonzero(found, as_tuple=True), batch.labels[target[found]])] = overlap.detach()
    focal = (wanted - logits.sigmoid()).detach().square()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    some = max(1, int(found.sum()))
    return ((focal * entropy)[told].sum() + 2 * (1 - general).sum()) / some


def _overlaps(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (M,) of boxes (M, 4) and others (M, 4), pair by pair."""
    shared = (torch.minimum(boxes[:, 2:], others[:, 2:]) - torch.maximum(boxes[:, :2], others[:, :2])).clamp(min=0)
    around = torch.maximum(boxes[:, 2:], others[:, 2:]) - torch.minimum(boxes[:, :2], others[:, :2])
    both = shared.prod(1)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (others[:, 2:] - others[:, :2]).prod(1) - both
    hull = around.prod(1)
    return both / union, both / union - (hull - union) / hull
