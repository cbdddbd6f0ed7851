// What every store promises, whatever it keeps things in.
#include <algorithm>
#include <random>
#include <thread>

#include "tests/plugin/loaded_store.hpp"
#include "tests/plugins/store_fixture.hpp"

using namespace moonwire::plugin;

namespace {

struct Memory {
    static std::unique_ptr<Store> make(const StoreSettings& settings) {
        return make_memory_store(settings);
    }
};

struct Sqlite {
    static std::unique_ptr<Store> make(const StoreSettings& settings) {
        return make_sqlite_store(settings);
    }
};

/// Through the host of plugins.
struct Loaded {
    static std::unique_ptr<Store> make(const StoreSettings& settings) {
        return make_loaded_store(settings);
    }
};

template <typename Kind>
struct Owned : TestFolder {
    explicit Owned(const StoreLimits& limits)
        : owned(Kind::make(StoreSettings{.path = file(), .limits = limits})) {
        REQUIRE(owned->start() == "");
    }
    ~Owned() { owned->close(); }
    const std::unique_ptr<Store> owned;
};

template <typename Kind>
struct StoreTest : Owned<Kind>, Asker {
    explicit StoreTest(const StoreLimits& limits = {})
        : Owned<Kind>(limits), Asker(*Owned<Kind>::owned) {}
};

StoreAppend queued(const std::string& queue, const std::string& value, std::size_t max = 3) {
    return {
        .list = queue, .value = value, .max_items = max, .refuse = true, .kind = StoreList::queues};
}

}  // namespace

#define STORES Memory, Sqlite, Loaded

TEST_CASE_TEMPLATE("a value is there until it is replaced or deleted", Kind, STORES) {
    StoreTest<Kind> test;
    CHECK(test.get("a") == "(none)");
    test.done(StoreSet{"a", "1"});
    CHECK(test.get("a") == "1");
    test.done(StoreSet{"a", std::string("\0\xff", 2)});
    CHECK(test.get("a") == std::string("\0\xff", 2));
    test.done(StoreSet{"a", ""});
    CHECK(test.get("a") == "");
    CHECK(test.done(StoreDelete{"a"}).found);
    CHECK_FALSE(test.done(StoreDelete{"a"}).found);
    CHECK(test.get("a") == "(none)");
}

TEST_CASE_TEMPLATE("spaces and tables do not see each other", Kind, STORES) {
    StoreTest<Kind> test;
    test.done(StoreSet{"k", "a"});
    test.done(StoreSet{.key = "k", .value = "s", .table = StoreTable::schedules});
    test.done(StoreAppend{.list = "l", .value = "stream"});
    test.done(queued("l", "queue"));
    test.space = "/b";
    CHECK(test.get("k") == "(none)");
    CHECK(test.read({.list = "l"}) == "");
    test.done(StoreSet{"k", "b"});
    test.space = "/a";
    CHECK(test.get("k") == "a");
    CHECK(test.done(StoreGet{"k", StoreTable::schedules}).value == "s");
    CHECK(test.read({.list = "l"}) == "stream");
    CHECK(test.read({.list = "l", .kind = StoreList::queues}) == "queue");
}

