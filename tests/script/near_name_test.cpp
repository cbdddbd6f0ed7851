#include "core/script/near_name.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace moonwire::script;

TEST_CASE("the edit distance counts letters added, left out, replaced and swapped") {
    CHECK(edit_distance("emit", "emit") == 0);
    CHECK(edit_distance("emit", "emitt") == 1);
    CHECK(edit_distance("emit", "emt") == 1);
    CHECK(edit_distance("emit", "exit") == 1);
    CHECK(edit_distance("emit", "eimt") == 1);
    CHECK(edit_distance("", "emit") == 4);
    CHECK(edit_distance(std::string(5000, 'a'), std::string(5000, 'b')) > 2);
}

TEST_CASE("a suggestion is the nearest name that is near at all") {
    const std::set<std::string> names{"emit", "emits", "timeout", "to"};
    CHECK(suggest("emitt", names) == "; did you mean 'emit'?");
    CHECK(suggest("timout", names) == "; did you mean 'timeout'?");
    CHECK(suggest("broadcast", names).empty());
    CHECK(suggest("xy", names).empty());
}

TEST_CASE("events that are meant to differ are no slips of each other") {
    for (const auto& [name, other] : {std::pair("vehicle:stop", "vehicle:stopp"),
                                      std::pair("position:update", "position:updates"),
                                      std::pair("join", "joyn"),
                                      std::pair("seat_1", "seat_2"),
                                      std::pair("driverLocationUpdate", "driver:locationUpdate"),
                                      std::pair("door:open", "door:shut"),
                                      std::pair("lock:door", "unlock:door"),
                                      std::pair("created", "created")}) {
        CAPTURE(name);
        CHECK_FALSE(is_slip_of(name, other));
    }
    for (const auto& [name, other] : {std::pair("vehicle:psoition", "vehicle:position"),
                                      std::pair("reuqest", "request"),
                                      std::pair("driver:locatin", "driver:location"),
                                      std::pair("messge:sent", "message:sent")}) {
        CAPTURE(name);
        CHECK(is_slip_of(name, other));
    }
}
