#pragma once

#include <amqp.h>

#include <string>
#include <string_view>

namespace moonwire::amqp {

inline amqp_bytes_t bytes_of(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};
}
inline std::string_view text_of(const amqp_bytes_t& bytes) {
    return {static_cast<const char*>(bytes.bytes), bytes.len};
}

/// The library's memory for tables. One thread; what is decoded into it lives as long.
class FieldPool {
public:
    FieldPool() { init_amqp_pool(&pool_, 4096); }
    ~FieldPool() { empty_amqp_pool(&pool_); }
    FieldPool(const FieldPool&) = delete;
    FieldPool& operator=(const FieldPool&) = delete;
    /// The table that these bytes are (see fields.hpp); points into them. An empty one if they are
    /// none.
    amqp_table_t table(std::string_view encoded) {
        amqp_table_t table = amqp_empty_table;
        size_t offset = 0;
        if (encoded.empty() ||
            amqp_decode_table(bytes_of(encoded), &pool_, &table, &offset) != AMQP_STATUS_OK)
            return amqp_empty_table;
        return table;
    }
    template <typename T>
    T* make(std::size_t count) {
        return static_cast<T*>(amqp_pool_alloc(&pool_, (count ? count : 1) * sizeof(T)));
    }

private:
    amqp_pool_t pool_;
};

/// The bytes of a table; throws std::runtime_error if they are too many (kMaxHeadersBytes).
std::string encode_table(const amqp_table_t& table);

}  // namespace moonwire::amqp
