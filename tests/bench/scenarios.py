"""What is measured: each scenario is one of `load`'s, with what the report says about it."""
from dataclasses import dataclass

# A scenario's cost: which figure it is, how a table heads it, how a line of text names its unit.
COSTS = {
    "delivery": ("cpu_us_per_delivery", "CPU µs a delivery", "µs"),
    "connect": ("cpu_us_per_connect", "CPU µs a connect", "µs"),
    "memory": ("kb_per_connection", "KB a connection", "KB"),
}


@dataclass(frozen=True)
class Scenario:
    name: str  # as `--only` has it
    title: str
    about: str
    load: tuple  # arguments of `load`, the scenario's name first
    quick: tuple = ()  # more of them for --quick: small numbers, which say nothing about speed
    cost: str = "delivery"
    floor: bool = True  # the floor hard-codes the protocol and knows only some scenarios
    two_reactors: bool = False
    relay: bool = False  # Moonwire's is the event `relay`, which Lua does not see
    tls: bool = False
    deflate: bool = False
    servers: tuple = ()  # only these; none: all


SCENARIOS = [
    Scenario("wide", "wide room", "1 000 members of one room, 100 events/s to it.",
             ("wide",), ("--members", "50", "--rate", "50"), two_reactors=True),
    Scenario("hot", "hot room", "20 members of one room, 10 000 events/s to it.",
             ("hot",), ("--members", "10", "--rate", "200"), two_reactors=True),
    Scenario("echo", "acknowledged echo", "100 clients; the handler acknowledges with what it got.",
             ("echo",), ("--clients", "10", "--rate", "200"), two_reactors=True),
    Scenario("rebuild", "rebuilt echo",
             "The same with an object of 10 fields, which the handler reads one by one and builds anew.",
             ("rebuild",), ("--clients", "10", "--rate", "200"), floor=False),
    Scenario("rooms", "many rooms", "1 000 rooms of 10 members each, events to all of them.",
             ("rooms",), ("--rooms", "10", "--rate", "100"), two_reactors=True),
    Scenario("relay", "wide room, relayed without Lua",
             "The wide room again. Moonwire relays the event by a declaration, no handler runs; "
             "the others do as before.",
             ("wide",), ("--members", "50", "--rate", "50"), relay=True,
             servers=("floor", "moonwire", "node")),
    Scenario("big", "16 KB payloads", "A room whose events carry 16 KB.",
             ("big",), ("--members", "10", "--rate", "20")),
    Scenario("deflate", "broadcast with permessage-deflate",
             "A room whose clients all have agreed to compression.",
             ("deflate", "--deflate"), ("--members", "10", "--rate", "20"), floor=False,
             deflate=True),
    Scenario("tls", "broadcast over TLS", "A room whose clients all came by TLS.",
             ("tls", "--tls"), ("--members", "10", "--rate", "20"), floor=False, tls=True),
    Scenario("polling", "polling clients", "A room whose members poll over HTTP.",
             ("polling",), ("--members", "10", "--rate", "20"), floor=False),
    Scenario("transit", "transit's queries",
             "2 400 queries/s for passengers near a place, over commuters held in memory.",
             ("transit",), ("--clients", "5", "--rate", "100"), floor=False),
    Scenario("storm", "connect storm", "Clients connect, join the namespace and leave, as fast as it goes.",
             ("storm",), ("--clients", "20"), cost="connect"),
    Scenario("idle", "15 000 idle connections",
             "Memory: by how much the server's resident set grows, divided by connections.",
             ("idle",), ("--clients", "200"), cost="memory"),
]