TEST_CASE_TEMPLATE("a value with a time to live is gone when it is over", Kind, STORES) {
    StoreTest<Kind> test;
    test.done(StoreSet{.key = "a", .value = "1", .expires = 2'000});
    test.now = 1'999;
    CHECK(test.get("a") == "1");
    CHECK(test.scan({}) == "a=1");
    test.now = 2'000;
    CHECK(test.get("a") == "(none)");
    CHECK(test.scan({}) == "");
    CHECK_FALSE(test.done(StoreDelete{"a"}).found);
    test.done(StoreSet{.key = "a", .value = "2", .expires = 3'000});
    test.done(StoreSet{"a", "3"});
    test.now = 5'000;
    CHECK(test.get("a") == "3");
}

TEST_CASE_TEMPLATE("a scan gives the keys with a prefix in order, page by page", Kind, STORES) {
    StoreTest<Kind> test;
    for (const char* key : {"b:2", "b:1", "c", "a", "b:10", "b", "b\xff", "b\xff\xff"})
        test.done(StoreSet{key, "v"});
    CHECK(test.scan({.prefix = "b:"}) == "b:1=v b:10=v b:2=v");
    CHECK(test.scan({.prefix = "b:", .limit = 2}) == "b:1=v b:10=v");
    CHECK(test.scan({.prefix = "b:", .after = "b:10"}) == "b:2=v");
    CHECK(test.scan({.prefix = "b:", .after = "a"}) == "b:1=v b:10=v b:2=v");
    CHECK(test.scan({.prefix = "b:", .after = "b:2"}) == "");
    CHECK(test.scan({.prefix = "b", .after = "b", .limit = 1}) == "b:1=v");
    CHECK(test.scan({.prefix = "b\xff"}) == "b\xff=v b\xff\xff=v");
    CHECK(test.scan({.prefix = "\xff"}) == "");
    CHECK(test.scan({.limit = 2}) == "a=v b=v");
    CHECK(test.scan({.after = "b\xff"}) == "b\xff\xff=v c=v");
}

TEST_CASE_TEMPLATE("a stream keeps its order, and pages both ways", Kind, STORES) {
    StoreTest<Kind> test;
    std::vector<std::int64_t> ids;
    for (const char* value : {"1", "2", "3", "4", "5"}) ids.push_back(test.append("s", value));
    CHECK(std::is_sorted(ids.begin(), ids.end()));
    CHECK(ids.front() > 0);
    CHECK(test.read({.list = "s"}) == "1 2 3 4 5");
    CHECK(test.read({.list = "s", .limit = 2}) == "1 2");
    CHECK(test.read({.list = "s", .limit = 2, .newest = true}) == "4 5");
    CHECK(test.read({.list = "s", .before = ids[3], .limit = 2, .newest = true}) == "2 3");
    CHECK(test.read({.list = "s", .after = ids[1], .limit = 2}) == "3 4");
    CHECK(test.read({.list = "s", .after = ids[1], .before = ids[3]}) == "3");
    CHECK(test.read({.list = "s", .after = ids[4]}) == "");
    CHECK(test.read({.list = "s", .after = kNoId}) == "");
    CHECK(test.read({.list = "none"}) == "");
    const auto items = test.done(StoreRead{.list = "s", .limit = 1}).items;
    CHECK(items == std::vector<StoreItem>{{ids[0], 1'000, "1"}});
    CHECK(test.done(StoreCount{.list = "s"}).number == 5);
}

TEST_CASE_TEMPLATE("ids are never given out twice, even when all is removed", Kind, STORES) {
    StoreTest<Kind> test;
    const std::int64_t first = test.append("s", "1");
    CHECK(test.done(StoreRemove{.list = "s"}).number == 1);
    CHECK(test.append("s", "2") > first);
    const std::int64_t other = test.append("t", "3");
    CHECK(test.done(queued("s", "4")).number > other);
}

TEST_CASE_TEMPLATE("a stream lets its oldest go by count, bytes and age", Kind, STORES) {
    StoreTest<Kind> test;
    for (const char* value : {"1", "2", "3", "4"})
        test.done(StoreAppend{.list = "count", .value = value, .max_items = 2});
    CHECK(test.read({.list = "count"}) == "3 4");
    CHECK(test.done(StoreCount{.list = "count"}).number == 2);

    for (const char* value : {"aaaa", "bbbb", "cc", "dddd"})
        test.done(StoreAppend{.list = "bytes", .value = value, .max_bytes = 10});
    CHECK(test.read({.list = "bytes"}) == "bbbb cc dddd");
    test.done(StoreAppend{.list = "bytes", .value = "eeeeeeeee", .max_bytes = 10});
    CHECK(test.read({.list = "bytes"}) == "eeeeeeeee");

    test.done(StoreAppend{.list = "age", .value = "old", .expires = 2'000});
    test.done(StoreAppend{.list = "age", .value = "young", .expires = 4'000});
    test.now = 2'000;
    CHECK(test.read({.list = "age"}) == "young");
    CHECK(test.done(StoreCount{.list = "age"}).number == 1);
    test.done(StoreAppend{.list = "age", .value = "new"});
    test.now = 9'000;
    CHECK(test.read({.list = "age"}) == "new");
    test.done(StoreAppend{.list = "age", .value = "newer", .max_items = 2});
    CHECK(test.read({.list = "age"}) == "new newer");
}

TEST_CASE_TEMPLATE("a queue over its limit refuses, unless what is in it has expired", Kind,
                   STORES) {
    StoreTest<Kind> test;
    StoreAppend first = queued("q", "1");
    first.expires = 2'000;
    test.done(first);
    test.done(queued("q", "2"));
    test.done(queued("q", "3"));
    CHECK(test.refused(queued("q", "4")) == kStoreListFull);
    CHECK(test.read({.list = "q", .kind = StoreList::queues}) == "1 2 3");
    test.now = 2'000;
    test.done(queued("q", "4"));
    CHECK(test.read({.list = "q", .kind = StoreList::queues}) == "2 3 4");
    CHECK(test.refused(queued("q", "5")) == kStoreListFull);

    StoreAppend large{.list = "b", .value = "12345", .max_bytes = 8, .refuse = true};
    test.done(large);
    CHECK(test.refused(large) == kStoreListFull);
}

TEST_CASE_TEMPLATE("what was acknowledged is removed from a queue's head", Kind, STORES) {
    StoreTest<Kind> test;
    std::vector<std::int64_t> ids;
    for (const char* value : {"1", "2", "3"}) ids.push_back(test.done(queued("q", value)).number);
    StoreRemove remove{.list = "q", .up_to = ids[1], .kind = StoreList::queues};
    CHECK(test.done(remove).number == 2);
    CHECK(test.read({.list = "q", .kind = StoreList::queues}) == "3");
    CHECK(test.done(remove).number == 0);
    CHECK(test.done(StoreCount{"q", StoreList::queues}).number == 1);
    CHECK(test.done(StoreRemove{.list = "q", .kind = StoreList::queues}).number == 1);
    CHECK(test.done(StoreRemove{.list = "q", .kind = StoreList::queues}).number == 0);
    CHECK(test.done(StoreCount{"q", StoreList::queues}).number == 0);
}

TEST_CASE_TEMPLATE("a request's operations are done in order, each seeing those before it", Kind,
                   STORES) {
    StoreTest<Kind> test;
    const StoreReply reply =
        test.ask({StoreSet{"a", "1"}, StoreGet{"a"}, StoreAppend{.list = "s", .value = "x"},
                  StoreRead{.list = "s"}, StoreDelete{"a"}, StoreGet{"a"}});
    REQUIRE(reply.error == "");
    REQUIRE(reply.results.size() == 6);
    CHECK(reply.results[1].value == "1");
    CHECK(reply.results[3].items.size() == 1);
    CHECK(reply.results[4].found);
    CHECK_FALSE(reply.results[5].found);
}

TEST_CASE_TEMPLATE("a request that fails half way changes nothing", Kind, STORES) {
    StoreTest<Kind> test;
    test.done(StoreSet{"kept", "before"});
    test.done(StoreSet{"gone", "before"});
    const std::int64_t last = test.append("s", "1");
    for (const char* value : {"1", "2", "3"}) test.done(queued("q", value));
    const StoreReply reply = test.ask(
        {StoreSet{"kept", "after"}, StoreSet{"new", "after"}, StoreDelete{"gone"},
         StoreAppend{.list = "s", .value = "2", .max_items = 1},
         StoreAppend{.list = "t", .value = "2"}, StoreRemove{.list = "s"}, queued("q", "4")});
    CHECK(reply.error == kStoreListFull);
    CHECK(reply.results.empty());
    CHECK(test.scan({}) == "gone=before kept=before");
    CHECK(test.read({.list = "s"}) == "1");
    CHECK(test.read({.list = "t"}) == "");
    CHECK(test.done(StoreCount{.list = "s"}).number == 1);
    CHECK(test.append("s", "3") > last);
    CHECK(test.read({.list = "s"}) == "1 3");
}

TEST_CASE_TEMPLATE("a dry run answers as if it were done, and nothing stays", Kind, STORES) {
    StoreTest<Kind> test;
    test.append("s", "1");
    test.done(StoreSet{"a", "1"});
    StoreRequest request{
        .space = "/a",
        .operations = {StoreSet{"a", "2"}, StoreAppend{.list = "s", .value = "2", .max_items = 1},
                       StoreGet{"a"}, StoreRead{.list = "s"}},
        .dry_run = true};
    const StoreReply first = test.ask(request);
    REQUIRE(first.error == "");
    CHECK(first.results[2].value == "2");
    CHECK(first.results[3].items.size() == 1);
    CHECK(test.get("a") == "1");
    CHECK(test.read({.list = "s"}) == "1");
    // It foretells the ids.
    request.dry_run = false;
    const StoreReply second = test.ask(request);
    CHECK(second.results[1].number == first.results[1].number);
    CHECK(test.get("a") == "2");
    CHECK(test.read({.list = "s"}) == "2");
}

TEST_CASE_TEMPLATE("keys, schedules, streams and queues have limits, a space each", Kind, STORES) {
    StoreTest<Kind> test(StoreLimits{.keys = 2, .schedules = 1, .streams = 1, .queues = 1});
    test.done(StoreSet{.key = "a", .value = "1", .expires = 2'000});
    test.done(StoreSet{"b", "1"});
    CHECK(test.refused(StoreSet{"c", "1"}) == kStoreTooManyKeys);
    test.done(StoreSet{"b", "2"});
    StoreSet schedule{.key = "a", .value = "1", .table = StoreTable::schedules};
    test.done(schedule);
    schedule.key = "b";
    CHECK(test.refused(schedule) == kStoreTooManySchedules);
    test.append("s", "1");
    test.append("s", "2");
    CHECK(test.refused(StoreAppend{.list = "t", .value = "1"}) == kStoreTooManyStreams);
    test.done(queued("s", "1"));
    CHECK(test.refused(queued("t", "1")) == kStoreTooManyQueues);
    test.space = "/b";
    test.done(StoreSet{"c", "1"});
    test.append("t", "1");
    test.space = "/a";

    // What is deleted or has expired makes room.
    test.now = 2'000;
    test.done(StoreSet{"c", "1"});
    CHECK(test.refused(StoreSet{"d", "1"}) == kStoreTooManyKeys);
    test.done(StoreDelete{"c"});
    test.done(StoreSet{"d", "1"});
    test.done(StoreRemove{.list = "s"});
    test.append("t", "1");
    test.done(StoreRemove{.list = "s", .kind = StoreList::queues});
    StoreAppend soon = queued("t", "1");
    soon.expires = 3'000;
    test.done(soon);
    test.now = 3'000;
    test.done(queued("u", "1"));
}

TEST_CASE_TEMPLATE("what has expired goes by and by, and nothing else", Kind, STORES) {
    StoreTest<Kind> test(StoreLimits{.keys = 200});
    for (int i = 0; i < 100; ++i) {
        test.done(StoreSet{.key = "old" + std::to_string(i), .value = "1", .expires = 2'000});
        test.done(StoreAppend{.list = "l" + std::to_string(i), .value = "1", .expires = 2'000});
    }
    test.now = 2'000;
    for (int i = 0; i < 50; ++i) {
        test.done(StoreSet{"new" + std::to_string(i), "1"});
        test.append("s", "x");
    }
    CHECK(test.done(StoreScan{.limit = 1'000}).entries.size() == 50);
    CHECK(test.done(StoreCount{.list = "s"}).number == 50);
    CHECK(test.done(StoreCount{.list = "l7"}).number == 0);
    CHECK(test.get("old7") == "(none)");
}

TEST_CASE_TEMPLATE("a page of large values ends early, and the next goes on", Kind, STORES) {
    StoreTest<Kind> test;
    const std::string large(kStorePageBytes / 2, 'x');
    for (const char* key : {"a", "b", "c", "d"}) {
        test.done(StoreSet{key, large});
        test.append("s", large);
    }
    const auto page = test.done(StoreScan{}).entries;
    REQUIRE(page.size() == 3);
    CHECK(test.done(StoreScan{.after = page.back().key}).entries.size() == 1);
    const auto items = test.done(StoreRead{.list = "s"}).items;
    REQUIRE(items.size() == 3);
    CHECK(test.done(StoreRead{.list = "s", .after = items.back().id}).items.size() == 1);
    CHECK(test.done(StoreRead{.list = "s", .newest = true}).items.front().id == items[1].id);
}

TEST_CASE_TEMPLATE("requests from many threads are all answered, those of a space in order", Kind,
                   STORES) {
    StoreTest<Kind> test;
    constexpr int kThreads = 4, kEach = 100;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&test, t] {
            Asker asker(test.store);
            asker.space = "/" + std::to_string(t);
            std::vector<std::future<StoreReply>> answers;
            for (int i = 0; i < kEach; ++i) {
                answers.push_back(asker.begin(
                    {.space = asker.space,
                     .operations = {StoreAppend{.list = "s", .value = std::to_string(i)}},
                     .durable = i % 2 == 0}));
            }
            for (auto& answer : answers) answer.wait();
        });
    }
    for (auto& thread : threads) thread.join();
    std::string expected;
    for (int i = 0; i < kEach; ++i) expected += (i ? " " : "") + std::to_string(i);
    for (int t = 0; t < kThreads; ++t) {
        test.space = "/" + std::to_string(t);
        CHECK(test.read({.list = "s", .limit = 1'000}) == expected);
    }
}

TEST_CASE_TEMPLATE("what is asked for in one go is answered as if it were asked one by one", Kind,
                   STORES) {
    std::mt19937 random(7);
    const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const auto any_list = [&] { return std::string(1, static_cast<char>('a' + below(3))); };
    const auto any_kind = [&] { return below(2) ? StoreList::streams : StoreList::queues; };
    const auto append = [&](StoreTime now) {
        return StoreAppend{.list = any_list(),
                           .value = std::string(below(20), 'v'),
                           .at = now,
                           .max_items = 2 + 4 * below(2),
                           .max_bytes = 15 + 40 * below(2),
                           .refuse = below(3) == 0,
                           .kind = any_kind()};
    };
    const auto operation = [&](StoreTime now) -> StoreOperation {
        switch (below(12)) {
            case 0: return StoreSet{any_list(), std::to_string(now)};
            case 1: return StoreDelete{any_list()};
            case 2:
                return StoreRemove{.list = any_list(),
                                   .up_to = static_cast<std::int64_t>(below(400)),
                                   .kind = any_kind()};
            default: return append(now);
        }
    };
    for (int round = 0; round < 5; ++round) {
        StoreLimits limits;
        limits.streams = limits.queues = limits.keys = 2;
        StoreTest<Kind> test(limits);
        StoreTest<Memory> model(limits);
        std::vector<std::future<StoreReply>> answers, expected;
        for (int i = 0; i < 400; ++i) {
            test.now = model.now = test.now + static_cast<StoreTime>(below(4));
            StoreRequest request{below(4) ? "/a" : "/b", {operation(test.now)}, 0, below(8) == 0};
            if (below(5) == 0) {  // in steps
                request.dry_run = below(3) == 0;
                for (std::size_t more = below(4); more > 0; --more)
                    request.operations.push_back(operation(test.now));
                request.operations.push_back(StoreRead{.list = any_list(), .kind = any_kind()});
                request.operations.push_back(StoreCount{.list = any_list(), .kind = any_kind()});
            }
            expected.push_back(model.begin(request));
            answers.push_back(test.begin(std::move(request)));
        }
        for (std::size_t i = 0; i < answers.size(); ++i) {
            CAPTURE(i);
            const StoreReply reply = answers[i].get(), model_reply = expected[i].get();
            REQUIRE(reply.error == model_reply.error);
            REQUIRE(reply.results.size() == model_reply.results.size());
            for (std::size_t n = 0; n < reply.results.size(); ++n) {
                CAPTURE(n);
                REQUIRE(reply.results[n].found == model_reply.results[n].found);
                REQUIRE(reply.results[n].number == model_reply.results[n].number);
                REQUIRE(reply.results[n].items == model_reply.results[n].items);
            }
        }
        for (const char* list : {"a", "b", "c"})
            for (const StoreList kind : {StoreList::streams, StoreList::queues})
                for (const char* space : {"/a", "/b"}) {
                    test.space = model.space = space;
                    const StoreRead read{.list = list, .kind = kind};
                    CHECK(test.done(read).items == model.done(read).items);
                }
    }
}

TEST_CASE_TEMPLATE("closing answers what was given before, and refuses what comes after", Kind,
                   STORES) {
    StoreTest<Kind> test;
    std::vector<std::future<StoreReply>> answers;
    for (int i = 0; i < 100; ++i)
        answers.push_back(test.begin({"/a", {StoreAppend{.list = "s", .value = "1"}}}));
    test.store.close();
    for (auto& answer : answers) CHECK(answer.get().error == "");
    CHECK(test.ask({StoreGet{"a"}}).error == kStoreClosed);
    CHECK(test.ask({StoreSet{"a", "1"}}).error == kStoreClosed);
}
