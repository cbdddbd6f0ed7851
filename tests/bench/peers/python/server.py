"""The benchmark's contract on python-socketio.

usage: server.py --port N [--tls CERT KEY] [--deflate] [--threads 1]
"""
import argparse
import asyncio
import functools
import math
import ssl

import socketio
import uvloop
from aiohttp import web
from engineio.async_drivers import aiohttp as driver
from engineio.payload import Payload

EARTH_RADIUS = 6371008.8
METRES_PER_DEGREE = math.radians(EARTH_RADIUS)
CELL = 0.005  # degrees
MAX_PAYLOAD = 1000000

# Of the ways to deploy it that the documentation names, aiohttp on uvloop took less CPU here than
# uvicorn did with any of its WebSocket implementations.
sio = socketio.AsyncServer(async_mode="aiohttp", ping_interval=25, ping_timeout=20,
                           max_http_buffer_size=MAX_PAYLOAD)
cells = {}  # commuters by the cell that they stand in


def cell_of(lat, lng):
    return math.floor(lat / CELL), math.floor(lng / CELL)


def haversine(lat1, lng1, lat2, lng2):
    lat1, lng1, lat2, lng2 = map(math.radians, (lat1, lng1, lat2, lng2))
    a = (math.sin((lat2 - lat1) / 2) ** 2 +
         math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2)
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(a))


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)


@sio.event
async def pub(sid, room, payload):
    # A tuple is the list of arguments: null by itself would be none.
    await sio.emit("msg", (payload,), room=room, skip_sid=sid)


@sio.event
async def echo(sid, payload):
    return (payload,)


@sio.event
async def rebuild(sid, o):
    return {
        "id": o["id"], "seq": o["seq"] + 1, "time": o["time"], "lat": o["lat"], "lng": o["lng"],
        "speed": o["speed"], "heading": o["heading"], "driver": o["driver"],
        "status": o["status"], "passengers": o["passengers"],
    }


@sio.event
async def spawn(sid, commuters):
    for commuter in commuters:
        cells.setdefault(cell_of(commuter["lat"], commuter["lng"]), []).append(commuter)


@sio.event
async def query(sid, asked):
    lat, lng, radius = asked["lat"], asked["lng"], asked["radius"]
    direction = asked["direction"]
    height = radius / METRES_PER_DEGREE
    width = height / math.cos(math.radians(abs(lat) + height))
    top, left = cell_of(lat - height, lng - width)
    bottom, right = cell_of(lat + height, lng + width)
    found = []
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            for commuter in cells.get((row, column), ()):
                if commuter["direction"] != direction:
                    continue
                distance = haversine(lat, lng, commuter["lat"], commuter["lng"])
                if distance <= radius and distance <= commuter["max_walk"]:
                    found.append({"id": commuter["id"], "lat": commuter["lat"],
                                  "lng": commuter["lng"], "distance": distance})
    found.sort(key=lambda commuter: commuter["distance"])
    return found[:asked["seats"]]


class Body:
    """python-engineio takes what aiohttp has of a body by then for all of it."""

    def __init__(self, content):
        self.read = content.readexactly


def translate_request(request):
    return {**driver.translate_request(request), "wsgi.input": Body(request.content)}


async def serve(args):
    sio.eio._async["translate_request"] = translate_request
    # It leaves aiohttp's default, too, which compresses whenever a client offers it.
    driver.WebSocketResponse = functools.partial(web.WebSocketResponse, compress=args.deflate)
    # As its documentation advises: a busy client sends more than 16 packets in a POST.
    Payload.max_decode_packets = 1000
    app = web.Application(client_max_size=MAX_PAYLOAD)
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    context = None
    if args.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*args.tls)
    # The backlog holds a connect storm; what this server can't take yet, waits.
    await web.TCPSite(runner, "127.0.0.1", args.port, ssl_context=context, backlog=4096).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--threads", type=int, default=1)  # there is only one
    uvloop.run(serve(parser.parse_args()))


main()
