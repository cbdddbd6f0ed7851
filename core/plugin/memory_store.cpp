#include "core/plugin/memory_store.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/plugin/stores.hpp"

namespace moonwire::plugin {
namespace {

/// Keys and lists that a write looks at for the sake of the expired.
constexpr int kSwept = 16;

template <typename Enum>
std::size_t number(Enum value) {
    return static_cast<std::size_t>(value);
}

}  // namespace

/// One request at work on its space: what it changed can be undone.
class MemoryStore::Request {
public:
    Request(MemoryStore& store, Space& space, StoreTime now)
        : limits_(store.limits_), space_(space), now_(now) {}

    void undo() {
        for (auto each = undo_.rbegin(); each != undo_.rend(); ++each) (*each)();
    }
    const std::string& error() const { return error_; }

    StoreResult operator()(const StoreGet& get) {
        const Table& table = space_.tables[number(get.table)];
        StoreResult result;
        const auto found = table.find(get.key);
        result.found = found != table.end() && found->second.expires > now_;
        if (result.found) result.value = found->second.value;
        return result;
    }
    StoreResult operator()(const StoreSet& set) {
        Table& table = space_.tables[number(set.table)];
        const bool schedules = set.table == StoreTable::schedules;
        const std::size_t limit = schedules ? limits_.schedules : limits_.keys;
        if (!table.contains(set.key) && table.size() >= limit) {
            drop_expired(table);
            if (table.size() >= limit)
                return fail(schedules ? kStoreTooManySchedules : kStoreTooManyKeys);
        }
        keep_key(table, set.key);
        table[set.key] = {set.value, set.expires};
        return {};
    }
    StoreResult operator()(const StoreDelete& del) {
        Table& table = space_.tables[number(del.table)];
        StoreResult result;
        const auto found = table.find(del.key);
        if (found == table.end()) return result;
        result.found = found->second.expires > now_;
        keep_key(table, del.key);
        table.erase(del.key);
        return result;
    }
    StoreResult operator()(const StoreScan& scan) {
        const Table& table = space_.tables[number(scan.table)];
        StoreResult result;
        auto at = !scan.after.empty() && scan.after >= scan.prefix ? table.upper_bound(scan.after)
                                                                   : table.lower_bound(scan.prefix);
        std::size_t bytes = 0;
        for (; at != table.end() && result.entries.size() < scan.limit; ++at) {
            if (!at->first.starts_with(scan.prefix) || bytes > kStorePageBytes) break;
            if (at->second.expires <= now_) continue;
            result.entries.push_back({at->first, at->second.value});
            bytes += at->second.value.size();
        }
        return result;
    }
    StoreResult operator()(const StoreAppend& append) {
        Lists& lists = space_.lists[number(append.kind)];
        const bool queues = append.kind == StoreList::queues;
        const std::size_t limit = queues ? limits_.queues : limits_.streams;
        if (!lists.contains(append.list) && lists.size() >= limit) {
            drop_expired(lists);
            if (lists.size() >= limit)
                return fail(queues ? kStoreTooManyQueues : kStoreTooManyStreams);
        }
        if (append.refuse && is_full(lists, append)) {
            if (const auto list = lists.find(append.list); list != lists.end())
                remove_if(lists, list, [&](const Item& item) { return item.expires <= now_; });
            if (is_full(lists, append)) return fail(kStoreListFull);
        }
        List& list = lists[append.list];
        const std::int64_t id = ++space_.last_id;
        list.items.push_back({{id, append.at, append.value}, append.expires});
        list.bytes += append.value.size();
        undo_.push_back([this, &lists, name = append.list] {
            const auto list = lists.find(name);
            list->second.bytes -= list->second.items.back().item.value.size();
            list->second.items.pop_back();
            if (list->second.items.empty()) lists.erase(list);
            --space_.last_id;
        });
        std::size_t excess = 0, bytes = list.bytes;
        for (const Item& item : list.items) {
            if (list.items.size() - excess <= append.max_items && bytes <= append.max_bytes &&
                item.expires > now_)
                break;
            bytes -= item.item.value.size();
            ++excess;
        }
        if (excess > 0) {
            const std::int64_t last = list.items[excess - 1].item.id;
            remove_if(lists, lists.find(append.list),
                      [&](const Item& item) { return item.item.id <= last; });
        }
        StoreResult result;
        result.number = id;
        return result;
    }
    StoreResult operator()(const StoreRead& read) {
        const Lists& lists = space_.lists[number(read.kind)];
        StoreResult result;
        const auto found = lists.find(read.list);
        if (found == lists.end()) return result;
        const std::deque<Item>& items = found->second.items;
        const auto id_less = [](const Item& item, std::int64_t id) { return item.item.id < id; };
        const auto end = std::lower_bound(items.begin(), items.end(), read.before, id_less);
        auto begin = read.after == kNoId
                         ? end
                         : std::lower_bound(items.begin(), end, read.after + 1, id_less);
        std::size_t bytes = 0;
        const auto take = [&](const Item& item) {
            if (item.expires <= now_) return;
            result.items.push_back(item.item);
            bytes += item.item.value.size();
        };
        const auto has_room = [&] {
            return result.items.size() < read.limit && bytes <= kStorePageBytes;
        };
        if (read.newest) {
            for (auto at = end; at != begin && has_room();) take(*--at);
            std::reverse(result.items.begin(), result.items.end());
        } else {
            for (; begin != end && has_room(); ++begin) take(*begin);
        }
        return result;
    }
    StoreResult operator()(const StoreRemove& remove) {
        Lists& lists = space_.lists[number(remove.kind)];
        StoreResult result;
        const auto found = lists.find(remove.list);
        if (found == lists.end()) return result;
        for (const Item& item : found->second.items)
            result.number += item.item.id <= remove.up_to && item.expires > now_;
        remove_if(lists, found, [&](const Item& item) { return item.item.id <= remove.up_to; });
        return result;
    }
    StoreResult operator()(const StoreCount& count) {
        const Lists& lists = space_.lists[number(count.kind)];
        StoreResult result;
        if (const auto found = lists.find(count.list); found != lists.end())
            for (const Item& item : found->second.items) result.number += item.expires > now_;
        return result;
    }

