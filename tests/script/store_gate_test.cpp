#include "core/script/store_gate.hpp"

#include <doctest/doctest.h>

#include <string>

#include "core/base/manual_reactor.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

struct GateTest {
    /// Whether it got a place; who is in, is noted.
    bool enter(bool alone, char name) {
        return gate->enter(alone, [this, name] { inside += name; });
    }
    void leave(char name) {
        inside.erase(inside.find(name), 1);
        gate->leave();
        reactor.settle();
    }

    ManualReactor reactor;
    std::shared_ptr<StoreGate> gate = std::make_shared<StoreGate>(reactor, 4);
    std::string inside;
};

}  // namespace

TEST_CASE("single writes are inside together, a transaction is alone") {
    GateTest test;
    test.enter(false, 'a');
    test.enter(false, 'b');
    test.enter(true, 'T');
    CHECK(test.inside == "ab");
    test.leave('a');
    CHECK(test.inside == "b");
    test.leave('b');
    CHECK(test.inside == "T");
    test.enter(false, 'c');
    CHECK(test.inside == "T");
    test.leave('T');
    CHECK(test.inside == "c");
}

TEST_CASE("who comes first goes first, so that nobody waits for ever") {
    GateTest test;
    test.enter(false, 'a');
    test.enter(true, 'T');
    test.enter(false, 'b');
    test.enter(false, 'c');
    test.enter(true, 'U');
    CHECK(test.inside == "a");
    test.leave('a');
    CHECK(test.inside == "T");
    test.leave('T');
    CHECK(test.inside == "bc");
    test.leave('b');
    CHECK(test.inside == "c");
    test.leave('c');
    CHECK(test.inside == "U");
}

TEST_CASE("more than may wait are refused") {
    GateTest test;
    test.enter(true, 'T');
    for (const char name : {'a', 'b', 'c', 'd'}) CHECK(test.enter(false, name));
    CHECK_FALSE(test.enter(false, 'e'));
    test.leave('T');
    CHECK(test.inside == "abcd");
}
