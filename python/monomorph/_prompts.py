"""Prompts: what is put before a text, by name."""

from collections.abc import Mapping

from . import _native


class Prompts:
    """The model's prompts under all their names, and the caller's own."""

    def __init__(self, own: Mapping[str, str] | None, default: str | None) -> None:
        self._own = dict(own or {})
        self.default = default
        self.by_name = {name: prefix for names, prefix, _ in _native.PROMPTS for name in names}
        self.by_name.update(self._own)
        self._titled = {name: around for names, _, around in _native.PROMPTS for name in names if around}
        if default is not None:
            self.named(default)

    def _key(self, name: str) -> str | None:
        """The name as the tables have it. Case does not matter in the model's, and `_` or a space may stand for `-`."""
        plain = name.strip().lower().replace("_", "-").replace(" ", "-")
        return next((key for key in (name, plain) if key in self.by_name), None)

    def named(self, name: str) -> str:
        """The prompt of that name."""
        key = self._key(name)
        if key is None:
            known = ", ".join(sorted(self.by_name)) or "none, as this model has no prompts; use prompt="
            raise ValueError(f"unknown prompt {name!r}; known: {known}")
        return self.by_name[key]

    def prefix(self, prompt: str | None, name: str | None) -> str:
        """What is put before each text of a call. The text of a prompt wins over a name, as in sentence-transformers."""
        if prompt is not None:
            return prompt
        name = name if name is not None else self.default
        return "" if name is None else self.named(name)

    def role(self, name: str) -> str | None:
        """The name for one side of a search, or the default where the model has no prompt for it."""
        return name if self._key(name) is not None else self.default

    def around_title(self, name: str | None) -> tuple[str, str]:
        """What goes before a title and between the title and the text."""
        key = None if name is None else self._key(name)
        if key is None or key in self._own or key not in self._titled:
            raise ValueError("titles: this model's prompt for documents has no place for a title")
        return self._titled[key]
