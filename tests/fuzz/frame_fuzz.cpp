// What a client sends over a WebSocket, in arbitrary splits: taken apart and inflated as a
// connection does it. Splitting must not matter, and no message may be over its limit.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

#include "core/transport/frame_reader.hpp"
#include "core/transport/inflater.hpp"

using namespace moonwire::transport;

namespace {

constexpr std::size_t kLimit = 4096;
using Seen = std::tuple<FrameReader::Kind, bool, std::uint16_t, std::string>;

std::vector<Seen> read(std::string bytes, std::size_t step) {
    static Inflater inflater;
    FrameReader reader(kLimit, true);
    std::vector<Seen> seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        std::span<char> piece(bytes.data() + at, std::min(step, bytes.size() - at));
        while (const auto event = reader.next(piece)) {
            if (event->payload.size() > kLimit) std::abort();
            std::string payload(event->payload);
            if (event->compressed) {
                const auto outcome = inflater.inflate(payload, kLimit);
                if (outcome.message.size() > kLimit) std::abort();
                payload += outcome.message;
            }
            seen.emplace_back(event->kind, event->binary, event->code, std::move(payload));
            if (event->kind == FrameReader::Kind::fault) return seen;
        }
        if (!piece.empty()) std::abort();
    }
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t step = 1 + data[0] % 64;
    const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    if (read(bytes, bytes.size()) != read(bytes, step)) std::abort();
    return 0;
}
