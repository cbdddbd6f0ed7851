#include "core/script/geo_module.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("scripts find places near a place, nearest first, each within its own reach") {
    Sandbox sandbox;
    CHECK(sandbox.eval(R"(
        local index = geo.index(500)
        index:set("far", 0, 0.02)
        index:set("near", 0, 0.01)
        index:set("shy", 0, 0.005, 100)
        index:set("gone", 0, 0.001)
        local removed = index:remove("gone") and not index:remove("gone")
        local ids, metres = index:near(0, 0, 3000)
        return table.concat(ids, ",") .. " " .. math.floor(metres[1]) .. " " .. index:count() .. " "
            .. tostring(removed) .. " " .. table.concat(index:near(0, 0, 3000, 1), ","))") ==
          "near,far 1111 3 true near");
    CHECK(sandbox.eval("return math.floor(geo.distance(0, 0, 0, 1))") == "111195");
}

TEST_CASE("what is no place is an error that names the argument") {
    Sandbox sandbox;
    const auto error = [&](const std::string& call) {
        const std::string text = sandbox.eval("local index = geo.index(500) local result = " + call + " return result");
        return text.substr(text.find("bad argument"));
    };
    CHECK(error("geo.index(0)") == "bad argument #1 to 'index' (a positive number of metres expected)");
    CHECK(error("index:set('a', 91, 0)") == "bad argument #2 to 'set' (a latitude expected)");
    CHECK(error("index:set('a', 0, 0/0)") == "bad argument #3 to 'set' (a finite number expected)");
    CHECK(error("index:near(0, 0, 1/0)") == "bad argument #3 to 'near' (a finite number expected)");
    CHECK(error("index.count({})") ==
          "bad argument #1 to 'count' (a geo index expected (call with ':'))");
}

TEST_CASE("an index's points count against the namespace's memory, and give it back") {
    // Regression: where little room was left, the collection itself failed, and so for ever.
    for (std::size_t limit = 4u << 20; limit < (4u << 20) + 4096; limit += 256) {
        Sandbox sandbox(limit);
        const std::string fill = R"(
            local index = geo.index(500)
            for i = 1, 100000 do index:set("point" .. i, 0, 0) end
            return index:count())";
        CHECK(sandbox.eval(fill).find("not enough memory") != std::string::npos);
        CHECK(sandbox.eval("local index = geo.index(500) index:set('a', 0, 0) return index:count()") ==
              "1");
    }
}
