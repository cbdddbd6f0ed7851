#include "plugins/sqlite/operations.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace moonwire::sqlite {

using namespace plugin;

namespace {

// What `counters` counts: keys and lists by their kind, and the ids that were given out.
constexpr std::int64_t kKeys = 0, kLists = 2, kLastId = 4;

/// Expired rows that a write group, or a write at its limit, drops at most.
constexpr std::int64_t kSwept = 200, kMadeRoom = 1000;

template <typename Enum>
std::int64_t number(Enum value) {
    return static_cast<std::int64_t>(value);
}

std::int64_t clamp(std::size_t value) {
    return static_cast<std::int64_t>(std::min<std::size_t>(value, kNoId));
}

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
    StoreResult operator()(const StoreRead& read) { return self.read(read); }
    StoreResult operator()(const StoreCount& count) { return self.count(count); }
    StoreResult operator()(const StoreSet& set) { return self.set(set); }
    StoreResult operator()(const StoreDelete& del) { return self.erase(del); }
    StoreResult operator()(const StoreAppend& append) { return self.append(append); }
    StoreResult operator()(const StoreRemove& remove) { return self.remove(remove); }
};

void Operations::create_tables(Database& database) { database.run(kSchema); }

Operations::Operations(Database& db, const StoreLimits& limits)
    : limits_(limits),
      find_space_(db, "SELECT id FROM spaces WHERE name = ?"),
      add_space_(db, "INSERT INTO spaces(name) VALUES(?) RETURNING id"),
      add_counters_(db, "INSERT INTO counters VALUES(?1,0,0),(?1,1,0),(?1,2,0),(?1,3,0),(?1,4,0)"),
      counter_(db, "SELECT value FROM counters WHERE space = ? AND counter = ?"),
      change_counter_(db,
                      "UPDATE counters SET value = value + ?3 WHERE space = ?1 AND counter = ?2"),
      next_id_(db,
               "UPDATE counters SET value = value + 1 WHERE space = ? AND counter = ? "
               "RETURNING value"),
      get_(db, "SELECT value FROM keys WHERE space = ? AND kind = ? AND key = ? AND expires > ?"),
      scan_(db,
            "SELECT key, value FROM keys WHERE space = ? AND kind = ? AND key >= ? "
            "AND expires > ? ORDER BY key"),
      update_(db,
              "UPDATE keys SET value = ?4, expires = ?5 WHERE space = ?1 AND kind = ?2 "
              "AND key = ?3"),
      insert_(db, "INSERT INTO keys(space, kind, key, value, expires) VALUES(?, ?, ?, ?, ?)"),
      delete_(db, "DELETE FROM keys WHERE space = ? AND kind = ? AND key = ? RETURNING expires"),
      find_list_(db,
                 "SELECT id, items, bytes FROM lists WHERE space = ? AND kind = ? AND name = ?"),
      add_list_(db,
                "INSERT INTO lists(space, kind, name, items, bytes) VALUES(?, ?, ?, 0, 0) "
                "RETURNING id"),
      change_list_(db,
                   "UPDATE lists SET items = items + ?2, bytes = bytes + ?3 WHERE id = ?1 "
                   "RETURNING items"),
      drop_list_(db, "DELETE FROM lists WHERE id = ? RETURNING space, kind"),
      read_(db,
            "SELECT id, at, value FROM items WHERE list = ? AND id > ? AND id < ? "
            "AND expires > ? ORDER BY id LIMIT ?"),
      read_newest_(db,
                   "SELECT id, at, value FROM items WHERE list = ? AND id > ? AND id < ? "
                   "AND expires > ? ORDER BY id DESC LIMIT ?"),
      count_items_(db, "SELECT count(*) FROM items WHERE list = ? AND id <= ? AND expires > ?"),
      add_item_(db, "INSERT INTO items(list, id, at, expires, value) VALUES(?, ?, ?, ?, ?)"),
      oldest_(db, "SELECT id, length(value), expires FROM items WHERE list = ? ORDER BY id"),
      drop_items_(db, "DELETE FROM items WHERE list = ? AND id <= ? RETURNING length(value)"),
      drop_items_expired_(db,
                          "DELETE FROM items WHERE list = ? AND expires <= ? "
                          "RETURNING length(value)"),
      expired_keys_(db,
                    "SELECT space, kind, key FROM keys WHERE expires <= ? "
                    "AND expires < 9223372036854775807 LIMIT ?"),
      expired_lists_(db,
                     "SELECT list FROM items WHERE expires <= ? "
                     "AND expires < 9223372036854775807 LIMIT ?") {}

