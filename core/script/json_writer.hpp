#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace moonwire::script {

/// Writes JSON's tokens to the end of a string. They are gathered in a block, for each append of its
/// own would cost more than most tokens are long; the string has everything after the destructor.
///
/// One thread, on the stack. The string must outlive it, and nobody else may change it meanwhile.
class JsonWriter {
public:
    explicit JsonWriter(std::string& out) : out_(out) { at_ = block_.data(); }
    ~JsonWriter() { flush(); }
    JsonWriter(const JsonWriter&) = delete;
    JsonWriter& operator=(const JsonWriter&) = delete;

    /// Bytes of the string, with what waits in the block.
    std::size_t size() const noexcept { return out_.size() + waiting(); }

    /// As it is: punctuation, or JSON.
    void put(char c) {
        make_room(1);
        *at_++ = c;
    }
    void put(std::string_view json) {
        if (json.size() > kInBlock) return append(json);
        make_room(json.size());
        std::memcpy(at_, json.data(), json.size());
        at_ += json.size();
    }
    /// A string in its quotes (RFC 8259 section 7); false, and nothing written, if it is not UTF-8.
    bool text(std::string_view text);
    /// A finite number: whole ones below 2^53 without a fraction, others in the shortest form that
    /// means the same double.
    void number(double value);

private:
    static constexpr std::size_t kBlock = 1024, kInBlock = 256;

    std::size_t waiting() const noexcept { return static_cast<std::size_t>(at_ - block_.data()); }
    void make_room(std::size_t bytes) {
        if (kBlock - waiting() < bytes) flush();
    }
    void flush() {
        out_.append(block_.data(), waiting());
        at_ = block_.data();
    }
    void append(std::string_view json) {
        flush();
        out_.append(json);
    }
    bool long_or_odd_text(std::string_view text);

    std::string& out_;
    std::array<char, kBlock> block_;  // filled up to at_
    char* at_;
};

}  // namespace moonwire::script
