#include "core/script/types.hpp"

#include <doctest/doctest.h>

#include "core/script/types_names.hpp"
#include "tests/script/host_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// What the format's writer makes of the declarations, from `from` on to the end or to `to`.
std::string written(std::string (*write)(const std::vector<NamespaceContract>&),
                    const std::string& declarations, std::string_view from,
                    std::string_view to = {}) {
    ScriptTest test;
    test.folder.write("main.lua", "local ns, schema = namespace '/t', require 'schema'\n" + declarations);
    const Contracts contracts = read_contracts(test.options);
    for (const LoadError& error : contracts.errors) FAIL(error.message);
    const std::string text = write(contracts.namespaces);
    const std::size_t start = text.find(from);
    REQUIRE_MESSAGE(start != std::string::npos, text);
    return text.substr(start, to.empty() ? to.npos : text.find(to, start) - start);
}

std::string typescript_of(const std::string& schema) {
    std::string text = written(write_typescript, "ns:emits('e', " + schema + ")", "e: (data: ",
                               ") => void;");
    return text.substr(10);
}

}  // namespace

TEST_CASE("names become identifiers") {
    CHECK(pascal_case("vehicle:position_update") == "VehiclePositionUpdate");
    CHECK(camel_case("driver:locationUpdate") == "driverLocationUpdate");
    CHECK(snake_case("driver:locationUpdate") == "driver_location_update");
    CHECK(snake_case("3d") == "x3d");
    CHECK(pascal_case("\xc3\xa9") == "X");
    CHECK(namespace_type("/") == "Root");
    CHECK(namespace_type("/tenant/:name") == "TenantName");
    UniqueNames names{"Socket"};
    CHECK(names.take("Socket") == "Socket2");
    CHECK(names.take("Ride") == "Ride");
    CHECK(names.take("Ride") == "Ride2");
}

TEST_CASE("TypeScript has each kind of schema") {
    CHECK(typescript_of("schema.any()") == "unknown");
    CHECK(typescript_of("schema.binary()") == "Binary");
    CHECK(typescript_of("schema.enum { 'a', 'b\"', 3, true }") == R"("a" | "b\"" | 3 | true)");
    CHECK(typescript_of("schema.array(schema.enum { 'a', 'b' })") == R"(("a" | "b")[])");
    CHECK(typescript_of("schema.map(schema.nullable(schema.number()))") ==
          "{ [key: string]: number | null }");
    CHECK(typescript_of("schema.one_of { schema.string { max = 3 }, schema.string(), "
                        "schema.integer() }") == "string | number");
    CHECK(typescript_of("schema.object {}") == "{ [key: string]: unknown }");
    CHECK(typescript_of("schema.object { additional = false }") == "{ [key: string]: never }");
    CHECK(typescript_of("schema.nullable(schema.array(schema.boolean()))") == "boolean[] | null");
}

TEST_CASE("TypeScript has fields with what is known of them") {
    CHECK(typescript_of("schema.object { ['a-b'] = schema.optional(schema.number { max = 9, "
                        "description = 'up */ to' }), c = schema.default(schema.string(), 'x'), "
                        "d = schema.nullable(schema.boolean()) }") == R"({
      /** up * / to. a number of at most 9 */
      "a-b"?: number;
      /** default: "x" */
      c?: string;
      d: boolean | null;
    })");
}

TEST_CASE("TypeScript has named types once, those that others use first") {
    CHECK(written(write_typescript, R"(
local Point = schema.named("Point", schema.object { lat = schema.number(), description = "WGS 84" })
local Ride = schema.named("Ride", schema.object { from = Point, to = schema.optional(Point) })
local Kind = schema.named("Kind", schema.enum { "a", "b" })
ns:on("ride:start", { Ride, schema.optional(Kind), returns = Point, description = "Begins." }, log.info)
ns:on("raw", log.info)
ns:on("sized", { schema.integer(), schema.optional(Kind) }, log.info)
ns:emits("ride", Ride))",
                  "/** WGS 84") == R"(/** WGS 84 */
export interface Point {
  lat: number;
}

export interface Ride {
  from: Point;
  to?: Point;
}

export type Kind = "a" | "b";

/** The namespace "/t" of the app app. */
export namespace T {
  /** What the broker sends. */
  export interface ServerToClientEvents {
    /** A handler refused an event that asked for no acknowledgement. */
    error: (failure: Failure["error"]) => void;
    ride: (data: Ride) => void;
  }

  /** What the broker handles. */
  export interface ClientToServerEvents {
    raw: (...args: any[]) => void;
    /** Begins. */
    "ride:start": (arg1: Ride, arg2: Kind | undefined, ack: (result: Point | Failure) => void) => void;
    sized: (arg1: number, arg2?: Kind) => void;
  }

  export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>;
}
)");
}

