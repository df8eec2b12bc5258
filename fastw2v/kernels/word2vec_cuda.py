"""Compile and launch the kernels in `word2vec*.cu`. Importing this module does not import CuPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import cuda_problem
from fastw2v.config import CHUNK_TOKENS, MAX_STEP_NORM, Loss, Model, TrainingConfig
from fastw2v.utils.progress import waiting

__all__ = [
    "MIN_COMPUTE_CAPABILITY",
    "SOURCE",
    "WARPS",
    "Arguments",
    "Kernel",
    "choose_kernel",
    "compile_kernel",
    "device_kernel",
    "launch",
    "optimize_occupancy",
    "resident_blocks",
    "resident_warps",
    "unavailable_reason",
]

SOURCE = Path(__file__).with_name("word2vec.cu")
"""Path of the CUDA source that all kernels share. `Kernel.source` appends the source of one kernel."""
WARPS = 4
"""Warps in a block."""
TREE_WARPS = 2
"""Warps in a block that trains with hierarchical softmax only. With more warps, more of the work is done by each."""
TENSOR_CORE_TILE = 16
"""The size of tiles that tensor cores process, which is the number of rows of their matrices."""
TENSOR_CORE_CAPABILITY = (8, 0)
"""Lowest compute capability whose tensor cores process float32."""
TREE_NODES = ((24, 8), (8, 4), (8, 0))
"""Inner nodes of the Huffman tree that a block has in shared memory: preferred numbers, and smaller ones.

