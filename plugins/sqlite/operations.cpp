#include "plugins/sqlite/operations.hpp"

#include <utility>
#include <vector>

namespace moonwire::sqlite {

using namespace plugin;

namespace {

/// Expired rows that a write group drops at most.
constexpr std::int64_t kSwept = 200;

// One tree a table: the key is where the row is.
constexpr const char* kSchema = R"(
CREATE TABLE spaces(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
CREATE TABLE counters(space INTEGER NOT NULL, counter INTEGER NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY(space, counter)) WITHOUT ROWID;
CREATE TABLE keys(space INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT NULL,
    value BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY(space, kind, key)) WITHOUT ROWID;
CREATE INDEX keys_expire ON keys(expires) WHERE expires < 9223372036854775807;
CREATE TABLE lists(id INTEGER PRIMARY KEY, space INTEGER NOT NULL, kind INTEGER NOT NULL,
    name BLOB NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE(space, kind, name));
CREATE TABLE items(list INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL,
    expires INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY(list, id)) WITHOUT ROWID;
CREATE INDEX items_expire ON items(expires) WHERE expires < 9223372036854775807;
)";

}  // namespace

struct Operations::Visitor {
    Operations& self;
    StoreResult operator()(const StoreGet& get) { return self.get(get); }
    StoreResult operator()(const StoreScan& scan) { return self.scan(scan); }
    StoreResult operator()(const StoreRead& read) { return self.lists_.read(self.scope_, read); }
    StoreResult operator()(const StoreCount& count) {
        return self.lists_.count(self.scope_, count);
    }
    StoreResult operator()(const StoreSet& set) { return self.set(set); }
    StoreResult operator()(const StoreDelete& del) { return self.erase(del); }
    StoreResult operator()(const StoreAppend& append) {
        return self.lists_.append(self.scope_, append);
    }
    StoreResult operator()(const StoreRemove& remove) {
        return self.lists_.remove(self.scope_, remove);
    }
};

void Operations::create_tables(Database& database) { database.run(kSchema); }

Operations::Operations(Database& db, const StoreLimits& limits)
    : limits_(limits),
      counters_(db),
      lists_(db, counters_, limits),
      find_space_(db, "SELECT id FROM spaces WHERE name = ?"),
      add_space_(db, "INSERT INTO spaces(name) VALUES(?) RETURNING id"),
      get_(db, "SELECT value FROM keys WHERE space = ? AND kind = ? AND key = ? AND expires > ?"),
      scan_(db,
            "SELECT key, value FROM keys WHERE space = ? AND kind = ? AND key >= ? "
            "AND expires > ? ORDER BY key"),
      update_(db,
              "UPDATE keys SET value = ?4, expires = ?5 WHERE space = ?1 AND kind = ?2 "
              "AND key = ?3"),
      insert_(db, "INSERT INTO keys(space, kind, key, value, expires) VALUES(?, ?, ?, ?, ?)"),
      delete_(db, "DELETE FROM keys WHERE space = ? AND kind = ? AND key = ? RETURNING expires"),
      expired_(db,
               "SELECT space, kind, key FROM keys WHERE expires <= ? "
               "AND expires < 9223372036854775807 LIMIT ?") {}

void Operations::begin(const std::string& space, StoreTime now, bool writes) {
    scope_.now = now;
    if (scope_.space != 0 && space == space_) return;
    space_ = space;
    scope_.space = 0;
    if (Statement::Rows found = find_space_.query(space); found.next())
        scope_.space = found.integer(0);
    if (scope_.space != 0 || !writes) return;
    {
        Statement::Rows added = add_space_.query(space);
        added.next();
        scope_.space = added.integer(0);
    }
    counters_.begin(scope_.space);
}

void Operations::forget() {
    lists_.forget();
    scope_.space = 0;
}

StoreResult Operations::run(const StoreOperation& operation) {
    return std::visit(Visitor{*this}, operation);
}

void Operations::make_room(std::int64_t which, std::size_t limit, const char* why) {
    const auto is_full = [&] { return counters_.get(scope_.space, which) >= clamp(limit); };
    if (!is_full()) return;
    drop_expired(kMadeRoom);
    if (is_full()) throw Refused{why};
}

StoreResult Operations::get(const StoreGet& get) {
    StoreResult result;
    Statement::Rows rows = get_.query(scope_.space, number(get.table), get.key, scope_.now);
    result.found = rows.next();
    if (result.found) result.value = rows.bytes(0);
    return result;
}

StoreResult Operations::scan(const StoreScan& scan) {
    StoreResult result;
    // The least key beyond `after` is that with a zero byte behind it.
    const std::string first =
        !scan.after.empty() && scan.after >= scan.prefix ? scan.after + '\0' : scan.prefix;
    Statement::Rows rows = scan_.query(scope_.space, number(scan.table), first, scope_.now);
    std::size_t bytes = 0;
    while (result.entries.size() < scan.limit && bytes <= kStorePageBytes && rows.next()) {
        std::string key = rows.bytes(0);
        if (!key.starts_with(scan.prefix)) break;
        result.entries.push_back({std::move(key), rows.bytes(1)});
        bytes += result.entries.back().value.size();
    }
    return result;
}

StoreResult Operations::set(const StoreSet& set) {
    const std::int64_t kind = number(set.table);
    if (update_.run(scope_.space, kind, set.key, set.value, set.expires) > 0) return {};
    const bool schedules = set.table == StoreTable::schedules;
    make_room(kKeys + kind, schedules ? limits_.schedules : limits_.keys,
              schedules ? kStoreTooManySchedules : kStoreTooManyKeys);
    insert_.run(scope_.space, kind, set.key, set.value, set.expires);
    counters_.add(scope_.space, kKeys + kind, 1);
    return {};
}

StoreResult Operations::erase(const StoreDelete& del) {
    StoreResult result;
    bool removed = false;
    {
        Statement::Rows rows = delete_.query(scope_.space, number(del.table), del.key);
        while (rows.next()) {
            removed = true;
            result.found = rows.integer(0) > scope_.now;
        }
    }
    if (removed) counters_.add(scope_.space, kKeys + number(del.table), -1);
    return result;
}

void Operations::drop_expired(std::int64_t limit) {
    struct Key {
        std::int64_t space, kind;
        std::string key;
    };
    std::vector<Key> keys;
    {
        Statement::Rows rows = expired_.query(scope_.now, limit);
        while (rows.next()) keys.push_back({rows.integer(0), rows.integer(1), rows.bytes(2)});
    }
    for (const Key& each : keys) {
        delete_.run(each.space, each.kind, each.key);
        counters_.add(each.space, kKeys + each.kind, -1);
    }
}

void Operations::sweep(StoreTime now) {
    scope_.now = now;
    drop_expired(kSwept);
    lists_.drop_expired(now, kSwept);
}

}  // namespace moonwire::sqlite
