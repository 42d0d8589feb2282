"""What data is on this machine: `python -m data_scripts`."""

import argparse
import sys
from itertools import chain

from data_scripts.cifar10 import CIFAR10
from data_scripts.commands import add_root, show
from data_scripts.fer2013 import FER2013
from data_scripts.fetch import probe
from data_scripts.mvtec_ad import MVTEC_AD
from data_scripts.pretrained import PRETRAINED
from data_scripts.storage import DataNotFound

DATA_SETS = CIFAR10, FER2013, MVTEC_AD, PRETRAINED


def main() -> None:
    """List what is present, or ask every source whether it answers."""
    parser = argparse.ArgumentParser(
        prog="python -m data_scripts",
        description="List the data that is on this machine, its size and its digest.",
        epilog=f"To get some: {', '.join(f'python -m data_scripts.{d.name}' for d in DATA_SETS)}.",
    )
    add_root(parser)
    parser.add_argument("--links", action="store_true", help="try every source there is")
    options = parser.parse_args()
    if options.links:
        for data_set in DATA_SETS:
            for source in data_set.sources:
                where = f"{data_set.name:<11} {source.name:<12} {source.file:<60}"
                print(where, probe(source), flush=True)
        return
    try:
        wrong = show(chain.from_iterable(d.stored(options.root, check=True) for d in DATA_SETS))
    except DataNotFound as error:
        wrong = str(error)
    if wrong:
        sys.exit(wrong)


if __name__ == "__main__":
    main()
