#include "core/plugin/load_order.hpp"

#include <doctest/doctest.h>

using namespace moonwire::plugin;
using Order = std::vector<std::size_t>;

TEST_CASE("plugins start in the order in which they are listed") {
    CHECK(*load_order({{"a", {}}, {"b", {}}, {"c", {}}}) == Order{0, 1, 2});
    CHECK(*load_order({}) == Order{});
}

TEST_CASE("what is needed starts first") {
    CHECK(*load_order({{"a", {"c"}}, {"b", {}}, {"c", {"b"}}}) == Order{1, 2, 0});
    CHECK(*load_order({{"a", {"b", "c"}}, {"b", {"c"}}, {"c", {}}}) == Order{2, 1, 0});
}

TEST_CASE("an order that can't be is an error that names the plugins") {
    CHECK(load_order({{"a", {"b"}}}).error().message ==
          "plugin a needs plugin b, which is not in plugins.load");
    CHECK(load_order({{"x", {"a"}}, {"a", {"b"}}, {"b", {"a"}}}).error().message ==
          "plugins need each other in a circle: a -> b -> a");
    CHECK(load_order({{"a", {"a"}}}).error().message ==
          "plugins need each other in a circle: a -> a");
    CHECK(load_order({{"a", {}}, {"a", {}}}).error().message == "plugin a is loaded twice");
}