    void drop_expired(Table& table) {
        for (auto at = table.begin(); at != table.end();) {
            if (at->second.expires > now_) {
                ++at;
                continue;
            }
            keep_key(table, at->first);
            at = table.erase(at);
        }
    }
    void drop_expired(Lists& lists) {
        for (auto at = lists.begin(); at != lists.end();) {
            const auto list = at++;
            remove_if(lists, list, [&](const Item& item) { return item.expires <= now_; });
        }
    }

private:
    StoreResult fail(const char* why) {
        error_ = why;
        return {};
    }
    static bool is_full(const Lists& lists, const StoreAppend& append) {
        const auto found = lists.find(append.list);
        const std::size_t items = found == lists.end() ? 0 : found->second.items.size();
        const std::size_t bytes = found == lists.end() ? 0 : found->second.bytes;
        return items >= append.max_items || append.value.size() > append.max_bytes ||
               bytes > append.max_bytes - append.value.size();
    }
    void keep_key(Table& table, const std::string& key) {
        const auto found = table.find(key);
        if (found == table.end()) {
            undo_.push_back([&table, key] { table.erase(key); });
        } else {
            undo_.push_back([&table, key, before = found->second] { table[key] = before; });
        }
    }
    template <typename Predicate>
    void remove_if(Lists& lists, Lists::iterator list, Predicate gone) {
        std::deque<Item> kept, removed;
        // The oldest mostly are those that go.
        while (!list->second.items.empty() && gone(list->second.items.front())) {
            removed.push_back(std::move(list->second.items.front()));
            list->second.items.pop_front();
        }
        if (std::any_of(list->second.items.begin(), list->second.items.end(), gone)) {
            for (Item& item : list->second.items)
                (gone(item) ? removed : kept).push_back(std::move(item));
            list->second.items = std::move(kept);
        }
        if (removed.empty()) return;
        for (const Item& item : removed) list->second.bytes -= item.item.value.size();
        undo_.push_back([&lists, name = list->first, removed = std::move(removed)]() mutable {
            List& list = lists[name];
            for (Item& item : removed) {
                list.bytes += item.item.value.size();
                list.items.push_back(std::move(item));
            }
            std::sort(list.items.begin(), list.items.end(),
                      [](const Item& a, const Item& b) { return a.item.id < b.item.id; });
        });
        if (list->second.items.empty()) lists.erase(list);
    }

    const StoreLimits& limits_;
    Space& space_;
    const StoreTime now_;
    std::string error_;
    std::vector<std::function<void()>> undo_;
};

void MemoryStore::execute(StoreRequest request, StoreCompletion completion) {
    StoreReply reply;
    {
        std::lock_guard lock(mutex_);
        if (closed_) {
            reply.error = kStoreClosed;
        } else {
            Space& space = spaces_[request.space];
            Request work(*this, space, request.now);
            bool writes = false;
            for (const StoreOperation& operation : request.operations) {
                reply.results.push_back(std::visit(work, operation));
                writes |= is_write(operation);
                if (!work.error().empty()) break;
            }
            reply.error = work.error();
            if (!reply.error.empty() || request.dry_run) work.undo();
            else if (writes) sweep(space, request.now);
        }
    }
    if (!reply.error.empty()) reply.results.clear();
    completion(std::move(reply));
}

void MemoryStore::sweep(Space& space, StoreTime now) {
    for (std::size_t kind = 0; kind < 2; ++kind) {
        Table& table = space.tables[kind];
        auto key = table.lower_bound(space.next_keys[kind]);
        for (int i = 0; i < kSwept && key != table.end(); ++i)
            key = key->second.expires <= now ? table.erase(key) : std::next(key);
        space.next_keys[kind] = key == table.end() ? std::string() : key->first;

        Lists& lists = space.lists[kind];
        auto at = lists.lower_bound(space.next_lists[kind]);
        for (int i = 0; i < kSwept && at != lists.end(); ++i) {
            List& list = at->second;
            while (!list.items.empty() && list.items.front().expires <= now) {
                list.bytes -= list.items.front().item.value.size();
                list.items.pop_front();
            }
            at = list.items.empty() ? lists.erase(at) : std::next(at);
        }
        space.next_lists[kind] = at == lists.end() ? std::string() : at->first;
    }
}

void MemoryStore::close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    spaces_.clear();
}

std::unique_ptr<Store> make_memory_store(const StoreSettings& settings) {
    return std::make_unique<MemoryStore>(settings.limits);
}

}  // namespace moonwire::plugin
