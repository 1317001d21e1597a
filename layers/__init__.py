"""Builds the Lambda layers for either architecture on any machine, without Docker.

`build` returns the directory that becomes a layer's zip. Every synthesis calls it: it finds an
existing layer by a digest of everything that goes into it.
"""

from layers.builder import CACHE, build
from layers.catalogue import ALL, API, CODEC, EXECUTOR, MEDIA, POWERTOOLS, SIGNING, Layer
from layers.errors import CommandFailed, LayerBuildError, LayerInputError, ToolMissing
from layers.sizes import size_bytes
from layers.target import Target

__all__ = [
    "ALL",
    "API",
    "CACHE",
    "CODEC",
    "EXECUTOR",
    "MEDIA",
    "POWERTOOLS",
    "SIGNING",
    "CommandFailed",
    "Layer",
    "LayerBuildError",
    "LayerInputError",
    "Target",
    "ToolMissing",
    "build",
    "size_bytes",
]
