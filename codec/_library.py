"""Finds and loads the compiled codec, and turns its statuses into exceptions."""

from __future__ import annotations

import ctypes
import os
import sysconfig
from functools import cache
from pathlib import Path

from codec import errors

LIBRARY_VARIABLE = "EXCAMERA_CODEC_LIBRARY"
_NAME = "libexcamera_codec.so"

Pointer = ctypes.c_void_p
PointerArgument = ctypes.POINTER(ctypes.c_void_p)
Strings = ctypes.POINTER(ctypes.c_char_p)
Sizes = ctypes.POINTER(ctypes.c_size_t)

# Statuses of native/src/common/status.h.
_EXCEPTIONS: dict[int, type[errors.CodecError]] = {
    1: errors.TruncatedBitstream,
    2: errors.InvalidBitstream,
    3: errors.UnsupportedBitstream,
    4: errors.StateMismatch,
    5: errors.StateCorrupt,
    6: errors.FrameArgumentError,
    8: errors.CodecLibraryError,
}
_OUT_OF_MEMORY = 7


class FrameStart(ctypes.Structure):
    """xc_frame_start of native/src/c_api.h."""

    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            "key_frame",
            "version",
            "show_frame",
            "first_partition_size",
            "width",
            "height",
            "horizontal_scale",
            "vertical_scale",
        )
    ]


class StateInfo(ctypes.Structure):
    """xc_state_info of native/src/c_api.h."""

    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            "width",
            "height",
            "horizontal_scale",
            "vertical_scale",
            "color_space",
            "clamping_type",
        )
    ]


class NativeSegments(ctypes.Structure):
    """xc_segments of native/src/c_api.h."""

    _fields_ = [
        ("quantizer_deltas", ctypes.c_int32 * 4),
        ("filter_deltas", ctypes.c_int32 * 4),
        ("map", ctypes.c_char_p),
        ("map_size", ctypes.c_size_t),
    ]


