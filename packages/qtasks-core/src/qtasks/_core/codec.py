"""The engine's name for the codec."""

from qtasks.contracts.codec import (
    MAX_DEPTH,
    TEXTS,
    decode,
    decode_arguments,
    encode,
    encode_arguments,
)

__all__ = ["MAX_DEPTH", "TEXTS", "decode", "decode_arguments", "encode", "encode_arguments"]
