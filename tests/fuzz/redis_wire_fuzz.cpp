// What comes from Redis: whatever it is, it is refused or a message, which another node reads
// again. The first byte says on which channel it came.

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "plugins/redis/wire.hpp"

using namespace moonwire::redis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Wire here("k", "abcdef"), there("k", "ghijkl");
    if (size == 0) return 0;
    const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
    Received received;
    try {
        received = here.read(data[0] % 2 == 0 ? "k#/#" : "k-request#/#", payload);
    } catch (const std::runtime_error&) {
        return 0;
    }
    if (received.kind == Received::Kind::own || received.kind == Received::Kind::question) return 0;
    Publication sent;
    try {
        sent = here.write(received.message);
    } catch (const std::runtime_error&) {
        return 0;  // deeper by what stands for a binary value
    }
    if (there.read(sent.channel, sent.payload).kind != received.kind) std::abort();
    return 0;
}
