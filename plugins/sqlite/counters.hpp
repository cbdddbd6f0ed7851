#pragma once

#include <cstdint>

#include "plugins/sqlite/database.hpp"

namespace moonwire::sqlite {

/// What `counters` counts in each space: keys and lists by their kind, and the ids given out.
inline constexpr std::int64_t kKeys = 0, kLists = 2, kLastId = 4;

/// The counters of all spaces, on one connection. One thread.
class Counters {
public:
    explicit Counters(Database& db)
        : begin_(db, "INSERT INTO counters VALUES(?1,0,0),(?1,1,0),(?1,2,0),(?1,3,0),(?1,4,0)"),
          get_(db, "SELECT value FROM counters WHERE space = ? AND counter = ?"),
          set_(db, "UPDATE counters SET value = ?3 WHERE space = ?1 AND counter = ?2"),
          add_(db, "UPDATE counters SET value = value + ?3 WHERE space = ?1 AND counter = ?2") {}

    /// Of a new space.
    void begin(std::int64_t space) { begin_.run(space); }
    std::int64_t get(std::int64_t space, std::int64_t which) {
        Statement::Rows rows = get_.query(space, which);
        return rows.next() ? rows.integer(0) : 0;
    }
    void set(std::int64_t space, std::int64_t which, std::int64_t value) {
        set_.run(space, which, value);
    }
    void add(std::int64_t space, std::int64_t which, std::int64_t change) {
        add_.run(space, which, change);
    }

private:
    Statement begin_, get_, set_, add_;
};

}  // namespace moonwire::sqlite
