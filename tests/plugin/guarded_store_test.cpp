#include "core/plugin/guarded_store.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/log.hpp"
#include "core/plugin/provisions.hpp"

using namespace moonwire;
using namespace moonwire::plugin;

namespace {

using Lines = std::vector<std::string>;

/// What is logged of plugins' failures, as "plugin: reason".
struct Failures final : log::Listener {
    void on_line(log::Level, std::string_view message, const log::Field* fields,
                 std::size_t count) override {
        if (message == "plugin failed" && count == 3)
            lines.push_back(fields[0].value + ": " + fields[2].value);
    }
    Lines take() { return std::exchange(lines, {}); }
    Lines lines;
};

/// What a plugin's store does, piece by piece, and what was done with it.
struct Plan {
    std::function<std::string()> start = [] { return std::string(); };
    std::function<void(StoreCompletion)> execute = [](StoreCompletion) {};
    std::function<void()> close = [] {};
    Lines notes;
};

class PlannedStore final : public Store {
public:
    explicit PlannedStore(Plan& plan) : plan_(plan) {}
    ~PlannedStore() override { plan_.notes.push_back("gone"); }
    std::string start() override { return plan_.start(); }
    void execute(StoreRequest, StoreCompletion completion) override {
        plan_.execute(std::move(completion));
    }
    void close() override {
        plan_.notes.push_back("closed");
        plan_.close();
    }

private:
    Plan& plan_;
};

struct Fixture {
    Fixture() {
        all.add("p", StoreKind{[this](const StoreLimits&) -> std::unique_ptr<Store> {
                    return std::make_unique<PlannedStore>(plan);
                }});
        store = all.make_store("p", {});
    }
    /// The errors of the answers to one operation.
    std::shared_ptr<Lines> ask() {
        auto answers = std::make_shared<Lines>();
        store->execute({"/", {StoreGet{"k"}}},
                       [answers](StoreReply reply) { answers->push_back(reply.error); });
        return answers;
    }

    Failures failures;
    Plan plan;
    Provisions all;
    std::unique_ptr<Store> store;
};

std::string start_of(StoreKind kind) {
    Provisions all;
    all.add("p", std::move(kind));
    return all.make_store("p", {})->start();
}

StoreReply one_result() {
    StoreReply reply;
    reply.results.resize(1);
    return reply;
}

}  // namespace

TEST_CASE("a store that can't be made names its plugin") {
    CHECK(start_of({[](const StoreLimits&) -> std::unique_ptr<Store> {
              throw std::runtime_error("no disk");
          }}) == "plugin p: no disk");
    CHECK(start_of({[](const StoreLimits&) -> std::unique_ptr<Store> { throw 1; }}) ==
          "plugin p: an exception of an unknown type");
    CHECK(start_of({[](const StoreLimits&) { return std::unique_ptr<Store>(); }}) ==
          "plugin p: it made no store");
}

TEST_CASE("a store that can't start names its plugin, and is closed") {
    Fixture test;
    SUBCASE("as it says") {
        test.plan.start = [] { return "it is locked"; };
        CHECK(test.store->start() == "plugin p: it is locked");
    }
    SUBCASE("by what it throws") {
        test.plan.start = []() -> std::string { throw std::runtime_error("it burns"); };
        CHECK(test.store->start() == "plugin p: it burns");
    }
    CHECK(test.plan.notes == Lines{"closed", "gone"});
    CHECK(*test.ask() == Lines{kStoreClosed});
}

TEST_CASE("a store is made when it is started, with the limits, and is gone when it is closed") {
    Plan plan;
    std::size_t keys = 0;
    Provisions all;
    all.add("p", StoreKind{[&](const StoreLimits& limits) -> std::unique_ptr<Store> {
                keys = limits.keys;
                return std::make_unique<PlannedStore>(plan);
            }});
    const auto store = all.make_store("p", StoreLimits{.keys = 7});
    CHECK(keys == 0);
    CHECK(store->start() == "");
    CHECK(keys == 7);
    store->close();
    CHECK(plan.notes == Lines{"closed", "gone"});
    store->close();
    std::string error;
    store->execute({"/", {StoreGet{"k"}}}, [&](StoreReply reply) { error = reply.error; });
    CHECK(error == kStoreClosed);
}

TEST_CASE("each request is answered once, whatever the plugin does") {
    Fixture test;
    REQUIRE(test.store->start() == "");
    SUBCASE("it throws") {
        test.plan.execute = [](StoreCompletion) { throw std::runtime_error("no disk"); };
        CHECK(*test.ask() == Lines{"the store failed"});
        CHECK(test.failures.take() == Lines{"p: no disk"});
    }
    SUBCASE("it throws when it has answered") {
        test.plan.execute = [](StoreCompletion completion) {
            completion(one_result());
            throw 1;
        };
        CHECK(*test.ask() == Lines{""});
        CHECK(test.failures.take() == Lines{"p: an exception of an unknown type"});
    }
    SUBCASE("it answers twice") {
        test.plan.execute = [](StoreCompletion completion) {
            completion(one_result());
            completion({kStoreBusy, {}});
        };
        CHECK(*test.ask() == Lines{""});
        CHECK(test.failures.take().empty());
    }
    SUBCASE("it forgets to answer") {
        CHECK(*test.ask() == Lines{"the store failed"});
        CHECK(test.failures.take() == Lines{"p: a request was dropped without an answer"});
    }
    SUBCASE("it answers with too little") {
        test.plan.execute = [](StoreCompletion completion) { completion({}); };
        CHECK(*test.ask() == Lines{"the store failed"});
        CHECK(test.failures.take() == Lines{"p: 0 results of 1 operations"});
    }
    SUBCASE("its own errors are handed on") {
        test.plan.execute = [](StoreCompletion completion) { completion({kStoreDiskFull, {}}); };
        CHECK(*test.ask() == Lines{kStoreDiskFull});
        CHECK(test.failures.take().empty());
    }
    test.store->close();
    CHECK(test.failures.take().empty());
}

TEST_CASE("what a plugin leaves unanswered ends with the store, and a late answer is nothing") {
    Fixture test;
    REQUIRE(test.store->start() == "");
    StoreCompletion kept;
    test.plan.execute = [&](StoreCompletion completion) { kept = std::move(completion); };
    test.plan.close = [] { throw std::runtime_error("can't be closed"); };
    const auto answers = test.ask();
    CHECK(answers->empty());
    test.store->close();
    CHECK(*answers == Lines{kStoreClosed});
    CHECK(test.plan.notes == Lines{"closed", "gone"});
    CHECK(test.failures.take() ==
          Lines{"p: can't be closed", "p: 1 requests unanswered at its end"});
    test.store.reset();
    kept(one_result());
    kept = {};
    CHECK(*answers == Lines{kStoreClosed});
    CHECK(test.failures.take().empty());
}

TEST_CASE("a store is not taken away from under a request") {
    Fixture test;
    REQUIRE(test.store->start() == "");
    std::promise<void> inside, closing;
    test.plan.execute = [&](StoreCompletion completion) {
        inside.set_value();
        closing.get_future().wait();
        test.plan.notes.push_back("left");
        completion(one_result());
    };
    test.plan.close = [&] { closing.set_value(); };
    std::shared_ptr<Lines> answers;
    std::thread asking([&] { answers = test.ask(); });
    inside.get_future().wait();
    test.store->close();
    asking.join();
    CHECK(*answers == Lines{""});
    CHECK(test.plan.notes == Lines{"closed", "left", "gone"});
}
