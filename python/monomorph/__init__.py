"""An embedding model as a package: text in, vectors out.

>>> from monomorph_embeddinggemma_300m_q8_0 import Model
>>> model = Model()
>>> vectors = model.encode(["Mars is red.", "Venus is hot."])
"""

from . import _native, similarity
from ._about import MODEL_SHA256 as model_sha256
from ._about import VERSION as __version__
from ._model import Model, ModelMismatch, TruncationWarning
from ._native import FINGERPRINT as fingerprint
from ._native import NAME as model_name
from ._native import MonomorphError, license

__all__ = [
    "Model",
    "ModelMismatch",
    "MonomorphError",
    "TruncationWarning",
    "__version__",
    "fingerprint",
    "license",
    "model_name",
    "model_sha256",
    "similarity",
]
