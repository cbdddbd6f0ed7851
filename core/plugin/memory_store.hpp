#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/plugin/api/store.hpp"

namespace moonwire::plugin {

/// A store in memory: for `moonwire test`, and for brokers that need nothing to outlive them.
///
/// Any thread; answers before `execute` returns. Each write looks at a few more keys and lists, in
/// turn, and drops what has expired.
class MemoryStore final : public Store {
public:
    explicit MemoryStore(const StoreLimits& limits) : limits_(limits) {}

    std::string start() override { return {}; }
    void execute(StoreRequest request, StoreCompletion completion) override;
    void close() override;

private:
    struct Value {
        std::string value;
        StoreTime expires = kNever;
    };
    using Table = std::map<std::string, Value, std::less<>>;
    struct Item {
        StoreItem item;
        StoreTime expires = kNever;
    };
    struct List {
        std::deque<Item> items;
        std::size_t bytes = 0;
    };
    using Lists = std::map<std::string, List, std::less<>>;
    struct Space {
        std::array<Table, 2> tables;
        std::array<Lists, 2> lists;
        std::array<std::string, 2> next_keys, next_lists;  // where the sweep goes on
        std::int64_t last_id = 0;
    };
    class Request;

    void sweep(Space& space, StoreTime now);

    const StoreLimits limits_;
    std::mutex mutex_;
    std::map<std::string, Space, std::less<>> spaces_;
    bool closed_ = false;
};

}  // namespace moonwire::plugin
