#include "plugins/sqlite/lists.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace moonwire::sqlite {

using namespace plugin;

Lists::Lists(Database& db, Counters& counters, const StoreLimits& limits)
    : counters_(counters),
      limits_(limits),
      find_(db, "SELECT id, items, bytes FROM lists WHERE space = ? AND kind = ? AND name = ?"),
      add_(db,
           "INSERT INTO lists(space, kind, name, items, bytes) VALUES(?, ?, ?, 0, 0) "
           "RETURNING id"),
      held_(db, "SELECT items, bytes FROM lists WHERE id = ?"),
      set_(db, "UPDATE lists SET items = ?2, bytes = ?3 WHERE id = ?1"),
      drop_(db, "DELETE FROM lists WHERE id = ? RETURNING space, kind"),
      read_(db,
            "SELECT id, at, value FROM items WHERE list = ? AND id > ? AND id < ? "
            "AND expires > ? ORDER BY id LIMIT ?"),
      read_newest_(db,
                   "SELECT id, at, value FROM items WHERE list = ? AND id > ? AND id < ? "
                   "AND expires > ? ORDER BY id DESC LIMIT ?"),
      count_(db, "SELECT count(*) FROM items WHERE list = ? AND id <= ? AND expires > ?"),
      measure_(db, "SELECT count(*), sum(length(value)) FROM items WHERE list = ? AND id <= ?"),
      oldest_(db, "SELECT id, length(value), expires FROM items WHERE list = ? ORDER BY id"),
      add_item_(db, "INSERT INTO items(list, id, at, expires, value) VALUES(?, ?, ?, ?, ?)"),
      drop_items_(db, "DELETE FROM items WHERE list = ? AND id <= ?"),
      drop_expired_items_(db,
                          "DELETE FROM items WHERE list = ? AND expires <= ? "
                          "RETURNING length(value)"),
      expired_(db,
               "SELECT list FROM items WHERE expires <= ? "
               "AND expires < 9223372036854775807 LIMIT ?") {}

StoreResult Lists::append(const Scope& scope, const StoreAppend& append) {
    if (gathered(scope, append).id == 0) make_room(scope, append.kind);
    List& list = gathered(scope, append);
    const std::int64_t max_items = clamp(append.max_items), max_bytes = clamp(append.max_bytes);
    // What is gathered was let in under other limits: they count until here.
    if (list.changed && (list.max_items != max_items || list.max_bytes != max_bytes)) trim(list);
    if (append.refuse) make_room_in(list, scope.now, append);
    if (list.id == 0) begin(list, scope, append);
    StoreResult result;
    result.number = next_id(scope.space);
    add_item_.run(list.id, result.number, append.at, append.expires, append.value);
    ++list.items;
    list.bytes += static_cast<std::int64_t>(append.value.size());
    list.max_items = max_items;
    list.max_bytes = max_bytes;
    list.now = scope.now;
    list.changed = true;
    return result;
}

StoreResult Lists::read(const Scope& scope, const StoreRead& read) {
    settle();
    StoreResult result;
    const List list = find(scope, read.list, read.kind);
    if (list.id == 0) return result;
    Statement& statement = read.newest ? read_newest_ : read_;
    Statement::Rows rows =
        statement.query(list.id, read.after, read.before, scope.now, clamp(read.limit));
    std::size_t bytes = 0;
    while (bytes <= kStorePageBytes && rows.next()) {
        result.items.push_back({rows.integer(0), rows.integer(1), rows.bytes(2)});
        bytes += result.items.back().value.size();
    }
    if (read.newest) std::reverse(result.items.begin(), result.items.end());
    return result;
}

StoreResult Lists::count(const Scope& scope, const StoreCount& count) {
    settle();
    StoreResult result;
    const List list = find(scope, count.list, count.kind);
    if (list.id == 0) return result;
    Statement::Rows rows = count_.query(list.id, kNoId, scope.now);
    rows.next();
    result.number = rows.integer(0);
    return result;
}

StoreResult Lists::remove(const Scope& scope, const StoreRemove& remove) {
    settle();
    StoreResult result;
    List list = find(scope, remove.list, remove.kind);
    if (list.id == 0) return result;
    {
        Statement::Rows rows = count_.query(list.id, remove.up_to, scope.now);
        rows.next();
        result.number = rows.integer(0);
    }
    {
        Statement::Rows rows = measure_.query(list.id, remove.up_to);
        rows.next();
        list.items -= rows.integer(0);
        list.bytes -= rows.integer(1);
    }
    drop_items_.run(list.id, remove.up_to);
    keep(list);
    return result;
}

