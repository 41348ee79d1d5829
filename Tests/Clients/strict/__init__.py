# SPDX-License-Identifier: Apache-2.0
"""Upstreams that refuse what the real providers refuse: one server for each dialect, one script for all of them."""

from .script import Call, Text, Think, Turn
from .server import StrictUpstream

__all__ = ["Call", "StrictUpstream", "Text", "Think", "Turn"]
