// A URL that is accepted says the same when it is put together again; one that is not is quoted.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/base/http_url.hpp"

using namespace moonwire;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    // A copy, so that reading past it is seen.
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto url = parse_http_url(text);
    if (!url) {
        if (!url.error().message.starts_with("bad URL \"")) std::abort();
        return 0;
    }
    // What goes out in a request must not be able to end a line.
    for (const std::string& part : {url->host, url->target, url->authority()})
        if (part.empty() || part.find_first_of("\r\n \t") != std::string::npos) std::abort();
    const auto again = parse_http_url((url->secure ? "https://" : "http://") + url->authority() +
                                      url->target);
    if (!again) {
        // Only what was added, a "/", may have made it too long.
        if (text.size() + 1 < kMaxUrlBytes) std::abort();
        return 0;
    }
    if (again->secure != url->secure || again->host != url->host || again->port != url->port ||
        again->target != url->target)
        std::abort();
    return 0;
}
