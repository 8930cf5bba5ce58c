"""Frames: one line of text that says what the bytes of a message are, in both directions.

A frame is a row of tokens:

======================  ==================================================================
``AA``                  one byte, in hex
``'M'``                 ASCII text
``??`` and ``??*8``     one byte, or eight, that mean nothing to us
``...``                 anything up to the end (only last, only where the link keeps messages apart)
``{name:kind}``         a value; kinds are in `KINDS`, ``:dotted`` may follow (216 is "2.1.6")
``{sum8@2..}``          a checksum over the bytes from 2 to the end, or, when it stands after
                        them, up to itself; ``@2..7`` ends before byte 7; kinds are in `CHECKSUMS`
======================  ==================================================================

For example ``AA {sum8@2..} 01 03 {level:u16be} 03``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from firmware_profiles.errors import ValueRefusedError

Value = int | bool | str

CHECKSUMS: dict[str, Callable[[bytes | bytearray], int]] = {"sum8": lambda data: sum(data) & 0xFF}


@dataclass(frozen=True, slots=True)
class Kind:
    """How a number stands in a frame: in ``size`` bytes, or (size None) as up to ``digits`` decimal ASCII digits."""

    size: int | None
    order: Literal["big", "little"] = "big"
    highest: int = 0xFF
    digits: int = 0


KINDS: dict[str, Kind] = {
    "u8": Kind(1),
    "u16be": Kind(2, "big", 0xFFFF),
    "u16le": Kind(2, "little", 0xFFFF),
    "bool": Kind(1, "big", 1),
    "digit": Kind(None, highest=9, digits=1),
    "dec": Kind(None, highest=9_999_999, digits=7),
}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<hex>[0-9A-Fa-f]{2})(?=\s|$)
    | '(?P<text>[^']+)'
    | (?P<any>\?\?)(?:\*(?P<times>\d{1,3}))?(?=\s|$)
    | (?P<rest>\.\.\.)(?=\s*$)
    | \{(?P<check>[a-z0-9_]+)@(?P<start>\d+)\.\.(?P<end>\d*)\}
    | \{(?P<name>[a-z_][a-z0-9_.]*):(?P<kind>[a-z0-9]+)(?P<dotted>:dotted)?\}
    )\s*""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind_name: str
    kind: Kind
    is_dotted: bool


@dataclass(frozen=True, slots=True)
class _Checksum:
    name: str
    compute: Callable[[bytes | bytearray], int]
    start: int
    end: int | None


_Token = bytes | _Field | _Checksum | int | None  # literal, value, checksum, count of unknown bytes, rest


class Frame:
    """A compiled frame. Raises ValueError with a sentence when the text is no frame."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = _parse(text)
        self.fields: tuple[str, ...] = tuple(t.name for t in self._tokens if isinstance(t, _Field))
        if len(set(self.fields)) != len(self.fields):
            raise ValueError(f"frame {text!r} names a value twice.")
        for at_token, token in enumerate(self._tokens):
            if isinstance(token, _Checksum) and token.start == _sure_size(self._tokens[:at_token]):
                raise ValueError(f"frame {text!r}: the checksum would count itself.")
        self.is_open_ended = None in self._tokens
        self._full = re.compile(b"".join(_atom(token) for token in self._tokens), re.DOTALL)
        # Matches whatever could still grow into a whole frame: every proper prefix, by nesting optional tails.
        grow = b""
        for atom in reversed([atom for token in self._tokens for atom in _byte_atoms(token)][:-1]):
            grow = b"(?:" + atom + grow + b")?"
        self._growing = re.compile(grow + rb"\Z", re.DOTALL)
        self._pieces = _pieces(self._tokens)

    def encode(self, values: Mapping[str, Value]) -> bytes:
        """The bytes of the frame with these values; unknown bytes are 00.

        Raises ValueRefusedError when a value is missing or does not fit.
        """
        out = bytearray()
        checks: list[tuple[int, _Checksum]] = []
        for piece in self._pieces:
            if isinstance(piece, bytes):
                out += piece
            elif isinstance(piece, _Field):
                out += _value_bytes(piece, values)
            else:
                checks.append((len(out), piece))
                out.append(0)
        for at, check in checks:
            out[at] = check.compute(out[check.start : _end(check, at, len(out))])
        return bytes(out)

    def match(self, data: bytes, at: int = 0) -> tuple[dict[str, Value], int] | None:
        """The values of the frame that starts at ``at``, and where it ends.

        None when no frame starts there, or its checksum is wrong.
        """
        found = self._full.match(data, at)
        if found is None:
            return None
        values: dict[str, Value] = {}
        group = 0
        for token in self._tokens:
            if isinstance(token, _Field):
                group += 1
                values[token.name] = _read(token, found.group(group))
            elif isinstance(token, _Checksum):
                group += 1
                here = found.start(group) - at
                end = _end(token, here, found.end() - at)
                if token.compute(data[at + token.start : at + end]) != found.group(group)[0]:
                    return None
        return values, found.end()

    def may_grow(self, data: bytes, at: int = 0) -> bool:
        """Whether the bytes from ``at`` to the end are the beginning of a frame whose rest has not arrived."""
        return self._growing.match(data, at) is not None


