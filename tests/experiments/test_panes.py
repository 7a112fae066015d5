"""Panes of labels, predictions and saliency: what they show, what they refuse, and how fast."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from visnav.envs.grid.lens import SEMANTIC_CLASSES as GRID_CLASSES
from visnav.envs.viewer import picture
from visnav.experiments import watch
from visnav.experiments.episode import pixels
from visnav.experiments.panes import COLOURS, DETECTS, FOUND, SEGMENTS, TRUE, Panes, Seer, heated, outlined, painted
from visnav.experiments.seeing import keep
from visnav.experiments.watch import Show, make_panes, open_seer, open_target
from visnav.perception.detection import Detector
from visnav.perception.encoders import Pyramid
from visnav.perception.heads import Segmenter

ROOMS = "visnav/MiniGrid-Playground-v0"
TRAINED = Path(__file__).parents[2] / "experiments" / "trained" / "MiniGrid-DoorKey-8x8-v0"
FIRST_PERSON = {"camera": "first_person"}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A network of classes and one of boxes, which have not learned yet."""
    torch.manual_seed(0)
    folders = [tmp_path_factory.mktemp("networks") / name for name in ("segment", "detect")]
    keep(folders[0], Segmenter(Pyramid((64, 64, 3), pool=True), len(GRID_CLASSES)), list(GRID_CLASSES), FIRST_PERSON, 0)
    keep(folders[1], Detector(Pyramid((64, 64, 3), pool=True), 3), ["door", "key", "ball"], FIRST_PERSON, 0)
    return folders


def test_classes_are_painted_in_their_colours() -> None:
    classes = np.array([[0, 6], [7, 1]], np.uint8)
    names = [["ceiling", "key"], ["ball", "floor"]]
    for y in range(2):
        for x in range(2):
            assert tuple(painted(classes, GRID_CLASSES)[y, x]) == COLOURS[names[y][x]]


def test_boxes_are_outlined_at_their_pixels() -> None:
    image = np.full((64, 80, 3), 9, np.uint8)
    large = outlined(image, [(np.array([[10, 20, 40, 50.0]]), TRUE), (np.zeros((0, 4)), FOUND)])
    assert large.shape == (256, 320, 3)
    ys, xs = np.nonzero((large == TRUE).all(-1))
    assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (40, 80, 160, 200)
    assert (large[90:190, 50:150] == 9).all()
    assert (outlined(image, [(np.array([[-5, 60, 3, 70.0]]), FOUND)])[250, 0] == FOUND).all(), "cut at the edges"


def test_heat_is_bright_where_it_is_and_nowhere_else() -> None:
    image, heat = np.full((8, 8, 3), 100, np.uint8), np.zeros((8, 8), np.float32)
    cold = heated(image, heat)
    assert (cold == cold[0, 0]).all()
    heat[2, 3] = 0.5
    hot = heated(image, heat)
    assert int(hot[2, 3, 0]) - int(hot[2, 3, 2]) > 100
    assert (np.delete(hot.reshape(-1, 3), 2 * 8 + 3, 0) == cold[0, 0]).all()


def test_masks_boxes_and_predictions_are_those_of_the_frame_that_is_shown() -> None:
    episode, choose = open_target(ROOMS, None, False, 0, **FIRST_PERSON)
    seers = [
        Seer(SEGMENTS, GRID_CLASSES, FIRST_PERSON, lambda image: image[..., 0] % 11),
        Seer(DETECTS, ("key",), FIRST_PERSON, lambda image: np.array([[1, 2, 11, 12.0]])),
    ]
    show = Show(episode, choose, 3, panes=Panes(["camera", "mask", "predicted", "boxes"], episode, seers))
    for _ in range(3):
        show.advance()
        camera, mask, predicted, boxes = show.screen().panes
        image, labels = pixels(episode.observation)[0], episode.env.unwrapped.annotate(("semantic", "boxes"))
        assert np.array_equal(camera.image, image)
        assert np.array_equal(mask.image, painted(labels["semantic"][..., 0], GRID_CLASSES))
        assert np.array_equal(predicted.image, painted(image[..., 0] % 11, GRID_CLASSES))
        keys = labels["boxes"]["boxes"][labels["boxes"]["labels"] == GRID_CLASSES.index("key")]
        expected = outlined(image, [(keys, TRUE), (np.array([[1, 2, 11, 12.0]]), FOUND)])
        assert np.array_equal(boxes.image, expected)
        assert mask.legend == {name: COLOURS[name] for name in GRID_CLASSES}