void Operations::begin(const std::string& space, StoreTime now, bool writes) {
    now_ = now;
    space_ = 0;
    if (Statement::Rows found = find_space_.query(space); found.next()) space_ = found.integer(0);
    if (space_ != 0 || !writes) return;
    {
        Statement::Rows added = add_space_.query(space);
        added.next();
        space_ = added.integer(0);
    }
    add_counters_.run(space_);
}

StoreResult Operations::run(const StoreOperation& operation) {
    return std::visit(Visitor{*this}, operation);
}

std::int64_t Operations::counter(std::int64_t which) {
    Statement::Rows rows = counter_.query(space_, which);
    return rows.next() ? rows.integer(0) : 0;
}

void Operations::add_to(std::int64_t space, std::int64_t counter, std::int64_t change) {
    change_counter_.run(space, counter, change);
}

void Operations::make_room(std::int64_t which, std::size_t limit, const char* why) {
    if (counter(which) < clamp(limit)) return;
    if (which < kLists) drop_expired_keys(kMadeRoom);
    else drop_expired_lists(kMadeRoom);
    if (counter(which) >= clamp(limit)) throw Refused{why};
}

StoreResult Operations::get(const StoreGet& get) {
    StoreResult result;
    Statement::Rows rows = get_.query(space_, number(get.table), get.key, now_);
    result.found = rows.next();
    if (result.found) result.value = rows.bytes(0);
    return result;
}

StoreResult Operations::scan(const StoreScan& scan) {
    StoreResult result;
    // The least key beyond `after` is that with a zero byte behind it.
    const std::string first =
        !scan.after.empty() && scan.after >= scan.prefix ? scan.after + '\0' : scan.prefix;
    Statement::Rows rows = scan_.query(space_, number(scan.table), first, now_);
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
    if (update_.run(space_, kind, set.key, set.value, set.expires) > 0) return {};
    const bool schedules = set.table == StoreTable::schedules;
    make_room(kKeys + kind, schedules ? limits_.schedules : limits_.keys,
              schedules ? kStoreTooManySchedules : kStoreTooManyKeys);
    insert_.run(space_, kind, set.key, set.value, set.expires);
    add_to(space_, kKeys + kind, 1);
    return {};
}

StoreResult Operations::erase(const StoreDelete& del) {
    StoreResult result;
    bool removed = false;
    {
        Statement::Rows rows = delete_.query(space_, number(del.table), del.key);
        while (rows.next()) {
            removed = true;
            result.found = rows.integer(0) > now_;
        }
    }
    if (removed) add_to(space_, kKeys + number(del.table), -1);
    return result;
}

Operations::List Operations::find_list(const std::string& name, StoreList kind) {
    Statement::Rows rows = find_list_.query(space_, number(kind), name);
    if (!rows.next()) return {};
    return {rows.integer(0), rows.integer(1), rows.integer(2)};
}

StoreResult Operations::read(const StoreRead& read) {
    StoreResult result;
    const List list = find_list(read.list, read.kind);
    if (list.id == 0) return result;
    Statement& statement = read.newest ? read_newest_ : read_;
    Statement::Rows rows =
        statement.query(list.id, read.after, read.before, now_, clamp(read.limit));
    std::size_t bytes = 0;
    while (bytes <= kStorePageBytes && rows.next()) {
        result.items.push_back({rows.integer(0), rows.integer(1), rows.bytes(2)});
        bytes += result.items.back().value.size();
    }
    if (read.newest) std::reverse(result.items.begin(), result.items.end());
    return result;
}

StoreResult Operations::count(const StoreCount& count) {
    StoreResult result;
    const List list = find_list(count.list, count.kind);
    if (list.id == 0) return result;
    Statement::Rows rows = count_items_.query(list.id, kNoId, now_);
    rows.next();
    result.number = rows.integer(0);
    return result;
}

