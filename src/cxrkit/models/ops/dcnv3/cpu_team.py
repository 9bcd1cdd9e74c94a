"""Runs a loop on the very threads that PyTorch computes with.

PyTorch's threads go on spinning for some milliseconds after each of its operators, to be there for the next.
Threads of our own would have to share the cores with them, and the operator would run on half of them.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

Loop = Callable[..., Any]


def run_on_team(loop: Loop, arrays: Sequence[np.ndarray], jobs: int) -> None:
    """Calls `loop(*arrays, begin, end)` so that all jobs are done, on as many threads as PyTorch uses.

    Args:
        loop: made by numba, without the GIL; of its last two arguments the second is not included.
        arrays: contiguous arrays of one or two dimensions, all of them and nothing else.
        jobs: those before this number are done.
    """
    threads = min(torch.get_num_threads(), jobs)
    if threads == 1:
        loop(*arrays, 0, jobs)
        return
    team = _team()
    if team is None:
        _run_on_own_threads(loop, arrays, jobs, threads)
        return
    shapes = tuple((array.dtype.str, array.ndim) for array in arrays)
    parts = [part for array in arrays for part in (array.ctypes.data, *_two(array.shape))]
    data = np.array([jobs, *parts], dtype=np.int64)
    team.GOMP_parallel(_entry(loop, shapes).address, data.ctypes.data, threads, 0)


def _two(shape: tuple[int, ...]) -> tuple[int, int]:
    return (shape[0], shape[1]) if len(shape) == 2 else (shape[0], 1)


@lru_cache(maxsize=1)
def _team() -> Any | None:
    """Finds the OpenMP library that PyTorch has loaded; None where there is none of this kind."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    own = str(Path(torch.__file__).parent.parent)
    found = sorted(
        {line.split()[-1] for line in lines if "/libgomp" in line}, key=lambda path: own not in path
    )
    if not found:
        return None
    library = ctypes.CDLL(found[0])
    library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    library.GOMP_parallel.restype = None
    for name in ("omp_get_thread_num", "omp_get_num_threads"):
        getattr(library, name).argtypes = []
        getattr(library, name).restype = ctypes.c_int
    return library


@intrinsic
def _pointer(typing: Any, address: Any, like: Any) -> Any:
    """Makes a pointer to elements of a dtype from an address."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = context.get_value_type(like.dtype)
        return builder.inttoptr(arguments[0], ir.PointerType(element))

    return types.CPointer(like.dtype)(address, like), code


@cache
def _entry(loop: Loop, shapes: tuple[tuple[str, int], ...]) -> Any:
    """Makes what each thread of the team calls: it rebuilds the arrays and does its share of the jobs."""
    team = _team()
    assert team is not None
    number, count = team.omp_get_thread_num, team.omp_get_num_threads
    names = [f"a{place}" for place in range(len(shapes))]
    lines = ["def entry(data):", f"    table = carray(data, ({1 + 3 * len(shapes)},), int64)"]
    for place, (name, (_, dimensions)) in enumerate(zip(names, shapes, strict=True)):
        start = 1 + 3 * place
        shape = f"(table[{start + 1}],)" if dimensions == 1 else f"(table[{start + 1}], table[{start + 2}])"
        lines.append(f"    {name} = carray(pointer(table[{start}], kind{place}), {shape})")
    lines += [
        "    jobs, thread, threads = table[0], number(), count()",
        f"    loop({', '.join(names)}, jobs * thread // threads, jobs * (thread + 1) // threads)",
    ]
    space = {"carray": numba.carray, "pointer": _pointer, "number": number, "count": count, "loop": loop}
    space |= {"int64": np.int64} | {f"kind{place}": np.dtype(kind) for place, (kind, _) in enumerate(shapes)}
    exec("\n".join(lines), space)
    return numba.cfunc(types.void(types.voidptr))(space["entry"])


def _run_on_own_threads(loop: Loop, arrays: Sequence[np.ndarray], jobs: int, threads: int) -> None:
    bounds = [jobs * thread // threads for thread in range(threads + 1)]
    pool = _pool(os.getpid(), threads)
    others = [pool.submit(loop, *arrays, begin, end) for begin, end in pairwise(bounds[1:])]
    try:
        loop(*arrays, bounds[0], bounds[1])
    finally:
        # Their memory must live until all have ended.
        for other in others:
            other.result()


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Keeps the threads of this process; a forked one has none of its parent's and makes its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="dcnv3")
