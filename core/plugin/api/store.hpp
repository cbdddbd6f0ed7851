#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace moonwire::plugin {

/// Milliseconds since the epoch, by the caller's clock: a store never looks at one of its own.
using StoreTime = std::int64_t;
inline constexpr StoreTime kNever = std::numeric_limits<StoreTime>::max();
inline constexpr std::int64_t kNoId = std::numeric_limits<std::int64_t>::max();

/// A page of a scan or a read ends early beyond so many bytes of values; one value it always has.
inline constexpr std::size_t kStorePageBytes = 8u << 20;

/// What a space holds: two ordered tables of keys, and two families of lists by name.
enum class StoreTable : std::uint8_t { values, schedules };
enum class StoreList : std::uint8_t { streams, queues };

// The operations. Keys, names and values are bytes; keys are ordered bytewise. What has expired
// (`expires <= now`) is not there.

/// Result: `found` and `value`.
struct StoreGet {
    std::string key = {};
    StoreTable table = StoreTable::values;
};
/// Adds or replaces. Fails over the limit of keys.
struct StoreSet {
    std::string key = {}, value = {};
    StoreTime expires = kNever;
    StoreTable table = StoreTable::values;
};
/// Result: `found`, whether there was one.
struct StoreDelete {
    std::string key = {};
    StoreTable table = StoreTable::values;
};
/// Result: the first `limit` `entries` in order whose key begins with `prefix` and is beyond
/// `after`.
struct StoreScan {
    std::string prefix = {}, after = {};
    std::size_t limit = 100;
    StoreTable table = StoreTable::values;
};
/// Adds an item at a list's end, which may begin the list: fails over the limit of lists. Result:
/// `number`, its id, greater than any that the space has given out. With more than `max_items`
/// items or `max_bytes` bytes of values the oldest go, or, with `refuse`, it fails instead.
struct StoreAppend {
    std::string list = {}, value = {};
    StoreTime at = 0, expires = kNever;
    std::size_t max_items = std::numeric_limits<std::size_t>::max();
    std::size_t max_bytes = std::numeric_limits<std::size_t>::max();
    bool refuse = false;
    StoreList kind = StoreList::streams;
};
/// Result: `items` with ids between `after` and `before`, oldest first: the first `limit` of them,
/// or with `newest` the last.
struct StoreRead {
    std::string list = {};
    std::int64_t after = 0, before = kNoId;
    std::size_t limit = 100;
    bool newest = false;
    StoreList kind = StoreList::streams;
};
/// Removes the items with ids up to this one. Result: `number`, how many there were.
struct StoreRemove {
    std::string list = {};
    std::int64_t up_to = kNoId;
    StoreList kind = StoreList::streams;
};
/// Result: `number`, the items of the list.
struct StoreCount {
    std::string list = {};
    StoreList kind = StoreList::streams;
};

using StoreOperation = std::variant<StoreGet, StoreScan, StoreRead, StoreCount, StoreSet,
                                    StoreDelete, StoreAppend, StoreRemove>;

/// Whether it changes something.
inline bool is_write(const StoreOperation& operation) { return operation.index() >= 4; }

struct StoreEntry {
    std::string key, value;
    bool operator==(const StoreEntry&) const = default;
};
struct StoreItem {
    std::int64_t id = 0;
    StoreTime at = 0;
    std::string value;
    bool operator==(const StoreItem&) const = default;
};
/// What one operation gives; which fields count, its comment says.
struct StoreResult {
    bool found = false;
    std::int64_t number = 0;
    std::string value;
    std::vector<StoreEntry> entries;
    std::vector<StoreItem> items;
};

/// Operations of one space, done in order, all of them or none. Each sees what those before it did.
struct StoreRequest {
    std::string space = {};  // a namespace's name: what it keeps, no other space sees
    std::vector<StoreOperation> operations = {};
    StoreTime now = 0;
    bool durable = true;   // answered only once it would survive a power cut
    bool dry_run = false;  // answered as if done, and nothing stays
};

// Why a request came to nothing, in words that programs may compare.
inline constexpr const char* kStoreBusy = "busy";  // too many requests wait
inline constexpr const char* kStoreListFull = "queue full";
inline constexpr const char* kStoreDiskFull = "disk full";
inline constexpr const char* kStoreTooManyKeys = "too many keys";
inline constexpr const char* kStoreTooManySchedules = "too many schedules";
inline constexpr const char* kStoreTooManyStreams = "too many streams";
inline constexpr const char* kStoreTooManyQueues = "too many queues";
inline constexpr const char* kStoreClosed = "the store is closed";

struct StoreReply {
    std::string error;                 // empty: all is done
    std::vector<StoreResult> results;  // one an operation
};
using StoreCompletion = std::function<void(StoreReply)>;

/// How much each space may hold, and all spaces may ask for.
struct StoreLimits {
    std::size_t keys = 1'000'000, schedules = 100'000;
    std::size_t streams = 100'000, queues = 100'000;
    std::size_t waiting = 10'000;  // requests that are not answered yet; beyond: busy
};

/// Where namespaces keep what must outlive them.
///
/// Any thread may call; the owner calls `start` first and `close` last. Requests of one space that
/// write are done in the order in which they were given; one that only reads sees at least what was
/// answered before it was given. Nothing here throws.
class Store {
public:
    virtual ~Store() = default;

    /// Looks at what is there already, and makes nothing. Empty, or why it can't be used, naming
    /// the place; then nothing but `close` follows.
    virtual std::string start() = 0;
    /// `completion` is called once, on any thread, maybe before this returns; it must not block.
    virtual void execute(StoreRequest request, StoreCompletion completion) = 0;
    /// Answers what was given so far, then lets go of everything. What is given later is answered
    /// with kStoreClosed.
    virtual void close() = 0;
};

/// What a plugin provides to be a kind of store, which `store.kind` chooses by the plugin's name.
struct StoreKind {
    /// Called once at most, after Plugin::start and on its thread; the store is closed and
    /// destroyed before Plugin::stop. An exception, or null, ends the broker's start.
    std::function<std::unique_ptr<Store>(const StoreLimits& limits)> make;
};

}  // namespace moonwire::plugin
