#!/usr/bin/env bash
# Gets a CUDA 13.0 compiler and link stubs from PyPI into DIR (default ~/.cache/haltbench-cuda) and prints the
# environment in which a build with the feature `cuda` is made and run. No GPU, driver or root rights are needed.
#   eval "$(docs/cuda-from-pypi.sh)"
set -euo pipefail
target=${1:-$HOME/.cache/haltbench-cuda}

if [ ! -e "$target/ready" ]; then
  mkdir -p "$target/stubs"
  python3 -m venv "$target/venv" >&2
  packages=(
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-nvrtc==13.0.88
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cublas==13.1.0.3 nvidia-curand==10.4.0.35
  )
  "$target/venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
  toolkit=$(echo "$target"/venv/lib/python3*/site-packages/nvidia/cu13)
  # The wheels carry versioned libraries alone; the linker looks for the plain names.
  for library in cudart.13 nvrtc.13 cublas.13 cublasLt.13 curand.10; do
    name=${library%.*}
    ln -sf "$toolkit/lib/lib$name.so.${library##*.}" "$target/stubs/lib$name.so"
  done
  # The driver's library comes with a GPU: a stub that defines the functions of its header is enough to link. All of
  # them answer 100, CUDA_ERROR_NO_DEVICE.
  {
    grep -oE '\bcu[A-Z][A-Za-z0-9_]*' "$toolkit/include/cuda.h"
    echo cuProfilerInitialize
  } | sort -u | sed 's/.*/int &(void) { return 100; }/' >"$target/stubs/cuda.c"
  gcc -shared -fPIC -w -Wl,-soname,libcuda.so.1 "$target/stubs/cuda.c" -o "$target/stubs/libcuda.so"
  ln -sf libcuda.so "$target/stubs/libcuda.so.1"
  touch "$target/ready"
fi

toolkit=$(echo "$target"/venv/lib/python3*/site-packages/nvidia/cu13)
for variable in CUDA_HOME CUDA_PATH CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR; do
  echo "export $variable='$toolkit'"
done
# The libraries that the program is linked with. The stub would hide a driver, so it is offered only where there is none.
libraries=$toolkit/lib
ldconfig -p | grep -q 'libcuda\.so\.1 ' || libraries=$libraries:$target/stubs
echo "export LD_LIBRARY_PATH='$libraries'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
echo "export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-90} LIBRARY_PATH='$target/stubs' PATH='$toolkit/bin':\"\$PATH\""
