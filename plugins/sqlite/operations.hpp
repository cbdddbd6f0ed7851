#pragma once

#include <cstdint>
#include <string>

#include "core/plugin/api/store.hpp"
#include "plugins/sqlite/database.hpp"

namespace moonwire::sqlite {

/// Why an operation can't be done, beside SQLite's own reasons. Thrown within this plugin only.
struct Refused {
    const char* why;
};

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

private:
    struct List {
        std::int64_t id = 0, items = 0, bytes = 0;
    };
    struct Visitor;

    plugin::StoreResult get(const plugin::StoreGet& get);
    plugin::StoreResult scan(const plugin::StoreScan& scan);
    plugin::StoreResult read(const plugin::StoreRead& read);
    plugin::StoreResult count(const plugin::StoreCount& count);
    plugin::StoreResult set(const plugin::StoreSet& set);
    plugin::StoreResult erase(const plugin::StoreDelete& del);
    plugin::StoreResult append(const plugin::StoreAppend& append);
    plugin::StoreResult remove(const plugin::StoreRemove& remove);

    std::int64_t counter(std::int64_t which);
    void add_to(std::int64_t space, std::int64_t counter, std::int64_t change);
    void make_room(std::int64_t counter, std::size_t limit, const char* why);
    /// Its id is 0 if there is none.
    List find_list(const std::string& name, plugin::StoreList kind);
    void make_room_in(List& list, const plugin::StoreAppend& append);
    void drop_oldest(List& list, const plugin::StoreAppend& append);
    void took_from(std::int64_t list, std::int64_t items, std::int64_t bytes);
    /// Of one list.
    void drop_expired_items(std::int64_t list);
    void drop_expired_keys(std::int64_t limit);
    void drop_expired_lists(std::int64_t limit);

    const plugin::StoreLimits limits_;
    std::int64_t space_ = 0;  // 0: there is none, so there is nothing in it
    plugin::StoreTime now_ = 0;

    Statement find_space_, add_space_, add_counters_;
    Statement counter_, change_counter_, next_id_;
    Statement get_, scan_, update_, insert_, delete_;
    Statement find_list_, add_list_, change_list_, drop_list_;
    Statement read_, read_newest_, count_items_, add_item_, oldest_, drop_items_,
        drop_items_expired_;
    Statement expired_keys_, expired_lists_;
};

}  // namespace moonwire::sqlite