def _parse(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"frame {text!r}: no token starts at {text[at:]!r}.")
        at = found.end()
        tokens.append(_token(found, text))
    if not tokens or tokens[0] is None:
        raise ValueError(f"frame {text!r} is empty.")
    return tuple(tokens)


def _token(found: re.Match[str], text: str) -> _Token:
    if found["hex"]:
        return bytes.fromhex(found["hex"])
    if found["text"]:
        try:
            return found["text"].encode("ascii")
        except UnicodeEncodeError:
            raise ValueError(f"frame {text!r}: text must be ASCII.") from None
    if found["any"]:
        return int(found["times"] or 1)
    if found["rest"]:
        return None
    if found["check"]:
        compute = CHECKSUMS.get(found["check"])
        if compute is None:
            raise ValueError(f"frame {text!r}: {found['check']!r} is no checksum; known: {', '.join(CHECKSUMS)}.")
        return _Checksum(found["check"], compute, int(found["start"]), int(found["end"]) if found["end"] else None)
    kind = KINDS.get(found["kind"])
    if kind is None:
        raise ValueError(f"frame {text!r}: {found['kind']!r} is no kind of value; known: {', '.join(KINDS)}.")
    return _Field(found["name"], found["kind"], kind, bool(found["dotted"]))


def _sure_size(tokens: tuple[_Token, ...]) -> int:
    """How many bytes some tokens have at least."""
    return sum(len(_byte_atoms(token)) for token in tokens)


def _atom(token: _Token) -> bytes:
    """A token as a regular expression, in a group when its bytes are needed."""
    joined = b"".join(_byte_atoms(token))
    return b"(" + joined + b")" if isinstance(token, _Field | _Checksum) else joined


def _byte_atoms(token: _Token) -> list[bytes]:
    """A token as regular expressions that each stand for one byte, or for one run of digits."""
    if token is None:
        return [b".*"]
    if isinstance(token, bytes):
        return [re.escape(bytes([byte])) for byte in token]
    if isinstance(token, int):
        return [b"."] * token
    if isinstance(token, _Checksum):
        return [b"."]
    return [b"[0-9]{1,%d}" % token.kind.digits] if token.kind.size is None else [b"."] * token.kind.size


def _pieces(tokens: Iterable[_Token]) -> tuple[bytes | _Field | _Checksum, ...]:
    """The tokens for encoding: neighbouring constants joined, unknown bytes as 00, the open end dropped."""
    pieces: list[bytes | _Field | _Checksum] = []
    for token in tokens:
        if token is None:
            continue
        constant = bytes(token) if isinstance(token, int) else token
        if isinstance(constant, bytes) and pieces and isinstance(last := pieces[-1], bytes):
            pieces[-1] = last + constant
        else:
            pieces.append(constant)
    return tuple(pieces)


def _end(check: _Checksum, at: int, length: int) -> int:
    """Where the summed bytes end; unless said, a checksum that stands behind its bytes does not count itself."""
    if check.end is not None:
        return check.end
    return at if check.start < at else length


def _value_bytes(field: _Field, values: Mapping[str, Value]) -> bytes:
    try:
        value = values[field.name]
    except KeyError:
        raise ValueRefusedError("is missing.", where=field.name, fix=f"Give it as {field.name}=….") from None
    if field.is_dotted:
        value = _undotted(value, field.name)
    kind = field.kind
    if not isinstance(value, int) or not 0 <= value <= kind.highest:
        raise ValueRefusedError(f"{value!r} is not a whole number from 0 to {kind.highest}.", where=field.name)
    return b"%d" % value if kind.size is None else value.to_bytes(kind.size, kind.order)


def _read(field: _Field, raw: bytes) -> Value:
    number = int(raw) if field.kind.size is None else int.from_bytes(raw, field.kind.order)
    if field.is_dotted:
        return f"{number // 100}.{number // 10 % 10}.{number % 10}"
    return number != 0 if field.kind_name == "bool" else number


def _undotted(value: Value, name: str) -> int:
    """``"2.1.6"`` as 216."""
    found = re.fullmatch(r"(\d{1,3})\.(\d)\.(\d)", str(value))
    if found is None:
        raise ValueRefusedError(f"{value!r} is not a version such as 2.1.6.", where=name)
    major, minor, patch = (int(part) for part in found.groups())
    return 100 * major + 10 * minor + patch
