#include "core/plugin/provisions.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace moonwire::plugin;

namespace {

HttpRoute route(const std::string& path) {
    return {path, {"GET"}, [](HttpRequest, Respond) { throw 1; }};
}

}  // namespace

TEST_CASE("the longest path serves") {
    Provisions all;
    all.add("a", route("/x"));
    all.add("a", route("/x/"));
    all.add("b", route("/x/y/"));
    CHECK(all.find_route("/x")->path == "/x");
    CHECK(all.find_route("/x/")->path == "/x/");
    CHECK(all.find_route("/x/z")->path == "/x/");
    CHECK(all.find_route("/x/y")->path == "/x/");
    CHECK(all.find_route("/x/y/z")->path == "/x/y/");
    CHECK(all.find_route("/xy") == nullptr);
}

TEST_CASE("nothing can be provided twice") {
    Provisions all;
    all.add("a", route("/x"));
    CHECK_THROWS_WITH(all.add("b", route("/x")), "plugin a serves /x already");
    CHECK_THROWS(all.add("b", route("x")));
    all.add("a", Module{{{"f", [](const Call&) { return Answer(); }}}, {}});
    CHECK_THROWS_WITH(all.add("a", Module{{}, {{"f", [](Call, Reply) {}}}}),
                      "a second function 'f'");
    all.add("a", Module{.script = "return 1", .wanted = [](const Call&) { throw 1; }});
    CHECK_THROWS_WITH(all.add("a", Module{.script = "return 2"}), "a second script");
    CHECK_THROWS_WITH(all.add("a", Module{.wanted = [](const Call&) {}}),
                      "a second function 'wanted'");
    all.modules().find("a")->second.wanted({});  // what it throws is logged
    struct Nobody final : Authenticator {
        void verify(Credentials, std::function<void(Verdict)>) override { throw 1; }
    };
    all.add("a", std::make_shared<Nobody>());
    CHECK_THROWS(all.add("b", std::shared_ptr<Authenticator>()));
    CHECK_THROWS(all.add("b", std::shared_ptr<Adapter>()));
    CHECK_THROWS_WITH(all.add("b", std::make_shared<Nobody>()),
                      "plugin a is the authenticator already");
}

TEST_CASE("a plugin provides one store, which is called after it") {
    Provisions all;
    const auto kind = [] {
        return StoreKind{[](const StoreLimits&) { return std::unique_ptr<Store>(); }};
    };
    CHECK(all.store_kinds().empty());
    CHECK(all.make_store("b", {}) == nullptr);
    all.add("b", kind());
    all.add("a", kind());
    CHECK(all.store_kinds() == std::vector<std::string>{"a", "b"});
    CHECK(all.make_store("b", {}) != nullptr);
    CHECK(all.make_store("sqlite", {}) == nullptr);
    CHECK_THROWS_WITH(all.add("a", kind()), "a second kind of store");
    CHECK_THROWS_WITH(all.add("sqlite", kind()), "the broker has a store sqlite of its own");
    CHECK_THROWS_WITH(all.add("c", StoreKind{}), "a kind of store that makes none");
}

TEST_CASE("a plugin's figures are named after it, and its exceptions stay with it") {
    Provisions all;
    all.add("my-one", [](Metrics& metrics) {
        metrics.push_back({"my_one_a_total", "A.", MetricKind::counter, {}, {}, {{{}, 3, {}}}});
        metrics.push_back({"moonwire_a_total", "Not its own.", MetricKind::counter, {}, {}, {}});
    });
    all.add("broken", [](Metrics& metrics) {
        metrics.push_back({"broken_a", "A.", MetricKind::gauge, {}, {}, {}});
        throw std::runtime_error("no");
    });
    all.add("last", [](Metrics& metrics) {
        metrics.push_back({"last_a", "A.", MetricKind::gauge, {}, {}, {}});
    });
    const Metrics metrics = all.metrics();
    REQUIRE(metrics.size() == 2);
    CHECK(metrics[0].name == "my_one_a_total");
    CHECK(metrics[0].samples.front().value == 3);
    CHECK(metrics[1].name == "last_a");
}

TEST_CASE("what a plugin throws ends in an answer") {
    Provisions all;
    all.add("a", route("/x"));
    all.add("a", Module{{{"now", [](const Call&) -> Answer { throw std::runtime_error("no"); }}},
                        {{"later", [](Call, Reply) { throw 1; }}}});
    struct Nobody final : Authenticator {
        void verify(Credentials, std::function<void(Verdict)>) override { throw 1; }
    };
    all.add("a", std::make_shared<Nobody>());

    unsigned status = 0;
    all.find_route("/x")->handle({}, [&](HttpResponse response) { status = response.status; });
    CHECK(status == 500);
    const Module& module = all.modules().find("a")->second;
    CHECK(module.immediate.at("now")({}).message == "plugin.a: now failed");
    Answer answer;
    module.waiting.at("later")({}, [&](Answer given) { answer = std::move(given); });
    CHECK(answer.kind == Answer::Kind::error);
    Verdict verdict{true};
    all.authenticator()->verify({}, [&](Verdict given) { verdict = std::move(given); });
    CHECK_FALSE(verdict.accepted);
    CHECK(verdict.code == "unavailable");
}