TEST_CASE("Python has types that are defined before they are used, and methods") {
    const std::string text = written(write_python, R"(
local Point = schema.named("Point", schema.object { lat = schema.number { max = 90 } })
ns:on("ride:start", { schema.object { from = Point, ["to-do"] = schema.optional(schema.any()) },
                      schema.optional(schema.integer()), returns = Point }, log.info)
ns:on("raw", log.info)
ns:emits("moved", { Point, schema.enum { "a", 1 } }))",
                                     "class Point(");
    CHECK(text == R"(class Point(t.TypedDict):
    # a number of at most 90
    lat: float


TRideStart = t.TypedDict("TRideStart", {
    "from": Point,
    "to-do": t.NotRequired[t.Any],
})


class T(Namespace):
    """The namespace /t of the app app."""

    MOVED: t.ClassVar[Event[t.Any]] = Event("moved")

    def __init__(self, connection: Connection, name: str = "/t") -> None:
        super().__init__(connection, name)

    def on_moved(
            self, handler: t.Callable[[Point, t.Literal["a", 1]], t.Union[None, t.Awaitable[None]]]) -> None:
        self._on("moved", handler, 2)

    async def emit_raw(self, *args: t.Any) -> None:
        await self.emit("raw", *_given(*args))

    async def call_raw(self, *args: t.Any, timeout: float = 5.0) -> t.Any:
        return await self.call("raw", *_given(*args), timeout=timeout)

    async def emit_ride_start(self, arg1: TRideStart, arg2: t.Optional[int] = None) -> None:
        await self.emit("ride:start", *_given(arg1, arg2))

    async def call_ride_start(self, arg1: TRideStart, arg2: t.Optional[int] = None, *, timeout: float = 5.0) -> Point:
        return t.cast("Point", await self.call("ride:start", *_given(arg1, arg2), timeout=timeout))
)");
}

TEST_CASE("Python's messages in envelopes are made of their data") {
    const std::string text = written(write_python, R"(
ns:on("x:y", schema.object { id = schema.string(), type = schema.enum { "x:y" }, timestamp =
  schema.string(), source = schema.string(), data = schema.boolean(), correlationId =
  schema.optional(schema.string()) }, log.info))",
                                     "    async def request_x_y(");
    CHECK(text.find("self, data: bool, answer: Event[_T], *, target: t.Optional[None] = None,") !=
          std::string::npos);
    CHECK(text.find("self._message(\"x:y\", data, target, _new_id(\"req\"), metadata)") !=
          std::string::npos);
}

TEST_CASE("AsyncAPI has channels, operations and schemas") {
    const std::string declarations = R"(
local Point = schema.named("Point", schema.object { lat = schema.number { max = 90 } })
ns:on("ride:start", { Point, returns = schema.default(Point, { lat = 1 }) }, log.info))";
    CHECK(written(write_asyncapi_yaml, declarations, "\"channels\":") == R"("channels":
  "T":
    "address": "/t"
    "messages":
      "receive_ride_start":
        "$ref": "#/components/messages/T.receive_ride_start"
      "reply_receive_ride_start":
        "$ref": "#/components/messages/T.reply_receive_ride_start"
"operations":
  "T.receive_ride_start":
    "action": "receive"
    "channel":
      "$ref": "#/channels/T"
    "messages":
      -
        "$ref": "#/channels/T/messages/receive_ride_start"
    "reply":
      "channel":
        "$ref": "#/channels/T"
      "messages":
        -
          "$ref": "#/channels/T/messages/reply_receive_ride_start"
"components":
  "messages":
    "T.receive_ride_start":
      "name": "ride:start"
      "payload":
        "$ref": "#/components/schemas/Point"
    "T.reply_receive_ride_start":
      "name": "ride:start"
      "payload":
        "anyOf":
          -
            "allOf":
              -
                "$ref": "#/components/schemas/Point"
            "default":
              "lat": 1
          -
            "$ref": "#/components/schemas/Failure"
  "schemas":
    "Point":
      "type": "object"
      "properties":
        "lat":
          "type": "number"
          "maximum": 90
      "required":
        - "lat"
    "Failure":
      "type": "object"
      "description": "What an acknowledgement gets when the broker's handler refuses."
      "required":
        - "error"
      "properties":
        "error":
          "type": "object"
          "required":
            - "message"
          "properties":
            "code":
              "type": "string"
            "message":
              "type": "string"
            "data": {}
)");
}
