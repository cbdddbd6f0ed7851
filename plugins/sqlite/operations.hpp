#pragma once

#include <cstdint>
#include <string>

#include "core/plugin/api/store.hpp"
#include "plugins/sqlite/counters.hpp"
#include "plugins/sqlite/lists.hpp"
#include "plugins/sqlite/request_scope.hpp"

namespace moonwire::sqlite {

/// The store's operations on one connection, as prepared statements. One thread.
///
/// Every call belongs to the request that `begin` began; calls throw SqliteError and Refused.
class Operations {
public:
    Operations(Database& database, const plugin::StoreLimits& limits);

    /// Makes the tables of an empty file.
    static void create_tables(Database& database);

    /// What follows concerns this space, which is made if the request writes.
    void begin(const std::string& space, plugin::StoreTime now, bool writes);
    plugin::StoreResult run(const plugin::StoreOperation& operation);
    /// Drops some of what has expired, of all spaces.
    void sweep(plugin::StoreTime now);

    /// Writes what operations have gathered: before a savepoint begins and a transaction ends.
    void settle() { lists_.settle(); }
    /// What they have gathered has been rolled back.
    void forget();

private:
    struct Visitor;

    plugin::StoreResult get(const plugin::StoreGet& get);
    plugin::StoreResult scan(const plugin::StoreScan& scan);
    plugin::StoreResult set(const plugin::StoreSet& set);
    plugin::StoreResult erase(const plugin::StoreDelete& del);
    void make_room(std::int64_t counter, std::size_t limit, const char* why);
    void drop_expired(std::int64_t limit);

    const plugin::StoreLimits limits_;
    std::string space_;  // what the scope's is called
    Scope scope_;

    Counters counters_;
    Lists lists_;
    Statement find_space_, add_space_;
    Statement get_, scan_, update_, insert_, delete_, expired_;
};

}  // namespace moonwire::sqlite
