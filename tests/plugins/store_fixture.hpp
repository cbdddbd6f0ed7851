#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/plugin/stores.hpp"

namespace moonwire::plugin {

/// A folder that goes with the test.
class TestFolder {
public:
    TestFolder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "moonwire-store-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TestFolder() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }
    std::string file(const char* name = "store.db") const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// Asks a store and waits for its answer.
struct Asker {
    explicit Asker(Store& store) : store(store) {}

    std::future<StoreReply> begin(StoreRequest request) {
        auto promise = std::make_shared<std::promise<StoreReply>>();
        request.now = now;
        store.execute(std::move(request),
                      [promise](StoreReply reply) { promise->set_value(std::move(reply)); });
        return promise->get_future();
    }
    StoreReply ask(StoreRequest request) { return begin(std::move(request)).get(); }
    StoreReply ask(std::vector<StoreOperation> operations) {
        return ask(StoreRequest{space, std::move(operations)});
    }
    /// One operation, which succeeds.
    StoreResult done(StoreOperation operation) {
        StoreReply reply = ask({std::move(operation)});
        REQUIRE(reply.error == "");
        REQUIRE(reply.results.size() == 1);
        return std::move(reply.results.front());
    }
    /// One operation, which does not: why.
    std::string refused(StoreOperation operation) { return ask({std::move(operation)}).error; }

    std::int64_t append(const std::string& list, const std::string& value) {
        return done(StoreAppend{.list = list, .value = value, .at = now}).number;
    }
    /// The values of what a read gives, apart by blanks.
    std::string read(StoreRead read) {
        std::string text;
        for (const StoreItem& item : done(std::move(read)).items)
            text += (text.empty() ? "" : " ") + item.value;
        return text;
    }
    std::string scan(StoreScan scan) {
        std::string text;
        for (const StoreEntry& entry : done(std::move(scan)).entries)
            text += (text.empty() ? "" : " ") + entry.key + "=" + entry.value;
        return text;
    }
    std::string get(const std::string& key) {
        const StoreResult result = done(StoreGet{key});
        return result.found ? result.value : "(none)";
    }

    Store& store;
    std::string space = "/a";
    StoreTime now = 1'000;
};

}  // namespace moonwire::plugin