StoreResult Operations::append(const StoreAppend& append) {
    List list = find_list(append.list, append.kind);
    if (append.refuse) make_room_in(list, append);
    if (list.id == 0) {
        const std::int64_t kind = number(append.kind);
        const bool queues = append.kind == StoreList::queues;
        make_room(kLists + kind, queues ? limits_.queues : limits_.streams,
                  queues ? kStoreTooManyQueues : kStoreTooManyStreams);
        {
            Statement::Rows added = add_list_.query(space_, kind, append.list);
            added.next();
            list.id = added.integer(0);
        }
        add_to(space_, kLists + kind, 1);
    }
    StoreResult result;
    {
        Statement::Rows next = next_id_.query(space_, kLastId);
        next.next();
        result.number = next.integer(0);
    }
    add_item_.run(list.id, result.number, append.at, append.expires, append.value);
    const auto bytes = static_cast<std::int64_t>(append.value.size());
    change_list_.run(list.id, std::int64_t{1}, bytes);
    ++list.items;
    list.bytes += bytes;
    drop_oldest(list, append);
    return result;
}

void Operations::make_room_in(List& list, const StoreAppend& append) {
    const std::int64_t max_items = clamp(append.max_items), max_bytes = clamp(append.max_bytes);
    const auto bytes = static_cast<std::int64_t>(append.value.size());
    const auto is_full = [&] { return list.items >= max_items || bytes > max_bytes - list.bytes; };
    if (!is_full()) return;
    if (list.id != 0) drop_expired_items(list.id);
    list = find_list(append.list, append.kind);
    if (is_full()) throw Refused{kStoreListFull};
}

void Operations::drop_oldest(List& list, const StoreAppend& append) {
    const std::int64_t max_items = clamp(append.max_items), max_bytes = clamp(append.max_bytes);
    std::int64_t last = 0, items = list.items, bytes = list.bytes;
    {
        Statement::Rows rows = oldest_.query(list.id);
        while (rows.next()) {
            if (items <= max_items && bytes <= max_bytes && rows.integer(2) > now_) break;
            last = rows.integer(0);
            bytes -= rows.integer(1);
            --items;
        }
    }
    if (last == 0) return;
    drop_items_.run(list.id, last);
    took_from(list.id, list.items - items, list.bytes - bytes);
}

StoreResult Operations::remove(const StoreRemove& remove) {
    StoreResult result;
    const List list = find_list(remove.list, remove.kind);
    if (list.id == 0) return result;
    {
        Statement::Rows rows = count_items_.query(list.id, remove.up_to, now_);
        rows.next();
        result.number = rows.integer(0);
    }
    std::int64_t items = 0, bytes = 0;
    {
        Statement::Rows rows = drop_items_.query(list.id, remove.up_to);
        for (; rows.next(); ++items) bytes += rows.integer(0);
    }
    took_from(list.id, items, bytes);
    return result;
}

void Operations::took_from(std::int64_t list, std::int64_t items, std::int64_t bytes) {
    std::int64_t left = 0;
    {
        Statement::Rows rows = change_list_.query(list, -items, -bytes);
        while (rows.next()) left = rows.integer(0);
    }
    if (left > 0) return;
    std::int64_t space = 0, kind = 0;
    {
        Statement::Rows rows = drop_list_.query(list);
        while (rows.next()) {
            space = rows.integer(0);
            kind = rows.integer(1);
        }
    }
    add_to(space, kLists + kind, -1);
}

void Operations::drop_expired_items(std::int64_t list) {
    std::int64_t items = 0, bytes = 0;
    {
        Statement::Rows rows = drop_items_expired_.query(list, now_);
        for (; rows.next(); ++items) bytes += rows.integer(0);
    }
    if (items > 0) took_from(list, items, bytes);
}

void Operations::drop_expired_keys(std::int64_t limit) {
    struct Key {
        std::int64_t space, kind;
        std::string key;
    };
    std::vector<Key> keys;
    {
        Statement::Rows rows = expired_keys_.query(now_, limit);
        while (rows.next()) keys.push_back({rows.integer(0), rows.integer(1), rows.bytes(2)});
    }
    for (const Key& each : keys) {
        delete_.run(each.space, each.kind, each.key);
        add_to(each.space, kKeys + each.kind, -1);
    }
}

void Operations::drop_expired_lists(std::int64_t limit) {
    std::set<std::int64_t> lists;
    {
        Statement::Rows rows = expired_lists_.query(now_, limit);
        while (rows.next()) lists.insert(rows.integer(0));
    }
    for (const std::int64_t list : lists) drop_expired_items(list);
}

void Operations::sweep(StoreTime now) {
    now_ = now;
    drop_expired_keys(kSwept);
    drop_expired_lists(kSwept);
}

}  // namespace moonwire::sqlite
