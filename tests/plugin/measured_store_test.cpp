#include "core/plugin/measured_store.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace moonwire::plugin;

namespace {

/// Answers when it is told to.
struct SlowStore final : Store {
    std::string start() override { return {}; }
    void execute(StoreRequest, StoreCompletion completion) override {
        completions.push_back(std::move(completion));
    }
    void close() override { closed = true; }
    std::vector<StoreCompletion> completions;
    bool closed = false;
};

}  // namespace

TEST_CASE("what goes into a store and comes out of it is counted") {
    auto owned = std::make_unique<SlowStore>();
    SlowStore& inner = *owned;
    MeasuredStore store(std::move(owned));
    int answers = 0;
    const auto ask = [&](std::vector<StoreOperation> operations) {
        store.execute({"/t", std::move(operations)}, [&](StoreReply) { ++answers; });
    };
    ask({StoreGet{"a"}});
    ask({StoreGet{"a"}, StoreSet{"a", "12345"}, StoreAppend{"s", "123"}});
    CHECK(store.figures().reads == 1);
    CHECK(store.figures().writes == 1);
    CHECK(store.figures().waiting == 2);
    CHECK(store.figures().bytes_written == 0);  // not yet

    StoreReply read;
    read.results.resize(1);
    read.results[0].value = "1234567";
    inner.completions[0](read);
    inner.completions[1]({});
    CHECK(answers == 2);
    CHECK(store.figures().waiting == 0);
    CHECK(store.figures().bytes_read == 7);
    CHECK(store.figures().bytes_written == 8);
    CHECK(store.figures().read_time.count() == 1);
    CHECK(store.figures().write_time.count() == 1);

    ask({StoreSet{"a", "12345"}});
    ask({StoreSet{"a", "12345"}});
    inner.completions[2]({kStoreDiskFull, {}});
    inner.completions[3]({"something that nobody knows", {}});
    CHECK(store.figures().errors.at(kStoreDiskFull) == 1);
    CHECK(store.figures().errors.at("other") == 1);
    CHECK(store.figures().errors.at(kStoreBusy) == 0);
    CHECK(store.figures().bytes_written == 8);
    store.close();
    CHECK(inner.closed);
}