class NativeEncodeSettings(ctypes.Structure):
    """xc_encode_settings of native/src/c_api.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                "y_ac_qi",
                "show",
                "refresh_entropy",
                "refresh_last",
                "refresh_golden",
                "refresh_altref",
                "copy_to_golden",
                "copy_to_altref",
                "golden_sign_bias",
                "altref_sign_bias",
                "filter_level",
                "effort",
            )
        ),
        ("segments", ctypes.POINTER(NativeSegments)),
    ]


def _candidates() -> list[Path]:
    """The paths where the library may be, most specific first."""
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        return [Path(named)]
    return [
        Path(__file__).parent / "_native" / _NAME,
        Path(sysconfig.get_path("platlib")) / "codec" / "_native" / _NAME,
    ]


def _declare(library: ctypes.CDLL) -> None:
    """Declares the types of every function of native/src/c_api.h."""
    data = ctypes.c_char_p
    size = ctypes.c_size_t
    int32 = ctypes.c_int32
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "xc_error_message": (ctypes.c_char_p, []),
        "xc_quantizer_steps": (ctypes.POINTER(ctypes.c_uint16 * 128), []),
        "xc_simd_level": (ctypes.c_int, [ctypes.POINTER(ctypes.c_char_p)]),
        "xc_buffer_size": (size, [Pointer]),
        "xc_buffer_data": (Pointer, [Pointer]),
        "xc_buffer_free": (None, [Pointer]),
        "xc_raster_new": (
            ctypes.c_int,
            [int32, int32, PointerArgument, ctypes.POINTER(ctypes.c_ssize_t), PointerArgument],
        ),
        "xc_raster_free": (None, [Pointer]),
        "xc_raster_width": (int32, [Pointer]),
        "xc_raster_height": (int32, [Pointer]),
        "xc_raster_copy_i420": (None, [Pointer, Pointer]),
        "xc_raster_equal": (ctypes.c_int, [Pointer, Pointer]),
        "xc_state_free": (None, [Pointer]),
        "xc_state_get_info": (None, [Pointer, ctypes.POINTER(StateInfo)]),
        "xc_state_reference": (Pointer, [Pointer, int32]),
        "xc_state_equal": (ctypes.c_int, [Pointer, Pointer]),
        "xc_state_serialize": (ctypes.c_int, [Pointer, PointerArgument]),
        "xc_state_deserialize": (ctypes.c_int, [data, size, PointerArgument]),
        "xc_state_basis": (ctypes.c_int, [Pointer, PointerArgument]),
        "xc_basis_free": (None, [Pointer]),
        "xc_parse_frame_start": (ctypes.c_int, [data, size, ctypes.POINTER(FrameStart)]),
        "xc_decode_chunk": (
            ctypes.c_int,
            [Pointer, Strings, Sizes, size, int32, PointerArgument, PointerArgument],
        ),
        "xc_advance": (ctypes.c_int, [Pointer, Strings, Sizes, size, int32, PointerArgument]),
        "xc_skim": (ctypes.c_int, [Pointer, Strings, Sizes, size, PointerArgument]),
        "xc_encode_key_frame": (
            ctypes.c_int,
            [
                Pointer,
                ctypes.POINTER(NativeEncodeSettings),
                int32,
                PointerArgument,
                PointerArgument,
            ],
        ),
        "xc_encode_inter_frame": (
            ctypes.c_int,
            [
                Pointer,
                Pointer,
                ctypes.POINTER(NativeEncodeSettings),
                int32,
                PointerArgument,
                PointerArgument,
            ],
        ),
        "xc_show_reference": (
            ctypes.c_int,
            [Pointer, int32, int32, PointerArgument, PointerArgument],
        ),
        "xc_steady": (
            ctypes.c_int,
            [Pointer, PointerArgument, size, int32, int32, PointerArgument],
        ),
        "xc_sketch_new": (ctypes.c_int, [Pointer, int32, PointerArgument]),
        "xc_sketch_free": (None, [Pointer]),
        "xc_sketch_rows": (int32, [Pointer]),
        "xc_sketch_columns": (int32, [Pointer]),
        "xc_intra_costs": (ctypes.c_int, [Pointer, Pointer]),
        "xc_find_motion": (ctypes.c_int, [Pointer, Pointer, Pointer, Pointer]),
        "xc_recode": (ctypes.c_int, [Pointer, data, size, Pointer, PointerArgument]),
        "xc_rebase_chunk": (
            ctypes.c_int,
            [
                Pointer,
                PointerArgument,
                Strings,
                Sizes,
                PointerArgument,
                size,
                int32,
                PointerArgument,
                PointerArgument,
            ],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments


@cache
def library() -> ctypes.CDLL:
    """Loads the compiled codec once a process.

    Raises:
        CodecLibraryError: it is not found, or cannot be loaded.
    """
    candidates = _candidates()
    for path in candidates:
        if path.is_file():
            try:
                loaded = ctypes.CDLL(str(path))
                _declare(loaded)
            except (OSError, AttributeError) as error:
                raise errors.CodecLibraryError(f"{path} cannot be used: {error}") from error
            return loaded
    looked = ", ".join(str(path) for path in candidates)
    raise errors.CodecLibraryError(
        f"the compiled codec is not installed (looked at {looked}); "
        f"run `make` or set {LIBRARY_VARIABLE}"
    )


def check(status: int) -> None:
    """Raises the exception that a status of the C API stands for."""
    if status == 0:
        return
    message = library().xc_error_message().decode("utf-8", "replace")
    if status == _OUT_OF_MEMORY:
        raise MemoryError(message)
    raise _EXCEPTIONS.get(status, errors.CodecLibraryError)(message)


def take_buffer(buffer: Pointer) -> bytes:
    """Copies an xc_buffer out and releases it."""
    native = library()
    try:
        return ctypes.string_at(native.xc_buffer_data(buffer), native.xc_buffer_size(buffer))
    finally:
        native.xc_buffer_free(buffer)