void Lists::drop_expired(StoreTime now, std::int64_t limit) {
    settle();
    std::set<std::int64_t> ids;
    {
        Statement::Rows rows = expired_.query(now, limit);
        while (rows.next()) ids.insert(rows.integer(0));
    }
    for (const std::int64_t id : ids) {
        List list;
        {
            Statement::Rows rows = held_.query(id);
            if (!rows.next()) continue;
            list.id = id;
            list.items = rows.integer(0);
            list.bytes = rows.integer(1);
        }
        drop_expired_in(list, now);
        keep(list);
    }
}

void Lists::settle() {
    for (auto& [name, list] : lists_) {
        if (!list.changed) continue;
        trim(list);
        keep(list);
    }
    for (const auto& [space, id] : last_ids_) counters_.set(space, kLastId, id);
    forget();
}

void Lists::forget() {
    lists_.clear();
    last_ids_.clear();
}

Lists::List Lists::find(const Scope& scope, const std::string& name, StoreList kind) {
    List list;
    Statement::Rows rows = find_.query(scope.space, number(kind), name);
    if (!rows.next()) return list;
    list.id = rows.integer(0);
    list.items = rows.integer(1);
    list.bytes = rows.integer(2);
    return list;
}

Lists::List& Lists::gathered(const Scope& scope, const StoreAppend& append) {
    const std::int64_t kind = number(append.kind);
    const auto found = lists_.find(std::tuple(scope.space, kind, std::string_view(append.list)));
    if (found != lists_.end()) return found->second;
    return lists_
        .emplace(Name(scope.space, kind, append.list), find(scope, append.list, append.kind))
        .first->second;
}

void Lists::make_room(const Scope& scope, StoreList kind) {
    const bool queues = kind == StoreList::queues;
    const std::int64_t limit = clamp(queues ? limits_.queues : limits_.streams);
    const auto is_full = [&] { return counters_.get(scope.space, kLists + number(kind)) >= limit; };
    if (!is_full()) return;
    drop_expired(scope.now, kMadeRoom);
    if (is_full()) throw Refused{queues ? kStoreTooManyQueues : kStoreTooManyStreams};
}

void Lists::begin(List& list, const Scope& scope, const StoreAppend& append) {
    const std::int64_t kind = number(append.kind);
    {
        Statement::Rows added = add_.query(scope.space, kind, append.list);
        added.next();
        list.id = added.integer(0);
    }
    counters_.add(scope.space, kLists + kind, 1);
}

std::int64_t Lists::next_id(std::int64_t space) {
    const auto found = last_ids_.find(space);
    if (found != last_ids_.end()) return ++found->second;
    return last_ids_.emplace(space, counters_.get(space, kLastId) + 1).first->second;
}

void Lists::make_room_in(List& list, StoreTime now, const StoreAppend& append) {
    const std::int64_t max_items = clamp(append.max_items), max_bytes = clamp(append.max_bytes);
    const auto bytes = static_cast<std::int64_t>(append.value.size());
    const auto is_full = [&] { return list.items >= max_items || bytes > max_bytes - list.bytes; };
    if (!is_full()) return;
    if (list.changed) trim(list);
    if (list.id != 0) drop_expired_in(list, now);
    if (is_full()) throw Refused{kStoreListFull};
}

void Lists::trim(List& list) {
    std::int64_t last = 0;
    {
        Statement::Rows rows = oldest_.query(list.id);
        while (rows.next()) {
            if (list.items <= list.max_items && list.bytes <= list.max_bytes &&
                rows.integer(2) > list.now)
                break;
            last = rows.integer(0);
            --list.items;
            list.bytes -= rows.integer(1);
        }
    }
    if (last != 0) drop_items_.run(list.id, last);
}

void Lists::drop_expired_in(List& list, StoreTime now) {
    Statement::Rows rows = drop_expired_items_.query(list.id, now);
    while (rows.next()) {
        --list.items;
        list.bytes -= rows.integer(0);
        list.changed = true;
    }
}

void Lists::keep(const List& list) {
    if (list.items > 0) {
        set_.run(list.id, list.items, list.bytes);
        return;
    }
    std::int64_t space = 0, kind = 0;
    {
        Statement::Rows rows = drop_.query(list.id);
        while (rows.next()) {
            space = rows.integer(0);
            kind = rows.integer(1);
        }
    }
    counters_.add(space, kLists + kind, -1);
}

}  // namespace moonwire::sqlite
