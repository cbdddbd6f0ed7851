#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace moonwire::transport {

/// permessage-deflate (RFC 7692) on the way in: each message by itself, as was agreed, so that one
/// serves all connections of a reactor.
///
/// zlib's memory (about 40 KB) is taken when the first message needs it.
class Inflater {
public:
    enum class Status : std::uint8_t { done, too_large, broken };
    struct Outcome {
        Status status;
        std::string_view message;  // valid until the next call
    };

    Inflater() noexcept;
    ~Inflater();
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    /// `limit`: bytes of the message; what would be more is not inflated.
    Outcome inflate(std::string_view compressed, std::size_t limit);

private:
    std::unique_ptr<z_stream_s> stream_;
    std::string output_;
};

}  // namespace moonwire::transport
