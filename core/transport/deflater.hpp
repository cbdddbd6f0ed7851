#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace moonwire::transport {

/// permessage-deflate (RFC 7692) on the way out: each message by itself, so that what it becomes
/// is the same for every receiver.
///
/// One a reactor. zlib's memory (about 260 KB) is taken when the first message needs it. Failure:
/// what can't be made smaller, or finds no memory, is left as it is.
class Deflater {
public:
    /// `level`: zlib's, 1 to 9.
    explicit Deflater(int level);
    ~Deflater();
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    /// The payload as RFC 7692 section 7.2.1 has it, valid until the next call; empty when it is no
    /// smaller.
    std::string_view deflate(std::string_view payload);

private:
    const int level_;
    std::unique_ptr<z_stream_s> stream_;
    std::string output_;
};

}  // namespace moonwire::transport
