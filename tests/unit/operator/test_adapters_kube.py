"""Events of a watch, as they come over the wire."""

from __future__ import annotations

import asyncio
from unittest import mock

import aiohttp
from aiohttp.base_protocol import BaseProtocol

from tenant_operator.adapters import kube


async def lines(*chunks: bytes) -> list[bytes]:
    loop = asyncio.get_running_loop()
    content = aiohttp.StreamReader(mock.Mock(spec=BaseProtocol), limit=2**16, loop=loop)
    for chunk in chunks:
        content.feed_data(chunk)
    content.feed_eof()
    return [line async for line in kube._lines(content)]


async def test_events_are_cut_at_line_ends_wherever_the_network_cuts_them() -> None:
    assert await lines(b'{"a":', b"1}\n{", b'"b":2}\n{"c":3}\n') == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


async def test_a_definition_with_long_annotations_ends_no_watch() -> None:
    """aiohttp's own lines raise ValueError above 128 KiB; annotations may have 256 KiB."""
    long = b"x" * 300_000
    assert await lines(long, long + b"\n", b"y\n") == [long + long, b"y"]


async def test_what_a_broken_stream_left_unfinished_is_no_event() -> None:
    assert await lines(b"a\n{half") == [b"a"]
