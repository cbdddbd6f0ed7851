#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "plugins/sqlite/counters.hpp"
#include "plugins/sqlite/request_scope.hpp"

namespace moonwire::sqlite {

/// Streams and queues: lists of items in the order of their ids, on one connection. One thread.
///
/// An append writes its item and no more. What it changes of its list (how many items and bytes it
/// holds, which of them are too many) and of its space (the last id) is gathered until `settle`, so
/// that many appends in one transaction change that once. Everything else settles first.
class Lists {
public:
    Lists(Database& database, Counters& counters, const plugin::StoreLimits& limits);

    /// Refuses before it changes anything but what is too much or has expired.
    plugin::StoreResult append(const Scope& scope, const plugin::StoreAppend& append);
    plugin::StoreResult read(const Scope& scope, const plugin::StoreRead& read);
    plugin::StoreResult count(const Scope& scope, const plugin::StoreCount& count);
    plugin::StoreResult remove(const Scope& scope, const plugin::StoreRemove& remove);
    /// Of all spaces; so many items' lists at most.
    void drop_expired(plugin::StoreTime now, std::int64_t limit);

    /// Writes what was gathered: before a savepoint begins and a transaction ends.
    void settle();
    /// What was gathered has been rolled back.
    void forget();

private:
    struct List {
        std::int64_t id = 0, items = 0, bytes = 0;  // id 0: there is none
        // What the appends that are gathered let it hold, at most.
        std::int64_t max_items = plugin::kNoId, max_bytes = plugin::kNoId;
        plugin::StoreTime now = 0;
        bool changed = false;
    };
    using Name = std::tuple<std::int64_t, std::int64_t, std::string>;  // space, kind, name

    List find(const Scope& scope, const std::string& name, plugin::StoreList kind);
    /// Until it settles.
    List& gathered(const Scope& scope, const plugin::StoreAppend& append);
    /// For one more list. Settles.
    void make_room(const Scope& scope, plugin::StoreList kind);
    void begin(List& list, const Scope& scope, const plugin::StoreAppend& append);
    std::int64_t next_id(std::int64_t space);
    void make_room_in(List& list, plugin::StoreTime now, const plugin::StoreAppend& append);
    /// Drops the oldest that are too many, and those before them that have expired.
    void trim(List& list);
    void drop_expired_in(List& list, plugin::StoreTime now);
    /// Writes down what the list holds now; an empty one is dropped.
    void keep(const List& list);

    Counters& counters_;
    const plugin::StoreLimits limits_;
    // Gathered.
    std::map<Name, List, std::less<>> lists_;
    std::map<std::int64_t, std::int64_t> last_ids_;

    Statement find_, add_, held_, set_, drop_;
    Statement read_, read_newest_, count_, measure_, oldest_;
    Statement add_item_, drop_items_, drop_expired_items_, expired_;
};

}  // namespace moonwire::sqlite
