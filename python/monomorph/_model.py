"""The class Model: what sentence-transformers' users expect, over the native Embedder."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _about, _native, _open
from . import similarity as _similarity
from ._arguments import Ranges, check_dimensions, check_unused, read_ranges, sequence
from ._progress import progress
from ._prompts import Prompts

Precision = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
Truncate = Literal["end", "start", "none"]

# Texts of a step of `encode_iter`.
_WINDOW = 1024


class TruncationWarning(UserWarning):
    """Texts were longer than the model's context, and were cut."""


class ModelMismatch(_native.MonomorphError):
    """A pickled model was of another file than this package's."""


def _unpickle(fingerprint: str, arguments: dict[str, Any]) -> "Model":
    if fingerprint != _native.FINGERPRINT:
        raise ModelMismatch(
            f"the model was pickled by a build of {_about.MODULE} with other weights ({fingerprint}) than the one "
            f"installed here ({_native.FINGERPRINT}); install the same wheel on both sides"
        )
    return Model(**arguments)


class Model:
    """The model of this package, open.

    Args:
        path: The weights, as a GGUF file. By default those inside the package or beside it.
        threads: Threads of a call. By default MONOMORPH_THREADS, else OMP_NUM_THREADS, else the physical cores that the
            process may use.
        keep_panels: Keep weights that lie in a file repacked in memory, which makes short texts faster. Weights inside
            the package need no memory for this.
        truncate_dim: Keep only the first so many values of each vector (Matryoshka).
        prompts: Further prompts, by name.
        default_prompt_name: The prompt of calls that name none.
        normalize_embeddings: Scale vectors to length one.
        truncate: What is cut of a text that is longer than the context; "none" makes it an error.
        isa: The instruction set; by default the best one here. Vectors do not depend on it.

    Calls are safe from several threads, but each uses all of `threads`, so they run one after another: one model a
    process is enough. Pickling keeps the arguments, and the model is opened again where it is unpickled.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        keep_panels: bool = True,
        truncate_dim: int | None = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        normalize_embeddings: bool = True,
        truncate: Truncate = "end",
        isa: str | None = None,
        similarity_fn_name: _similarity.Name = "cosine",
    ) -> None:
        self._arguments: dict[str, Any] = {
            "path": None if path is None else os.fspath(path),
            "threads": threads,
            "keep_panels": keep_panels,
            "truncate_dim": truncate_dim,
            "prompts": None if prompts is None else dict(prompts),
            "default_prompt_name": default_prompt_name,
            "normalize_embeddings": normalize_embeddings,
            "truncate": truncate,
            "isa": isa,
            "similarity_fn_name": similarity_fn_name,
        }
        if similarity_fn_name not in _similarity.FUNCTIONS:
            known = ", ".join(_similarity.FUNCTIONS)
            raise ValueError(f"unknown similarity {similarity_fn_name!r}; known: {known}")
        self.similarity_fn_name: _similarity.Name = similarity_fn_name
        self._prompts = Prompts(prompts, default_prompt_name)
        self._path = _open.weights(path)
        self._embedder = _native.Embedder(self._path, _open.threads(threads), keep_panels, isa)
        check_dimensions(truncate_dim)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (_native.FINGERPRINT, self._arguments)

    def __repr__(self) -> str:
        info = self.info()
        return f"<{_about.MODULE}.Model {info['dimensions']} dimensions, {info['threads']} threads, {info['isa']}>"

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the weights and the threads; later calls raise ValueError."""
        self._embedder.close()

    def encode(
        self,
        inputs: str | Sequence[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] = "sentence_embedding",
        precision: Precision = "float32",
        convert_to_numpy: Literal[True] = True,
        *,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        truncate: Truncate | None = None,
        ranges: Ranges | None = None,
        **ignored: Any,
    ) -> NDArray[Any]:
        """The vector of a text, or the vectors of a list of texts, a row each.

        `batch_size` has no effect: texts are grouped by their tokens. A text's vector has the same bits alone and in any
        company. `ranges`, as `ranges()` returns them or as a .npy file, are needed for int8 and uint8.
        """
        check_unused(batch_size, output_value, convert_to_numpy, ignored)
        options = self._options(
            self._prompts.prefix(prompt, prompt_name), normalize_embeddings, truncate_dim, truncate
        )
        texts = [inputs] if isinstance(inputs, str) else sequence(inputs)
        with progress(show_progress_bar, len(texts)) as tell:
            rows, cut = self._embedder.encode(texts, options, tell)
        _warn_of(cut)
        if precision != "float32":
            rows = _native.quantize(rows, precision, read_ranges(ranges))
        return rows[0] if isinstance(inputs, str) else rows

    def encode_query(self, inputs: str | Sequence[str], **options: Any) -> NDArray[Any]:
        """`encode` with the prompt for queries, if the model has one."""
        return self.encode(inputs, **self._with_role("query", options))

    def encode_document(
        self, inputs: str | Sequence[str], *, titles: Sequence[str | None] | None = None, **options: Any
    ) -> NDArray[Any]:
        """`encode` with the prompt for documents, if the model has one. `titles` are put where it has a place for them."""
        options = self._with_role("document", options)
        if titles is None:
            return self.encode(inputs, **options)
        if isinstance(inputs, str) or isinstance(titles, str) or len(titles) != len(inputs):
            raise ValueError("titles: give a list of texts, and a title or None for each of them")
        if options.get("prompt") is not None:
            raise ValueError("titles go into the model's own prompt; leave out prompt=")
        name = options.pop("prompt_name", None)
        before, between = self._prompts.around_title(name)
        plain = self._prompts.prefix(None, name)
        # A title without a letter is none.
        texts = [
            f"{before}{title}{between}{text}" if title and title.strip() else f"{plain}{text}"
            for text, title in zip(inputs, titles)
        ]
        return self.encode(texts, **{**options, "prompt": ""})

    def encode_iter(self, texts: Iterable[str], *, window: int | None = None, **options: Any) -> Iterator[NDArray[Any]]:
        """Vectors of any number of texts in little memory: arrays of at most `window` rows, in order."""
        if isinstance(texts, str):
            raise TypeError("encode_iter takes an iterable of texts; use encode for one text")
        window = _WINDOW if window is None else window
        if window < 1:
            raise ValueError(f"window must be at least 1, not {window}")
        texts = iter(texts)
        while some := list(islice(texts, window)):
            yield self.encode(some, **options)

    def encode_arrow(
        self,
        column: object,
        prompt_name: str | None = None,
        prompt: str | None = None,
        show_progress_bar: bool | None = None,
        *,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        truncate: Truncate | None = None,
    ) -> _native.ArrowArray:
        """The vectors of a column of strings, as a column of fixed-size lists of float32; nulls stay null.

        Takes any object of Arrow's C data interface, and returns one: `pyarrow.array`, `polars.Series` and others make
        a column of their own of it without copying.
        """
        prefix = self._prompts.prefix(prompt, prompt_name)
        options = self._options(prefix, normalize_embeddings, truncate_dim, truncate)
        total = len(column) if isinstance(column, Sized) else None
        with progress(show_progress_bar, total) as tell:
            array, cut = _native.encode_arrow(self._embedder, column, options, tell)
        _warn_of(cut)
        return array

    def encode_batches(
        self,
        batches: object,
        column: str = "text",
        output: str = "embedding",
        prompt_name: str | None = None,
        prompt: str | None = None,
        *,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        truncate: Truncate | None = None,
    ) -> _native.ArrowStream:
        """A table of any length with a further column, the vectors of `column`, made as the result is read.

        Takes and returns any stream of record batches of Arrow's C data interface. The consumer's thread does the work,
        without Python: no signal is looked at before it asks for the next batch. Texts that are cut are counted in `cut`.
        """
        prefix = self._prompts.prefix(prompt, prompt_name)
        options = self._options(prefix, normalize_embeddings, truncate_dim, truncate)
        return _native.encode_batches(self._embedder, batches, column, output, options)

    def ranges(self, texts: Iterable[str], **options: Any) -> NDArray[np.float32]:
        """The least and the greatest value of each dimension over texts: (2, dimensions), for int8 and uint8."""
        found: NDArray[np.float32] | None = None
        for rows in self.encode_iter(texts, **options):
            both = np.stack([rows.min(axis=0), rows.max(axis=0)])
            found = both if found is None else np.stack([np.minimum(found[0], both[0]), np.maximum(found[1], both[1])])
        if found is None:
            raise ValueError("ranges need at least one text")
        return found

    def similarity(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
        """How alike each of `a` is to each of `b`: (n, m)."""
        return _similarity.FUNCTIONS[self.similarity_fn_name](a, b)

    def similarity_pairwise(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
        """How alike each of `a` is to the one of `b` in its place: (n,)."""
        return _similarity.pairwise(self.similarity_fn_name, a, b)

    def tokenize(self, texts: Sequence[str], *, prompt_name: str | None = None, prompt: str | None = None) -> list[NDArray[np.uint32]]:
        """The ids that the model sees of each text: after its prompt, cut to the context."""
        options = self._options(self._prompts.prefix(prompt, prompt_name), None, None, None)
        return self._embedder.tokenize(sequence(texts), options)

    def count_tokens(self, texts: Sequence[str], *, prompt_name: str | None = None, prompt: str | None = None) -> NDArray[np.int64]:
        """Tokens of each text, those beyond the context included. Of texts many times as long it is a lower bound."""
        options = self._options(self._prompts.prefix(prompt, prompt_name), None, None, "end")
        return self._embedder.count_tokens(sequence(texts), options)

    @property
    def prompts(self) -> dict[str, str]:
        """The model's prompts under all their names, and the caller's own."""
        return dict(self._prompts.by_name)

    @property
    def default_prompt_name(self) -> str | None:
        """The prompt of calls that name none."""
        return self._prompts.default

    @property
    def max_seq_length(self) -> int:
        """The longest text, in tokens."""
        return _native.MAX_SEQ_LENGTH

    @property
    def threads(self) -> int:
        """Threads of a call."""
        return int(self.info()["threads"])

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return str(self.info()["isa"])

    model_name: str = _native.NAME
    model_sha256: str = _about.MODEL_SHA256
    fingerprint: str = _native.FINGERPRINT

    def license(self) -> str:
        """The terms of the program and of the model."""
        return _native.license()

    def get_embedding_dimension(self) -> int:
        """Values of a vector."""
        return int(self._arguments["truncate_dim"] or _native.DIMENSIONS)

    get_sentence_embedding_dimension = get_embedding_dimension

    def info(self) -> dict[str, Any]:
        """What the model is and what it runs on."""
        return {
            "model": _native.NAME,
            "architecture": _native.ARCHITECTURE,
            "file": _about.MODEL_FILE,
            "sha256": _about.MODEL_SHA256,
            "weights": self._path or ("inside the package" if _native.IS_EMBEDDED else "the path given to the build"),
            **self._embedder.info(),
        }

    def verify(self) -> None:
        """Checks that the weights are byte for byte those of the build: MonomorphError if they are not."""
        self._embedder.verify()

    def _with_role(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Adds the prompt for one side of a search. A prompt of the caller's wins."""
        if options.get("prompt") is not None or options.get("prompt_name") is not None:
            return options
        return {**options, "prompt_name": self._prompts.role(name)}

    def _options(
        self, prefix: str, normalize: bool | None, dimensions: int | None, truncate: str | None
    ) -> dict[str, Any]:
        check_dimensions(dimensions)
        arguments = self._arguments
        return {
            "prefix": prefix,
            "dimensions": arguments["truncate_dim"] if dimensions is None else dimensions,
            "normalize": arguments["normalize_embeddings"] if normalize is None else normalize,
            "truncate": arguments["truncate"] if truncate is None else truncate,
        }


def _warn_of(cut: int) -> None:
    if cut:
        texts = "1 text was" if cut == 1 else f"{cut} texts were"
        message = f"{texts} longer than the context of {_native.MAX_SEQ_LENGTH} tokens and cut"
        warnings.warn(message, TruncationWarning, stacklevel=3)