The first number is the size of the groups in which a path is processed. In wiki8, a path of more than 24 nodes does not
occur. The second is the number of nodes nearest to the root that a block holds (`HELD_TOKENS`).
"""
HELD_TOKENS = 64
"""Tokens of the corpus between write-backs of the inner nodes that a block holds."""
RESERVED_PER_BLOCK = 1024
"""Bytes of shared memory that CUDA reserves for each block."""
MIN_COMPUTE_CAPABILITY = (7, 5)
"""Lowest supported compute capability."""


def unavailable_reason(device: str = "cuda") -> str | None:
    """Return why the kernels cannot run on a device, or None if they can.

    Parameters
    ----------
    device : str
        "cuda" or "cuda:N".
    """
    if reason := cuda_problem():
        return reason
    import cupy

    index = device.partition(":")[2]
    capability = _compute_capability(cupy.cuda.Device(int(index) if index else None))
    if capability < MIN_COMPUTE_CAPABILITY:
        found, least = (".".join(map(str, version)) for version in (capability, MIN_COMPUTE_CAPABILITY))
        return f"the device has compute capability {found}; {least} or later is required"
    return None


def _compute_capability(device: Any) -> tuple[int, int]:
    """Return the compute capability of a CuPy device, such as (9, 0)."""
    return int(device.compute_capability[:-1]), int(device.compute_capability[-1])


class Kernel(NamedTuple):
    """The settings that are compiled into a kernel."""

    model: Model
    double: bool
    """Whether numbers are float64 instead of float32."""
    width: int
    """Numbers in a row, including padding."""
    reach: int
    """Largest distance between a target and a context in the corpus."""
    tile: int
    pool_size: int
    held: bool
    """Whether a pool and its updates stay in shared memory for several tiles."""
    warps: int = WARPS
    """Warps in a block."""
    rounded_ring: bool = False
    """Whether the number of rows of the ring buffers is rounded up to a power of two, which makes indices faster."""
    min_blocks: int = 1
    """Blocks for which the compiler must leave registers on a multiprocessor."""
    tensor_cores: bool = False
    """Whether tiles are processed by tensor cores (`word2vec_mma.cu`)."""
    freeze: bool = False
    """Whether rows with a maximum rate of 0 keep their bytes. Without it, the kernel contains no test for such rows."""
    has_subwords: bool = False
    """Whether the input vector of a word is the mean of several rows of W_in."""
    loss: Loss = TrainingConfig.loss
    path_group: int = TREE_NODES[0][0]
    """Inner nodes of a path that are processed together. Only used for hierarchical softmax."""
    held_nodes: int = TREE_NODES[0][1]
    """Inner nodes nearest to the root that a block holds. Only used for hierarchical softmax."""

    @property
    def ring_rows(self) -> int:
        """Rows of each of the two ring buffers: at least as many as the windows of a tile can reach.

        Examples
        --------
        >>> from fastw2v.kernels.word2vec_cuda import Kernel
        >>> kernel = Kernel("cbow", double=False, width=100, reach=5, tile=4, pool_size=24, held=False)
        >>> kernel.ring_rows, kernel._replace(rounded_ring=True).ring_rows
        (14, 16)
        """
        rows = 2 * self.reach + self.tile
        return 1 << (rows - 1).bit_length() if self.rounded_ring else rows

    @property
    def name(self) -> str:
        """The name of the kernel's function in the source.

        Examples
        --------
        >>> from fastw2v.kernels.word2vec_cuda import Kernel
        >>> kernel = Kernel("cbow", double=False, width=100, reach=5, tile=4, pool_size=24, held=False)
        >>> kernel.name
        'cbow_ns'
        """
        return f"{self.model}_{'ns' if self.loss == 'ns' else 'hs'}"

    def source(self) -> str:
        """Return the CUDA source: the part that all kernels share, followed by the part of this kernel.

        Examples
        --------
        >>> from fastw2v.kernels.word2vec_cuda import Kernel
        >>> kernel = Kernel("cbow", double=False, width=100, reach=5, tile=16, pool_size=16, held=False)
        >>> "mma.sync" in kernel.source(), "mma.sync" in kernel._replace(tensor_cores=True).source()
        (False, True)
        """
        parts = ["word2vec_mma.cu" if self.tensor_cores else "word2vec_rows.cu"]
        parts += [] if self.loss == "ns" else ["word2vec_hs.cu"]
        # CuPy's cache of compiled kernels does not notice changes of included files, so there is no #include.
        return "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE, *map(SOURCE.with_name, parts)))

    def macros(self) -> tuple[str, ...]:
        """Return the compiler options that define the macros of the source.

        Examples
        --------
        >>> from fastw2v.kernels.word2vec_cuda import Kernel
        >>> kernel = Kernel("cbow", double=False, width=100, reach=5, tile=4, pool_size=24, held=False)
        >>> kernel.macros()[:4]
        ('-DDIM=100', '-DREACH=5', '-DTILE=4', '-DRING_ROWS=14')
        """
        sizes = {
            "DIM": self.width,
            "REACH": self.reach,
            "TILE": self.tile,
            "RING_ROWS": self.ring_rows,
            "POOL_SIZE": self.pool_size,
            "POOL_HELD": int(self.held),
            "WARPS": self.warps,
            "MIN_BLOCKS": self.min_blocks,
            "CHUNK_TOKENS": CHUNK_TOKENS,
            "MAX_STEP_NORM": MAX_STEP_NORM,
            "FREEZE": int(self.freeze),
            "SUBWORDS": int(self.has_subwords),
        }
        if self.loss != "ns":
            sizes |= {"PATH_GROUP": self.path_group, "HELD_NODES": self.held_nodes, "HELD_TOKENS": HELD_TOKENS}
            sizes |= {"NEGATIVE_SAMPLING": int(self.loss == "hs+ns")}
        return (*(f"-D{name}={value}" for name, value in sizes.items()), *(("-DDOUBLE",) if self.double else ()))

    def shared_bytes(self) -> int:
        """Return the bytes of shared memory that a block needs.

        The constructors of `Block` in the sources define the layouts.

        Examples
        --------
        Holding the pool needs a second array of pool_size · width numbers for its updates:

        >>> from fastw2v.kernels.word2vec_cuda import Kernel
        >>> kernel = Kernel("cbow", double=False, width=100, reach=5, tile=4, pool_size=24, held=False)
        >>> kernel._replace(held=True).shared_bytes() - kernel.shared_bytes()  # 24 · 100 · 4
        9600
        """
        if self.tensor_cores:
            return self._shared_bytes_of_tensor_cores()
        if self.loss == "ns":
            return self._shared_bytes_of_rows()
        if self.loss == "hs":
            return self._shared_bytes_of_tree()
        return max(self._shared_bytes_of_rows(), self._shared_bytes_of_tree())  # one after the other

    def _shared_bytes_of_rows(self) -> int:
        group = 4 if self.tile >= 3 else self.tile
        padded_tile = -(-self.tile // group) * group
        ring = self.ring_rows
        cbow = self.model == "cbow"
        rows = 2 * ring + cbow * padded_tile + (self.warps + 1) * padded_tile + self.pool_size * (1 + self.held)
        numbers = self.pool_size * (4 + padded_tile) + (padded_tile if cbow else ring * (2 * self.reach + 1))
        integers = 6 + 4 * self._token_rows() + 2 * self.pool_size + cbow * padded_tile + 2 * self.warps
        return (8 if self.double else 4) * (rows * self.width + numbers) + 4 * integers

    def _shared_bytes_of_tree(self) -> int:
        ring, group, cbow = self.ring_rows, self.path_group, self.model == "cbow"
        window = -(-2 * self.reach // 4) * 4
        rows, numbers = 2 * ring + group + 2 * self.held_nodes, group * (1 if cbow else window) + 2 * group
        return (8 if self.double else 4) * (rows * self.width + numbers) + 4 * (2 * group + 2 + 2 * self.warps)

    def _shared_bytes_of_tensor_cores(self) -> int:
        def odd_groups(numbers: int) -> int:
            return 8 * (-(-numbers // 8) | 1)

        ring, cbow, pool = self.ring_rows, self.model == "cbow", -(-self.pool_size // 8) * 8
        rows = 2 * ring + cbow * self.tile + pool + self.held * self.pool_size
        band = 2 * self.reach + 1
        parts = self.warps * self.tile * (odd_groups(pool if cbow else pool + band) + 3)
        coefficients = self.tile if cbow else ring * ((band + 2) // 8 * 8 + 5)
        columns = 8 * self.warps * -(-self.width // (8 * self.warps))
        numbers = rows * odd_groups(columns) + parts + coefficients + 4 * self.pool_size
        return 4 * (numbers + 6 + 4 * self._token_rows() + 2 * self.pool_size + 2 * self.warps)

    def _token_rows(self) -> int:
        """Tokens in shared memory, the constant `TOKEN_ROWS` of the source."""
        return 1 << (5 * self.tile + 3 * self.reach - 1).bit_length()


class Arguments(NamedTuple):
    """The parameter of the kernels. The struct `Arguments` in `word2vec.cu` has the same fields in the same order.

    Shapes use V for the number of words, R for the number of rows of W_in (V without subwords), N for the number of
    items and B for the number of blocks. An item is a chunk in an epoch, and items are numbered in the order of
    training. Arrays are CuPy arrays. The caller must keep them alive until the kernel has finished, because `as_struct`
    stores only their addresses. What a kernel does not need is None.
    """

    W_in: Any
    W_out: Any
    """Float arrays, shapes (R, width) and (V, width)."""
    max_rate_in: Any
    max_rate_out: Any
    """Float arrays, shapes (R,) and (V,): for each row, the learning rate above which its steps are scaled down."""
    words: int
    """V."""

    ids: Any
    """int32 array: word ids of the tokens from `first_token` on. The last token of a sentence has its sign bit set."""
    first_token: int
    """Index in the corpus of ``ids[0]``."""
    chunk_start: Any
    chunk_stop: Any
    """int64 arrays, shape (N,): index of the first token of each item in the corpus, and index after the last token."""
    chunk_done: Any
    """int64 array, shape (N,): number of tokens, over all epochs, trained before each item."""
    chunks_per_epoch: int
    stop_item: int
    """Index after the last item of the launch."""

    keep: Any
    """uint64 array, shape (V,): subsampling threshold of each word, for `rng.bernoulli`."""
    threshold: Any
    alias: Any
    """uint64 and int32 arrays, shape (V,): the alias table of the noise distribution."""
    seed: int
    """Modulo 2**64."""
    window: int
    """At least the `reach` of the kernel."""
    shrink_windows: bool

    pool_sync_interval: int
    """Tiles between write-backs of a pool. Not used if the kernel does not hold pools."""
    pool_tokens: int
    cbow_grad_scale: Any
    """Float array, shape (2 * reach + 1,): CBOW's factor of a context's gradient, by number of contexts."""
    negative: float
    alpha: float
    slope: float
    """Decrease of the learning rate per token."""

    next_item: Any
    """uint64 array, shape (1,): the next item to train. The kernel increments it."""
    scratch: Any
    """int32 array, shape (B, 5, CHUNK_TOKENS): working memory."""
    losses: Any
    predictions: Any
    """float64 and int32 arrays, shape (N,): summed loss and number of the measured predictions of each item."""

    W_nodes: Any
    """Float array, shape (V, width), for hierarchical softmax: rows of the inner nodes of the Huffman tree."""
    tree_max_rate_in: Any
    max_rate_nodes: Any
    """Float arrays, shapes (R,) and (V,): `max_rate_in` for hierarchical softmax, and the same for `W_nodes`."""
    path_start: Any
    """int64 array, shape (V + 1,): the path of word w is in ``path[path_start[w]:path_start[w + 1]]``."""
    path: Any
    """int32 array: inner nodes of all paths, each from the root to the word. A node is stored as 2 · node + code."""

    subword_starts: Any
    subword_rows: Any
    """int64 array of shape (V + 1,) and int32 array, for subwords: the rows of W_in of word w are in
    ``subword_rows[subword_starts[w]:subword_starts[w + 1]]``."""

    def as_struct(self) -> np.ndarray:
        """Return the struct as an array of shape () and dtype `ARGUMENTS`, which CuPy passes to a kernel by value.

        None becomes 0.
        """
        values = {
            name: value if name in SCALARS else value.data.ptr
            for name, value in self._asdict().items()
            if value is not None
        }
        struct = np.zeros((), ARGUMENTS)
        for name, value in values.items():
            struct[name] = value
        return struct


SCALARS: dict[str, Any] = {
    "words": np.int64,
    "first_token": np.int64,
    "chunks_per_epoch": np.int64,
    "stop_item": np.int64,
    "seed": np.uint64,
    "window": np.int32,
    "shrink_windows": np.int32,
    "pool_sync_interval": np.int32,
    "pool_tokens": np.int64,
    "negative": np.float64,
    "alpha": np.float64,
    "slope": np.float64,
}
"""Types of the fields of `Arguments` that are not arrays."""
ARGUMENTS = np.dtype([(name, SCALARS.get(name, np.uint64)) for name in Arguments._fields], align=True)
"""Layout of the struct, as in C. Arrays are stored as addresses."""


def compile_kernel(
    model: Model,
    double: bool,
    width: int,
    reach: int,
    tile: int,
    pool_size: int,
    hold: bool,
    *,
    freeze: bool = False,
    loss: Loss = TrainingConfig.loss,
    has_subwords: bool = False,
) -> tuple[Kernel, Any]:
    """Compile the kernel that `choose_kernel` returns for the current device, or load it from CuPy's cache.

    Parameters
    ----------
    model, double, width, reach, tile, pool_size, hold, loss, has_subwords
        See `choose_kernel`.
    freeze : bool
        Whether rows can be frozen.

    Returns
    -------
    kernel : Kernel
    function : cupy.RawKernel
    """
    import cupy

    kernel = device_kernel(model, double, width, reach, tile, pool_size, hold, loss=loss, has_subwords=has_subwords)
    kernel = kernel._replace(freeze=freeze)
    module = cupy.RawModule(code=kernel.source(), options=("-std=c++17", *kernel.macros()))
    with waiting("compiling the kernel for the GPU, or loading it from CuPy's cache"):
        function = module.get_function(kernel.name)
    function.max_dynamic_shared_size_bytes = kernel.shared_bytes()
    function.preferred_shared_memory_carveout = 100  # percent; tables are not read through the first-level cache
    return kernel, function


def device_kernel(
    model: Model,
    double: bool,
    width: int,
    reach: int,
    tile: int,
    pool_size: int,
    hold: bool,
    *,
    loss: Loss = TrainingConfig.loss,
    has_subwords: bool = False,
) -> Kernel:
    """Return the kernel that `choose_kernel` returns for the current device.

    Parameters
    ----------
    model, double, width, reach, tile, pool_size, hold, loss, has_subwords
        See `choose_kernel`.
    """
    import cupy

    device = cupy.cuda.Device()
    limit = device.attributes["MaxSharedMemoryPerBlockOptin"]
    tensor_cores = _compute_capability(device) >= TENSOR_CORE_CAPABILITY
    return choose_kernel(
        model, double, width, reach, tile, pool_size, hold, limit, tensor_cores=tensor_cores, loss=loss,
        has_subwords=has_subwords,
    )  # fmt: skip


def choose_kernel(
    model: Model,
    double: bool,
    width: int,
    reach: int,
    tile: int,
    pool_size: int,
    hold: bool,
    limit: int,
    *,
    tensor_cores: bool = False,
    loss: Loss = TrainingConfig.loss,
    has_subwords: bool = False,
) -> Kernel:
    """Return a kernel that fits in the shared memory of a device.

    If the requested kernel does not fit, a kernel that does not hold its pool is tried, and then kernels with fewer
    warps. `optimize_occupancy` chooses the other settings. Tiles of `TENSOR_CORE_TILE` targets in float32 are processed
    by tensor cores if the device has them and the kernel fits. Kernels for hierarchical softmax and for subwords do not
    use them. If a kernel for hierarchical softmax does not fit, fewer inner nodes (`TREE_NODES`) are tried first.

    Parameters
    ----------
    model : {"cbow", "skipgram"}
    double : bool
        Whether numbers are float64 instead of float32.
    width : int
        Numbers in a row, including padding.
    reach, tile, pool_size : int
    hold : bool
        Whether a pool should stay in shared memory for several tiles.
    limit : int
        Bytes of shared memory that a block can use.
    tensor_cores : bool
        Whether the device has tensor cores for float32.
    loss : {"ns", "hs", "hs+ns"}
        With "hs", a kernel has no pool and trains one target at a time.
    has_subwords : bool
        Whether the input vector of a word is the mean of several rows of W_in.

    Returns
    -------
    Kernel

    Raises
    ------
    ValueError
        If no kernel fits. The message names the settings that need the memory.

    Examples
    --------
    With 227 KiB of shared memory, the kernel holds its pool. With 99 KiB, it does not, and a block has only two warps:

    >>> from fastw2v.kernels.word2vec_cuda import choose_kernel
    >>> for limit in (227 << 10, 99 << 10):
    ...     kernel = choose_kernel("cbow", False, 300, reach=5, tile=4, pool_size=32, hold=True, limit=limit)
    ...     print(kernel.held, kernel.warps)
    True 4
    False 2
    """
    choices = [(hold, WARPS, False), (False, WARPS, False), (False, 2, False), (False, 1, False)]
    if loss == "hs":
        tile = pool_size = 1
        choices = [(False, TREE_WARPS, False)]  # the memory does not depend on the number of warps
    if tensor_cores and tile == TENSOR_CORE_TILE and not (double or has_subwords) and loss == "ns":
        choices = [(hold, WARPS, True), (False, WARPS, True), *choices]
    for held, warps, on_tensor_cores in choices:
        for path_group, nodes in TREE_NODES[:1] if loss == "ns" else TREE_NODES:
            kernel = Kernel(
                model, double, width, reach, tile, pool_size, held, warps, tensor_cores=on_tensor_cores,
                has_subwords=has_subwords, loss=loss, path_group=path_group, held_nodes=nodes,
            )  # fmt: skip
            if kernel.shared_bytes() <= limit:
                return optimize_occupancy(kernel, limit)
    settings = f" and window {reach}" if loss == "hs" else f", window {reach}, pool_size {pool_size} and tile {tile}"
    raise ValueError(
        f"a block of the fused GPU engine needs {kernel.shared_bytes():,} bytes of shared memory for vector_size "
        f"{width}{settings}, but this device has only {limit:,}: lower one of these settings, or train with "
        "engine='layers'"
    )


def optimize_occupancy(kernel: Kernel, limit: int) -> Kernel:
    """Return a kernel with the settings that depend on how many blocks fit on a multiprocessor.

    Parameters
    ----------
    kernel : Kernel
    limit : int
        Bytes of shared memory that a block can use. A multiprocessor has `RESERVED_PER_BLOCK` bytes more.

    Returns
    -------
    Kernel
        The ring buffers are rounded up to a power of two if as many blocks fit as without rounding.

    Examples
    --------
    Tiles of 4 targets and windows of 5 tokens need rings of 14 rows, and 16 rows still fit five times in 227 KiB. With
    tiles of 8, 32 rows instead of 18 would cost a block:

    >>> from fastw2v.kernels.word2vec_cuda import Kernel, optimize_occupancy
    >>> for tile in (4, 8):
    ...     kernel = Kernel("cbow", double=False, width=128, reach=5, tile=tile, pool_size=16, held=False)
    ...     optimized = optimize_occupancy(kernel, 227 << 10)
    ...     print(optimized.ring_rows, optimized.min_blocks)
    16 5
    18 4
    """
    most = resident_warps(kernel) // kernel.warps

    def blocks(kernel: Kernel) -> int:
        fitting = (limit + RESERVED_PER_BLOCK) // (kernel.shared_bytes() + RESERVED_PER_BLOCK)
        return max(1, min(fitting, most))

    rounded = kernel._replace(rounded_ring=True)
    if rounded.shared_bytes() <= limit and blocks(rounded) == blocks(kernel):
        kernel = rounded
    return kernel._replace(min_blocks=blocks(kernel))


def resident_warps(kernel: Kernel) -> int:
    """Return the number of warps for which the compiler must leave registers on a multiprocessor.

    Parameters
    ----------
    kernel : Kernel

    Notes
    -----
    A thread keeps eight numbers for each target of a tile in registers. Of 65,536 registers, each thread of 20 warps
    gets 96, and each thread of 16, 12 or 8 warps gets 128, 168 or 255. With more warps, some kernels would spill.
    With tensor cores, a thread keeps fragments of matrices, and 16 warps do not spill. Skip-gram with hierarchical
    softmax keeps 32 scores and eight nodes, and 16 warps do not spill. With both losses and subwords, a thread also
    keeps parts of eight rows, and 20 warps would spill.

    Examples
    --------
    >>> from fastw2v.kernels.word2vec_cuda import Kernel, resident_warps
    >>> kernel = Kernel("cbow", double=False, width=128, reach=5, tile=4, pool_size=16, held=False)
    >>> resident_warps(kernel), resident_warps(kernel._replace(tile=8))
    (20, 16)
    """
    if kernel.tensor_cores:
        return 16
    if kernel.tile <= 4:
        few = (kernel.loss == "hs" and kernel.model == "skipgram") or (kernel.loss == "hs+ns" and kernel.has_subwords)
        return 12 if kernel.double else 16 if few else 20
    return 16 if kernel.tile <= 8 and not kernel.double else 8


def resident_blocks(kernel: Kernel, function: Any) -> int:
    """Return the number of blocks that the current device runs at the same time.

    Parameters
    ----------
    kernel : Kernel
    function : cupy.RawKernel
        The compiled kernel.
    """
    import cupy

    # The driver knows how registers and shared memory are allocated on this device.
    fitting = cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
        function.kernel.ptr, 32 * kernel.warps, kernel.shared_bytes()
    )
    return int(cupy.cuda.Device().attributes["MultiProcessorCount"] * max(1, fitting))


def launch(kernel: Kernel, function: Any, arguments: Arguments, blocks: int) -> None:
    """Start a kernel on the current device. The launch is asynchronous.

    Parameters
    ----------
    kernel : Kernel
    function : cupy.RawKernel
        The compiled kernel.
    arguments : Arguments
    blocks : int
        Number of blocks, at most the first dimension of ``arguments.scratch``.
    """
    function((blocks,), (32 * kernel.warps,), (arguments.as_struct(),), shared_mem=kernel.shared_bytes())
