#!/usr/bin/env bash
# Makes the image in which Gradescope grades submissions: run once, as root, on Ubuntu 22.04.
set -euo pipefail

# What you may change. The image's own Python is older than the course needs.
PYTHON_VERSION="3.11"
# Where PyTorch for CPUs is. With nothing between the quotes, the build for GPUs is installed,
# which takes about 5 GB more.
TORCH_INDEX="https://download.pytorch.org/whl/cpu"
# Data that cells load while they are graded, drawn here because submissions have no network:
# "cifar10 fer2013 mvtec_ad", or some of them. The assignments of this course need none.
DATA_SETS=""

SOURCE="${AUTOGRADER_ROOT:-/autograder}/source"
PREFIX="/opt/gradient-check" # not below /autograder, which submissions cannot read
export UV_PYTHON_INSTALL_DIR="/opt/python" UV_NO_CACHE=1
umask 022

# Submissions run as this user, who can read nothing in /autograder.
id -u student >/dev/null 2>&1 ||
    adduser student --no-create-home --disabled-password --gecos ""
python3 -m pip --version >/dev/null 2>&1 ||
    { apt-get update && apt-get install -y --no-install-recommends python3-pip; }
python3 -m pip install "uv>=0.8,<1"
python3 -m uv venv --python "$PYTHON_VERSION" "$PREFIX"
install() { python3 -m uv pip install --python "$PREFIX/bin/python" "$@"; }

if [ -n "$TORCH_INDEX" ]; then
    mapfile -t TORCH < <(grep -E '^(torch|torchvision)==' "$SOURCE/constraints.txt")
    install --no-deps --index-url "$TORCH_INDEX" "${TORCH[@]}"
fi
WHEELS=("$SOURCE"/gradient_check-*.whl)
install --compile-bytecode --constraint "$SOURCE/constraints.txt" \
    "gradient-check[instructor] @ file://${WHEELS[0]}"

for name in $DATA_SETS; do
    "$PREFIX/bin/python" -m "data_scripts.$name" --source embedded --shared
done
chmod -R go-rwx "$SOURCE"
"$PREFIX/bin/python" -P -c "import torch, autograder.lms.gradescope"