def test_the_truth_is_told_in_the_networks_words() -> None:
    episode, choose = open_target("visnav/MiniGrid-DoorKey-8x8-v0", None, False, 0, **FIRST_PERSON)
    coarse = tuple(dict.fromkeys(name.split()[-1] for name in GRID_CLASSES))
    seer = Seer(SEGMENTS, coarse, FIRST_PERSON, lambda image: image[..., 0] % len(coarse))
    show = Show(episode, choose, 3, panes=Panes(["mask", "predicted"], episode, [seer]))
    mask, predicted = show.screen().panes
    assert mask.legend == predicted.legend
    assert set(mask.legend) == set(coarse)


def test_saliency_is_the_policys_for_the_action_it_is_about_to_play() -> None:
    episode, choose = open_target(str(TRAINED), "test", greedy=True, seed=0)
    show = Show(episode, choose, panes=make_panes("world,saliency", episode, choose), level=5)
    assert isinstance(choose, watch.Trained)
    for _ in range(3):
        expected = heated(pixels(episode.observation)[0], choose.actor.saliency())
        assert np.array_equal(show.screen().panes[1].image, expected)
        show.advance()
    while not episode.over:
        show.advance()
    assert np.array_equal(show.screen().panes[1].image, pixels(episode.observation)[0]), "no action follows the last"


@pytest.mark.parametrize(
    ("target", "names", "camera", "message"),
    [
        (ROOMS, "camera,masks", "first_person", "unknown pane 'masks'; choose of world, camera, mask"),
        (ROOMS, "predicted", "first_person", "needs --see FOLDER"),
        (ROOMS, "saliency", "first_person", "give the folder of a run"),
        ("visnav/highway-fast-v0", "mask", "kinematics", "makes no pixels"),
    ],
)
def test_panes_that_cannot_be_shown_are_refused(target: str, names: str, camera: str, message: str) -> None:
    episode, choose = open_target(target, None, False, 0, camera=camera)
    with pytest.raises(ValueError, match=message):
        make_panes(names, episode, choose)


def test_networks_of_other_cameras_or_classes_are_refused(networks: list[Path]) -> None:
    episode, choose = open_target(ROOMS, None, False, 0)
    with pytest.raises(ValueError, match=r"learned to see through camera='first_person'.*--camera first_person"):
        make_panes(None, episode, choose, [open_seer(folder) for folder in networks])
    road, choose = open_target("visnav/highway-fast-v0", None, False, 0, camera="front")
    seer = Seer(SEGMENTS, GRID_CLASSES, {"camera": "front"}, lambda image: image[..., 0])
    with pytest.raises(ValueError, match=r"learned the classes ceiling, .*highway-fast-v0 has sky"):
        Panes(["predicted"], road, [seer])
    episode, choose = open_target(ROOMS, None, False, 0, **FIRST_PERSON)
    with pytest.raises(ValueError, match="one network of each kind"):
        make_panes(None, episode, choose, [open_seer(networks[0])] * 2)
    with pytest.raises(ValueError, match="there is no file"):
        open_seer(networks[0] / "none")


def test_the_command_shows_what_networks_see(networks: list[Path], press: Callable[[str], None]) -> None:
    press("right right escape")
    assert watch.main([ROOMS, "--see", *map(str, networks), "--level", "3"]) == 0, "through the networks' camera"


def test_thirty_frames_a_second_with_two_networks(networks: list[Path]) -> None:
    """In time of one core, so that a busy machine does not count: step, labels, predictions and drawing."""
    episode, choose = open_target(ROOMS, None, False, 0, **FIRST_PERSON)
    seers = [open_seer(folder) for folder in networks]
    show = Show(episode, choose, 3, panes=make_panes("camera,mask,predicted,boxes", episode, choose, seers))
    for _ in range(3):
        show.advance()
        picture(show.screen(), (1080, 560))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.process_time()
    for _ in range(30):
        show.advance()
        picture(show.screen(), (1080, 560))
    rate = 30 / (time.process_time() - start)
    torch.set_num_threads(threads)
    assert rate > 30, f"{rate:.0f} frames a second"
