"""What the reference solution of a5 finds, on drawn parts and on real screws."""

import pytest

from bench import anomalies
from data_scripts.storage import DataNotFound

SCREW = "screw --real --backbone mobilenet_v2 --stages 1 2 --size 256"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, image_auroc, pixel_auroc",
    [("capsule", 0.98, 0.95), ("bottle", 0.98, 0.95), (SCREW, 0.85, 0.97)],
)
def test_padim_finds_defects_and_where_they_are(arguments, image_auroc, pixel_auroc):
    options = anomalies.parsed([*arguments.split(), "--coresets"])
    try:
        (name, found), *others = anomalies.methods(options)
    except DataNotFound as reason:
        pytest.skip(str(reason))
    assert name == "PaDiM" and not others
    image, pixel, _ = found["measures"]
    assert image >= image_auroc and pixel >= pixel_auroc
